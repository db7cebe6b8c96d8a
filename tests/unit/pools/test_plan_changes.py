"""Field-level differences, masking, effects, managers and cost: the pure parts of a plan."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.dialects import dialect
from apps.core.domain.units import HourlyPrice
from apps.pools.domain.changes import ABSENT, FieldChange, declared_part, diff, same
from apps.pools.domain.cost import Demand, cost_delta
from apps.pools.domain.effects import effect_of, immutable_fields, worst
from apps.pools.domain.fieldpaths import ItemKey, Path, _candidates, shown
from apps.pools.domain.managers import writers_of
from apps.pools.domain.manifests import ModelFacts
from apps.pools.domain.masking import Masker
from apps.pools.domain.paths import render
from apps.pools.domain.review import Answered, Review, review_objects, review_spec
from apps.pools.domain.tiers.folders import weights_may_move
from apps.pools.domain.warnings import Surroundings, warnings_of
from tests.support.shared import shared_file
from tests.unit.pools.rendering import EVERYTHING, MODEL, POOL, inputs_of, spec_of

OBJECTS = render(POOL, spec_of(), MODEL, inputs_of(spec_of(), EVERYTHING), dialect("current"))
VLLM = ItemKey((("name", "vllm"),))

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text("abc", max_size=3)
named = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abcde")}, optional={"value": scalars}),
    unique_by=lambda i: i["name"],
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b/c", "env", "x"]), inner | named, max_size=4)
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(["spec", "data", "env", "a"]), values | named, max_size=4)


def applied(before: Any, changes: list[FieldChange]) -> Any:
    """The oracle: carry the changes out on a copy."""
    root = {"": copy.deepcopy(before)}
    for change in changes:
        here: Any = root
        path: Path = ("", *change.path)
        for part in path[:-1]:
            here = next(item for item in here if part.matches(item)) if isinstance(part, ItemKey) else here[part]
        last = path[-1]
        if change.op == "reordered":
            keys = [tuple(sorted(row.items())) for row in change.after]
            items = {
                tuple(sorted((name, item.get(name)) for name in dict(key))): item for item in here[last] for key in keys
            }
            here[last] = [items[key] for key in keys]
        elif isinstance(last, ItemKey):
            at = next((i for i, item in enumerate(here) if last.matches(item)), len(here))
            here[at : at + 1] = [] if change.after is ABSENT else [copy.deepcopy(change.after)]
        elif change.after is ABSENT:
            del here[last]
        else:
            here[last] = copy.deepcopy(change.after)
    return root[""]


@given(objects)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert diff(value, copy.deepcopy(value)) == []


@given(objects, objects, st.sampled_from(["unchanged", "created", "changed", "deleted", "skipped"]))
def test_a_plan_is_empty_where_neither_the_declaration_nor_an_object_changes(
    before: dict[str, Any], after: dict[str, Any], action: str
) -> None:
    spec = review_spec(before, after)
    assert (spec == ()) == same(before, after)
    rendered = OBJECTS[0]
    live = {"created": None, "changed": {**rendered, "spec": {"was": "another"}}}.get(action, rendered)
    answers = [] if action == "deleted" else [Answered(rendered, live, after=rendered)]
    reviewed = review_objects(answers, [rendered] if action == "deleted" else [], {})
    if action == "skipped":
        reviewed = tuple(replace(obj, action="skipped") for obj in reviewed)
    assert [obj.action for obj in reviewed] == [action]
    review = Review(spec, reviewed, cost_delta([], [], {}))
    nothing = not spec and action == "unchanged"
    said = review.to_json()["summary"]
    assert (said["empty"], said["sentence"] == "nothing changes") == (nothing, nothing)
    if spec and action == "unchanged":
        assert said["sentence"] == "only the declaration changes: nothing in the cluster does"


@given(objects, objects)
def test_carrying_the_changes_out_gives_what_they_lead_to(before: Any, after: Any) -> None:
    assert same(applied(before, diff(before, after)), after)


@given(objects, objects)
def test_a_change_is_told_from_both_sides(before: Any, after: Any) -> None:
    there, back = diff(before, after), diff(after, before)
    assert {c.path for c in there if c.op != "reordered"} == {c.path for c in back if c.op != "reordered"}


def test_a_list_with_keys_is_compared_by_them_and_named_by_them() -> None:
    before = next(o for o in OBJECTS if o["metadata"]["name"] == "chat-h200" and o["kind"] == "Deployment")
    after = copy.deepcopy(before)
    container = after["spec"]["template"]["spec"]["containers"][0]
    container["env"].insert(0, {"name": "NEW", "value": "1"})
    container["env"] = [e for e in container["env"] if e["name"] != "VLLM_LOGGING"]
    container["args"][1] = "--port=9"
    container["ports"][0]["name"] = "other"
    assert [(shown(c.path), c.op) for c in diff(before, after)] == [
        ("spec.template.spec.containers[vllm].args", "changed"),
        ("spec.template.spec.containers[vllm].env[VLLM_LOGGING]", "removed"),
        ("spec.template.spec.containers[vllm].env[NEW]", "added"),
        ("spec.template.spec.containers[vllm].env", "reordered"),
        ("spec.template.spec.containers[vllm].ports[8000/TCP].name", "changed"),
    ]


def test_bookkeeping_and_our_stamp_are_no_changes() -> None:
    before = copy.deepcopy(OBJECTS[0])
    after = copy.deepcopy(before)
    after["metadata"] |= {"resourceVersion": "9", "generation": 4, "managedFields": [{}], "uid": "u"}
    after["metadata"]["labels"] |= {"lamplight.dev/spec-hash": "x", "lamplight.dev/generation": "9"}
    after["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"k":"hunter22"}}'}
    after["status"] = {"readyReplicas": 1}
    assert diff(declared_part(before), declared_part(after)) == []


def test_paths_are_written_as_people_write_them() -> None:
    assert shown(("metadata", "labels", "app.kubernetes.io/name")) == 'metadata.labels["app.kubernetes.io/name"]'
    assert shown(("spec", "ports", ItemKey((("port", 80), ("protocol", "TCP"))), "name")) == "spec.ports[80/TCP].name"


def test_the_table_of_list_keys_says_what_kubernetes_says() -> None:
    found: dict[str, set[tuple[str, ...]]] = {}
    for file in sorted(shared_file("k8s/openapi").glob("*.json.gz")):
        for schema in json.loads(gzip.decompress(file.read_bytes()))["components"]["schemas"].values():
            for name, field in (schema.get("properties") or {}).items():
                if keys := field.get("x-kubernetes-list-map-keys"):
                    found.setdefault(name, set()).add(tuple(keys))
    ours = {name: set(keys) for name, keys in _candidates().items()}
    pod_template = {"containers", "initContainers", "env", "ports", "volumes", "volumeMounts", "imagePullSecrets"}
    assert pod_template <= ours.keys() & found.keys()
    assert {name: keys for name, keys in ours.items() if name in found} == {
        name: keys for name, keys in found.items() if name in ours
    }


# --- masking ------------------------------------------------------------------------------------------------------

CANARY = st.text("abcdefghijkmnpqrstuvwxyzABCDEFGH23456789", min_size=16, max_size=24)


def planted(canary: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of objects, live and rendered, with the canary where secrets stand; plain text beside it."""

    def deployment(**container: Any) -> dict[str, Any]:
        template = {"spec": {"containers": [{"name": "vllm", "image": "v:1", **container}]}}
        return {**_head("apps/v1", "Deployment"), "spec": {"template": template}}

    encoded = base64.b64encode(canary.encode()).decode()
    yield {**_head("v1", "Secret"), "data": {"k": encoded}}, {**_head("v1", "Secret"), "stringData": {"k": canary}}
    yield (
        {**_head("v1", "Secret"), "data": {"k": encoded}},
        {**_head("v1", "Secret"), "data": {"k": encoded, "l": encoded}},
    )
    yield deployment(env=[]), deployment(env=[{"name": "HF_TOKEN", "value": canary}])
    yield deployment(env=[{"name": "HF_TOKEN", "value": canary}]), deployment(env=[{"name": "HF_TOKEN", "value": "x"}])
    yield deployment(args=["a"]), deployment(args=["serve", f"--api-key={canary}"])
    yield deployment(args=["a"]), deployment(args=["serve", "--api-key", canary])
    yield deployment(args=[f"hf_{canary}"]), deployment(args=["sk-" + canary])
    yield deployment(command=["sh", "-c", f"export HF_TOKEN={canary}; vllm"]), deployment()
    yield deployment(env=[{"name": "URL", "value": f"https://me:{canary}@host/x"}]), deployment()
    yield {**_head("v1", "ConfigMap"), "data": {"c": f"apiKey: {canary}\n"}}, {**_head("v1", "ConfigMap"), "data": {}}
    annotated = _head("v1", "ConfigMap")
    annotated["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"x":"{canary}"}}'}
    yield annotated, _head("v1", "ConfigMap")
    yield _head("v1", "ConfigMap"), {**_head("v1", "ConfigMap"), "apiToken": {"deep": [canary]}}


def _head(api_version: str, kind: str) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "n", "labels": {}}}


