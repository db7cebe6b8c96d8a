"""What the control plane relies on in a Kubernetes cluster, tried on the embedded one or, with
`make conformance KUBECONFIG=...`, on any other.

Each test works in a namespace of its own, which is gone at the end. Nothing runs: no test needs an image or a node.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.cluster import Api, Object, Reply, Room, given_kubeconfig
from tests.support.cluster import run_cluster
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(400)
MAPS = ("v1", "configmaps")
DEPLOYMENTS = ("apps/v1", "deployments")


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    kubeconfig = given_kubeconfig()
    if kubeconfig:
        client = Api(kubeconfig)
        yield client
        client.close()
        return
    with run_cluster() as cluster:
        cluster.start("controllers")
        client = Api(str(cluster.kubeconfig))
        yield client
        client.close()


@pytest.fixture
def room(api: Api) -> Iterator[Room]:
    name = f"lamplight-conformance-{random.randrange(16**6):06x}"
    created = api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert created.status == 201, created.body
    yield Room(api, name)
    api.request("DELETE", f"/api/v1/namespaces/{name}", {"propagationPolicy": "Background"})
    wait_until(
        lambda: api.request("GET", f"/api/v1/namespaces/{name}").status == 404,
        timeout=120,
        message=f"the namespace {name} is gone",
    )


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str, **spec: Any) -> Object:
    labels = {"app": name}
    container = {"name": "main", "image": "registry.invalid/nothing:1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def refused(reply: Reply, status: int, reason: str) -> str:
    """The sentence of a refusal."""
    assert (reply.status, reply.body.get("reason")) == (status, reason), reply.body
    return str(reply.body["message"])


def managers(obj: Object) -> dict[tuple[str, str], Object]:
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def test_what_is_there_is_not_created_again(room: Room) -> None:
    assert room.create(*MAPS, config_map("a")).status == 201
    assert "already exists" in refused(room.create(*MAPS, config_map("a")), 409, "AlreadyExists")
    assert "not found" in refused(room.get(*MAPS, "b"), 404, "NotFound")


def test_a_stale_write_is_refused(room: Room) -> None:
    first = room.create(*MAPS, config_map("a", k="1"))
    second = room.patch(*MAPS, "a", {"data": {"k": "2"}})
    assert int(second.version) > int(first.version)
    stale = room.api.request("PUT", room.path(*MAPS, "a"), {**first.body, "data": {"k": "3"}})
    assert "the object has been modified" in refused(stale, 409, "Conflict")
    assert room.get(*MAPS, "a").body["data"] == {"k": "2"}


def test_applying_the_same_again_writes_nothing(room: Room) -> None:
    first = room.apply(*MAPS, config_map("a", k="1"), "one")
    assert first.status == 201
    again = room.apply(*MAPS, config_map("a", k="1"), "one")
    assert (again.status, again.version) == (200, first.version)


def test_fields_of_another_manager_are_a_conflict_that_names_it(room: Room) -> None:
    room.apply(*MAPS, config_map("a", k="1", mine="x"), "one")
    conflict = room.apply(*MAPS, config_map("a", k="2"), "two")
    assert 'conflict with "one"' in refused(conflict, 409, "Conflict")
    assert [cause["field"] for cause in conflict.body["details"]["causes"]] == [".data.k"]
    taken = room.apply(*MAPS, config_map("a", k="2"), "two", force="true")
    assert taken.body["data"] == {"k": "2", "mine": "x"}
    left = room.apply(*MAPS, config_map("a", other="y"), "two")
    assert left.body["data"] == {"mine": "x", "other": "y"}, (
        "what a manager stops applying goes when nobody else has it"
    )


def test_replicas_given_up_by_their_only_owner_go_back_to_one(room: Room) -> None:
    """Why the pool controller lets its scaler apply the same number before it lets go."""
    name = "web"
    room.apply(*DEPLOYMENTS, deployment(name, replicas=0), "main")
    abandoned = room.apply(*DEPLOYMENTS, deployment(name), "main")
    assert abandoned.body["spec"]["replicas"] == 1
    room.apply(*DEPLOYMENTS, deployment(name, replicas=0), "main")
    scaler = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"replicas": 0}}
    assert room.apply(*DEPLOYMENTS, scaler, "scaler").status == 200
    kept = room.apply(*DEPLOYMENTS, deployment(name), "main")
    assert kept.body["spec"]["replicas"] == 0
    assert "f:replicas" not in managers(kept.body)["main", "Apply"]["f:spec"]


def test_scale_writes_replicas_and_nothing_else(room: Room) -> None:
    created = room.create(*DEPLOYMENTS, deployment("web", replicas=0))
    scale = room.get(*DEPLOYMENTS, "web", "scale").body
    assert (scale["kind"], scale["spec"].get("replicas", 0), scale["status"]["selector"]) == ("Scale", 0, "app=web")
    scaled = room.patch(*DEPLOYMENTS, "web", {"spec": {"replicas": 2}}, "scale")
    assert scaled.body["spec"]["replicas"] == 2
    after = room.get(*DEPLOYMENTS, "web").body
    assert after["spec"]["replicas"] == 2
    assert after["spec"]["template"] == created.body["spec"]["template"]


def test_a_dry_run_answers_what_would_be_and_writes_nothing(room: Room) -> None:
    planned = room.apply(*MAPS, config_map("a", k="1"), "one", dryRun="All")
    assert (planned.status, planned.body["data"]) == (201, {"k": "1"})
    assert room.get(*MAPS, "a").status == 404
    room.apply(*MAPS, config_map("a", k="1"), "one")
    changed = room.apply(*MAPS, config_map("a", k="2"), "one", dryRun="All")
    assert changed.body["data"] == {"k": "2"}
    assert room.get(*MAPS, "a").body["data"] == {"k": "1"}


def test_only_the_spec_moves_the_generation(room: Room) -> None:
    room.create(*DEPLOYMENTS, deployment("web", replicas=0))
    assert room.patch(*DEPLOYMENTS, "web", {"metadata": {"labels": {"x": "y"}}}).body["metadata"]["generation"] == 1
    changed = room.patch(*DEPLOYMENTS, "web", {"spec": {"minReadySeconds": 1}})
    assert changed.body["metadata"]["generation"] == 2
    status = room.patch(*DEPLOYMENTS, "web", {"status": {"replicas": 7}})
    assert status.body.get("status", {}).get("replicas", 0) != 7, "status is written through its subresource only"


def test_a_deployment_has_its_replica_set_and_says_what_it_observed(room: Room) -> None:
    created = room.create(*DEPLOYMENTS, deployment("web", replicas=0)).body
    room.wait(*DEPLOYMENTS, "web", lambda it: it["status"].get("observedGeneration") == 1, "the deployment is observed")
    found = room.api.request("GET", room.path("apps/v1", "replicasets"), labelSelector="app=web").body["items"]
    assert len(found) == 1
    assert found[0]["metadata"]["ownerReferences"][0]["uid"] == created["metadata"]["uid"]
    assert "pod-template-hash" in found[0]["metadata"]["labels"]
    refusal = room.patch(*DEPLOYMENTS, "web", {"spec": {"selector": {"matchLabels": {"app": "other"}}}})
    refused(refusal, 422, "Invalid")


def test_a_watch_goes_on_from_where_a_list_ended(room: Room) -> None:
    room.create(*MAPS, config_map("before"))
    listed = room.api.request("GET", room.path(*MAPS), labelSelector="watched=yes").body
    seen: list[tuple[str, str]] = []
    bookmarked = threading.Event()

    def follow() -> None:
        for event in room.api.watch(
            room.path(*MAPS), resourceVersion=listed["metadata"]["resourceVersion"], labelSelector="watched=yes",
            allowWatchBookmarks="true",
        ):  # fmt: skip
            if event["type"] == "BOOKMARK":
                bookmarked.set()
                continue
            seen.append((event["type"], event["object"]["metadata"]["name"]))
            if len(seen) == 3:
                return

    follower = threading.Thread(target=follow)
    follower.start()
    room.create(*MAPS, {**config_map("a"), "metadata": {"name": "a", "labels": {"watched": "yes"}}})
    room.create(*MAPS, config_map("unwatched"))
    room.patch(*MAPS, "a", {"data": {"k": "1"}})
    room.patch(*MAPS, "a", {"metadata": {"labels": {"watched": "no"}}})
    follower.join(70)
    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")], "leaving the selection looks like deletion"


def test_a_finalizer_holds_an_object_until_it_goes(room: Room) -> None:
    held = config_map("a")
    held["metadata"]["finalizers"] = ["lamplight.dev/conformance"]
    room.create(*MAPS, held)
    room.delete(*MAPS, "a")
    assert room.get(*MAPS, "a").body["metadata"]["deletionTimestamp"]
    room.patch(*MAPS, "a", {"metadata": {"finalizers": None}})
    room.wait_gone(*MAPS, "a")


def test_a_delete_can_say_which_object_it_means(room: Room) -> None:
    room.create(*MAPS, config_map("a"))
    other = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    refused(room.delete(*MAPS, "a", other), 409, "Conflict")
    assert room.get(*MAPS, "a").status == 200


def test_what_an_owner_owned_goes_with_it_and_nothing_else(room: Room) -> None:
    owner = room.create(*MAPS, config_map("owner")).body
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned = config_map("owned")
    owned["metadata"]["ownerReferences"] = [reference]
    room.create(*MAPS, owned)
    room.create(*MAPS, config_map("free"))
    room.delete(*MAPS, "owner", {"propagationPolicy": "Background"})
    room.wait_gone(*MAPS, "owned")
    assert room.get(*MAPS, "free").status == 200


def test_lists_come_in_pages(room: Room) -> None:
    for number in range(5):
        room.create(*MAPS, {**config_map(f"m{number}"), "metadata": {"name": f"m{number}", "labels": {"p": "q"}}})
    names, token = [], ""
    while True:
        query = {"limit": "2", "labelSelector": "p=q", **({"continue": token} if token else {})}
        page = room.api.request("GET", room.path(*MAPS), **query).body
        assert len(page["items"]) <= 2
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert names == [f"m{number}" for number in range(5)]


def test_unknown_fields_are_refused_when_asked_for(room: Room) -> None:
    strict = room.create(*MAPS, {**config_map("a"), "dta": {}}, fieldValidation="Strict")
    assert 'unknown field "dta"' in refused(strict, 400, "BadRequest")


def test_an_invalid_object_names_its_fields(room: Room) -> None:
    bad = deployment("web", replicas=-1)
    bad["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    reply = room.create(*DEPLOYMENTS, bad)
    refused(reply, 422, "Invalid")
    fields = {cause["field"] for cause in reply.body["details"]["causes"]}
    assert {"spec.replicas", "spec.template.metadata.labels"} <= fields


def test_a_quota_refuses_what_is_beyond_it(room: Room) -> None:
    hard = {"count/secrets": "1"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}}
    assert room.create("v1", "resourcequotas", quota).status == 201
    room.wait("v1", "resourcequotas", "q", lambda it: it.get("status", {}).get("used"), "the quota is counted")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"generateName": "s-"}}
    replies = [room.create("v1", "secrets", secret) for _ in range(3)]
    assert "exceeded quota: q" in refused(replies[-1], 403, "Forbidden")


def test_limits_fill_in_what_a_container_leaves_out(room: Room) -> None:
    limits = [{"type": "Container", "default": {"cpu": "300m"}, "defaultRequest": {"cpu": "200m"}}]
    room.create("v1", "limitranges", {"metadata": {"name": "l"}, "spec": {"limits": limits}})
    room.wait("v1", "serviceaccounts", "default", bool, "the default service account is there")
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", "image": "registry.invalid/n:1"}]}}
    made: list[Reply] = []

    def filled() -> bool:
        # the server may take a moment to know of a new LimitRange
        made[:] = [room.create("v1", "pods", pod, dryRun="All")]
        return bool(made[0].body["spec"]["containers"][0]["resources"])

    wait_until(filled, message="limits are filled in")
    resources = made[0].body["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"cpu": "300m"}, "requests": {"cpu": "200m"}}


def test_leases_are_renewed_by_their_holder(room: Room) -> None:
    spec = {"holderIdentity": "one", "leaseDurationSeconds": 15}
    leases = ("coordination.k8s.io/v1", "leases")
    held = room.create(*leases, {"metadata": {"name": "l"}, "spec": spec})
    assert held.status == 201
    taken = room.api.request("PUT", room.path(*leases, "l"), {**held.body, "spec": {**spec, "holderIdentity": "two"}})
    assert taken.body["spec"]["holderIdentity"] == "two"
    late = room.api.request("PUT", room.path(*leases, "l"), {**held.body, "spec": {**spec, "holderIdentity": "three"}})
    refused(late, 409, "Conflict")


def test_a_disruption_budget_says_what_it_allows(room: Room) -> None:
    budget = {"metadata": {"name": "b"}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "none"}}}}
    budgets = ("policy/v1", "poddisruptionbudgets")
    room.create(*budgets, budget)
    seen = room.wait(*budgets, "b", lambda it: it["status"].get("observedGeneration") == 1, "the budget is observed")
    assert (seen["status"]["expectedPods"], seen["status"]["disruptionsAllowed"]) == (0, 0)


def test_a_suspended_job_says_that_it_waits(room: Room) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "registry.invalid/n:1"}]}}
    jobs = ("batch/v1", "jobs")
    assert (
        room.create(*jobs, {"metadata": {"name": "j"}, "spec": {"suspend": True, "template": template}}).status == 201
    )
    room.wait(
        *jobs, "j",
        lambda it: any((c["type"], c["status"]) == ("Suspended", "True") for c in it["status"].get("conditions", [])),
        "the job is suspended",
    )  # fmt: skip
    refused(room.patch(*jobs, "j", {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}), 422, "Invalid")
    room.delete(*jobs, "j", {"propagationPolicy": "Background"})
    room.wait_gone(*jobs, "j")


def test_an_autoscaler_is_kept_with_its_defaults(room: Room) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scalers = ("autoscaling/v2", "horizontalpodautoscalers")
    made = room.create(*scalers, {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3}})
    assert (made.status, made.body["spec"]["minReplicas"]) == (201, 1)
    bad = {"metadata": {"name": "i"}, "spec": {"scaleTargetRef": target, "minReplicas": 4, "maxReplicas": 3}}
    refused(room.create(*scalers, bad), 422, "Invalid")


def test_a_role_gives_its_rights_to_who_is_bound(room: Room) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
    roles = "rbac.authorization.k8s.io/v1"
    subject = {"kind": "ServiceAccount", "name": "worker", "namespace": room.namespace}
    attributes = {"namespace": room.namespace, "resource": "configmaps"}
    user = f"system:serviceaccount:{room.namespace}:worker"

    def allowed(verb: str) -> bool:
        spec = {"user": user, "resourceAttributes": {**attributes, "verb": verb}}
        asked = room.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
        assert asked.status == 201, asked.body
        return bool(asked.body["status"]["allowed"])

    assert not allowed("list")
    assert room.create(roles, "roles", {"metadata": {"name": "r"}, "rules": rules}).status == 201
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    bound = {"metadata": {"name": "rb"}, "roleRef": reference, "subjects": [subject]}
    assert room.create(roles, "rolebindings", bound).status == 201
    wait_until(lambda: allowed("list"), message="the binding counts")
    assert not allowed("delete")
    refused(room.patch(roles, "rolebindings", "rb", {"roleRef": {**reference, "name": "other"}}), 422, "Invalid")


def test_a_namespace_that_ends_takes_everything_and_lets_nothing_in(api: Api, room: Room) -> None:
    held = config_map("held")
    held["metadata"]["finalizers"] = ["lamplight.dev/conformance"]
    room.create(*MAPS, held)
    api.request("DELETE", f"/api/v1/namespaces/{room.namespace}")
    try:
        wait_until(
            lambda: api.request("GET", f"/api/v1/namespaces/{room.namespace}").body["status"]["phase"] == "Terminating",
            message="the namespace is terminating",
        )
        late = room.create(*MAPS, config_map("late"))
        refused(late, 403, "Forbidden")
        assert late.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    finally:
        room.patch(*MAPS, "held", {"metadata": {"finalizers": None}})
