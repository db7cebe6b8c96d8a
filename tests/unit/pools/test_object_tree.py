"""The object tree: everything once, below what owns it, in one order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.pools.domain.tree import MOST_EVENTS, MOST_NODES, Node, Standing, build, events_of

ROOT = Node("pool", None, 0, "Pool", "chat", "Healthy", "Synced", "", "", None)


def obj(kind: str, name: str, owner: str | None = None, **more: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "n", "uid": f"uid-{kind}-{name}"}
    if owner:
        metadata["ownerReferences"] = [{"uid": owner}]
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=25, unique=True), st.randoms())
def test_every_object_stands_once_below_its_owner(rows: list[tuple[int, int]], random: Any) -> None:
    kinds = ("Deployment", "ReplicaSet", "Pod", "Service")
    objects: list[dict[str, Any]] = []
    for kind, number in sorted(rows):
        above = [o for o in objects if kinds.index(o["kind"]) == kind - 1]
        owner = random.choice(above)["metadata"]["uid"] if above and random.random() < 0.8 else None
        objects.append(obj(kinds[kind], f"o{number}", owner))
    random.shuffle(objects)
    tree = build(ROOT, objects, Standing({}))
    assert sorted(node.id for node in tree.nodes) == sorted(
        ["pool", *(f"{o['kind']}/{o['metadata']['name']}" for o in objects)]
    )
    seen: dict[str, Node] = {}
    for node in tree.nodes:
        if node.parent is not None:
            assert node.depth == seen[node.parent].depth + 1
        seen[node.id] = node
    assert [n.id for n in tree.nodes] == [n.id for n in build(ROOT, sorted(objects, key=str), Standing({})).nodes]


def test_states_of_containers_and_pods() -> None:
    pod = obj(
        "Pod",
        "a",
        spec={"containers": [{"name": "vllm", "image": "vllm/vllm-openai:v0.33.0"}, {"name": "side", "image": "x"}]},
        status={
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": "vllm",
                    "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                    "lastState": {"terminated": {"exitCode": 1}},
                },
            ],
        },
    )
    nodes = {node.id: node.to_json() for node in build(ROOT, [pod], Standing(None)).nodes}
    assert (nodes["Pod/a"]["health"], nodes["Pod/a"]["reason"], nodes["Pod/a"]["restarts"]) == (
        "Degraded",
        "CrashLoopBackOff",
        3,
    )
    container = nodes["Container/a/vllm"]
    assert (container["state"], container["restarts"], container["reason"]) == ("waiting", 3, "CrashLoopBackOff")
    assert nodes["Container/a/side"]["state"] == "waiting", "a container without a status has not begun"


def test_a_tree_and_its_events_are_bounded() -> None:
    objects = [obj("Service", f"s{i:05}") for i in range(MOST_NODES + 5)]
    tree = build(ROOT, objects, Standing(None))
    assert (len(tree.nodes), tree.truncated) == (MOST_NODES, True)
    uid = objects[0]["metadata"]["uid"]
    reported = [
        {"metadata": {}, "involvedObject": {"uid": uid}, "lastTimestamp": f"2026-01-01T00:{i // 60:02}:{i % 60:02}Z"}
        for i in range(MOST_EVENTS + 1)
    ]
    foreign = {"metadata": {}, "involvedObject": {"uid": "other"}}
    events, more = events_of(tree, [*reported, foreign])
    assert (len(events), more) == (MOST_EVENTS, True)
    assert events[0].last_at == reported[-1]["lastTimestamp"], "the newest come first and are kept"