@given(CANARY)
def test_no_secret_leaves_a_review_by_any_door(canary: str) -> None:
    for live, rendered in planted(canary):
        refusal = f'Deployment "x" is invalid: spec.x: Invalid value: "{canary}": must not be so'
        ways = [
            Answered(rendered, live, after=rendered),
            Answered(live, rendered, after=live),
            Answered(rendered, None),
            Answered(live, None),
        ]
        # there the secret is the whole token, or not one that its place tells
        if not any(word in json.dumps(live) for word in ("last-applied", "hf_")):
            ways.append(Answered(rendered, live, refusal=refusal))
        for answer in ways:
            text = json.dumps([obj.to_json() for obj in review_objects([answer], [live], {})])
            assert canary not in text, text
            assert base64.b64encode(canary.encode()).decode() not in text


@given(CANARY)
def test_a_secret_is_hidden_where_its_place_does_not_say_so(canary: str) -> None:
    head = _head("apps/v1", "Deployment")
    live = {**head, "spec": {"env": [{"name": "DB_PASSWORD", "value": canary}]}}
    rendered = {**head, "spec": {"args": [f"--connect={canary}"], canary: 1}}
    text = json.dumps([obj.to_json() for obj in review_objects([Answered(rendered, live, after=rendered)], [], {})])
    assert canary not in text


def test_a_changed_secret_is_seen_to_change() -> None:
    live = {**_head("v1", "Secret"), "data": {"k": "b25lb25lb25l", "same": "c2FtZXNhbWU="}}
    rendered = {**_head("v1", "Secret"), "data": {"k": "dHdvdHdvdHdv", "same": "c2FtZXNhbWU="}}
    fields = review_objects([Answered(rendered, live, after=rendered)], [], {})[0].to_json()["fields"]
    assert [(f["path"], f["before"], f["after"]) for f in fields] == [("data.k", "*** (before)", "*** (after)")]


def test_a_change_beside_a_secret_stays_readable() -> None:
    change = FieldChange(
        ("spec", "args"), "changed", ["--api-key=hunter22", "--port=1"], ["--api-key=hunter22", "--port=2"]
    )
    shown_change = Masker([]).change(change, "Deployment")
    assert shown_change.before == ["--api-key=***", "--port=1"]
    assert shown_change.after == ["--api-key=***", "--port=2"]


@pytest.mark.parametrize(
    "plain",
    [
        "--max-num-batched-tokens=8192",
        "--tokenizer=meta-llama/Llama-3.1-8B",
        "vllm/vllm-openai:v0.33.0",
        "llm-d-hf-token",
        "https://host:8000/path",
    ],
)
def test_what_is_no_secret_stays(plain: str) -> None:
    assert Masker([]).value({"args": [plain], "name": plain}) == {"args": [plain], "name": plain}


def test_which_secret_is_read_is_no_secret() -> None:
    model: dict[str, Any] = {"spec": {"source": "hf://a/b"}}
    named = {"spec": {"source": "hf://a/b", "tokenSecret": {"name": "hf-token-of-research", "key": "token"}}}
    (field,) = review_spec(model, named)
    assert field.to_json()["after"] == {"name": "hf-token-of-research", "key": "token"}
    value = {"spec": {"tokenSecret": "hunter2hunter2", "password": {"name": "hunter2hunter2"}}}
    assert "hunter2" not in json.dumps([f.to_json() for f in review_spec(model, value)])


def test_where_a_new_item_stands_is_no_other_order() -> None:
    def env(*names: str) -> dict[str, Any]:
        return {"spec": {"env": [{"name": name, "value": name} for name in names]}}

    assert [f.to_json()["path"] for f in review_spec(env("A", "B"), env("A", "C", "B"))] == ["spec.env[C]"]
    assert [f.change.op for f in review_spec(env("A", "B"), env("B", "C", "A"))] == ["added", "reordered"]


def test_the_rendered_objects_of_a_pool_lose_nothing_to_the_mask() -> None:
    masker = Masker(OBJECTS)
    assert [masker.value(obj) for obj in OBJECTS] == list(OBJECTS)


# --- effects, managers, cost --------------------------------------------------------------------------------------


def test_effects_are_told_by_place() -> None:
    template = ("spec", "template", "spec", "containers", VLLM, "image")
    assert effect_of("Deployment", template) == "restart"
    assert effect_of("Deployment", ("spec", "replicas")) == "inPlace"
    assert effect_of("Deployment", ("spec", "selector", "matchLabels", "a")) == "recreate"
    assert effect_of("RoleBinding", ("roleRef", "name")) == "recreate"
    assert effect_of("ConfigMap", ("data", "x")) == "inPlace"
    assert worst([]) == "inPlace"
    assert worst(["restart", "inPlace", "recreate"]) == "recreate"


def test_a_servers_word_on_immutability_names_the_fields() -> None:
    message = (
        'Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable'
    )
    assert immutable_fields(message) == ("spec.selector",)
    assert immutable_fields("spec.replicas: Invalid value: -1: must be greater than or equal to 0") == ()


def test_the_writer_of_a_field_is_found_in_managed_fields() -> None:
    live = {
        "metadata": {
            "managedFields": [
                {
                    "manager": "kubectl-edit",
                    "operation": "Update",
                    "time": "2026-11-26T10:00:00Z",
                    "fieldsV1": {
                        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"vllm"}': {"f:image": {}}}}}}
                    },
                },
                {
                    "manager": "lamplight",
                    "operation": "Apply",
                    "time": "2026-11-26T09:00:00Z",
                    "fieldsV1": {
                        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"vllm"}': {"f:args": {}}}}}}
                    },
                },
            ]
        }
    }
    base = ("spec", "template", "spec", "containers", VLLM)
    assert [w.manager for w in writers_of(live, (*base, "image"))] == ["kubectl-edit"]
    assert [w.manager for w in writers_of(live, (*base, "args"))] == ["lamplight"]
    assert [w.manager for w in writers_of(live, base)] == ["kubectl-edit", "lamplight"]
    assert writers_of(live, (*base, "env")) == ()


def test_cost_is_counted_by_accelerator_and_currency() -> None:
    prices = {"h200": HourlyPrice(Decimal("4.00"), "USD"), "mi300x": HourlyPrice(Decimal("2.50"), "EUR")}
    before = [Demand("a", "h200", 2, 2), Demand("c", "cpu", 1, 9, counted=False)]
    after = [Demand("a", "h200", 2, 3), Demand("b", "mi300x", 1, 1), Demand("d", "b200", 8, 1)]
    assert cost_delta(before, after, prices).to_json() == {
        "accelerators": [
            {"accelerator": "b200", "before": 0.0, "after": 8.0, "delta": 8.0},
            {"accelerator": "h200", "before": 4.0, "after": 6.0, "delta": 2.0},
            {"accelerator": "mi300x", "before": 0.0, "after": 1.0, "delta": 1.0},
        ],
        "cost": [
            {"currency": "EUR", "per": "h", "before": 0.0, "after": 2.5, "delta": 2.5},
            {"currency": "USD", "per": "h", "before": 16.0, "after": 24.0, "delta": 8.0},
        ],
        "unpriced": ["b200"],
    }


def test_a_price_that_nobody_gave_is_said_with_why_and_where_to_give_it() -> None:
    demand = [Demand("a", "google-tpu-v7x", 4, 1)]
    [warned] = [
        w.message
        for w in warnings_of(spec_of(), (), cost_delta((), demand, {}), Surroundings({}))
        if w.reason == "PriceUnknown"
    ]
    assert "google-tpu-v7x (none found in" in warned
    assert "prices of the Cluster, as google-tpu-v7x: 2.50 USD/h" in warned


@pytest.mark.parametrize(
    ("source", "revision", "mode", "told"),
    [
        ("hf://m/m", None, "fixed", "hf://m/m at main"),
        ("hf://m/m", "v1.0", "auto", "hf://m/m at v1.0"),
        ("hf://m/m", "0" * 40, "auto", ""),
        ("pvc://weights/m", None, "auto", "put other weights under another path"),
        ("oci://registry/m:1", None, "auto", "name it by its digest"),
        ("oci://registry/m@sha256:" + "0" * 64, None, "auto", ""),
        ("hf://m/m", None, "advisory", ""),
    ],
)
def test_weights_that_can_change_under_their_name_are_told_where_chunks_outlive_engines(
    source: str, revision: str | None, mode: str, told: str
) -> None:
    tiers = [{"kind": "host", "bytes": "1Gi"}, {"kind": "filesystem", "bytes": "1Gi", "claim": "kv"}]
    model = ModelFacts("m", source, "m", revision)
    found = weights_may_move(spec_of(offload={"mode": mode, "tiers": tiers}), model)
    assert told in found
    assert bool(found) == bool(told)
    memory = spec_of(offload={"mode": mode, "tiers": tiers[:1]})
    assert weights_may_move(memory, model) == "", "it ends with its engine"


@pytest.mark.parametrize(
    "image, said",
    [
        ("vllm/vllm-openai:v0.33.0", ""),
        ("vllm/vllm-openai:v0.32.1", ""),
        ("vllm/vllm-openai:v9.9.0", "flags of vLLM 9.9.0 (vllm/vllm-openai:v9.9.0) are not known here"),
        ("vllm/vllm-openai:v0.30.0", "are checked against vLLM 0.25"),
        ("vllm/vllm-openai:nightly", "the tag of vllm/vllm-openai:nightly does not say which vLLM is in it"),
    ],
)
def test_an_image_whose_flags_are_not_known_is_told(image: str, said: str) -> None:
    spec = spec_of(engine={"image": image})
    found = [
        w.message
        for w in warnings_of(spec, (), cost_delta((), (), {}), Surroundings({}))
        if w.reason == "EngineUnknown"
    ]
    assert len(found) == bool(said)
    assert said in "".join(found)
