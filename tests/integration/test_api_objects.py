"""The REST endpoints of declared objects, through HTTP on a real Postgres."""

from __future__ import annotations

import io
import json
import re

import pytest
import yaml
from django.core.management import CommandError, call_command

from apps.audit.models import ChangeRecord
from apps.audit.selectors import first_broken_change
from apps.core.domain.access import Role
from apps.core.models import OutboxEvent
from tests.support.people import Api, api_of, json_of, person, team

pytestmark = pytest.mark.django_db

MODEL = """\
apiVersion: lamplight.dev/v1
kind: Model
metadata: {name: llama, labels: {tier: small}}
spec:
  source: hf://meta-llama/Llama-3.1-8B-Instruct
  shape: {layers: 32, kvHeads: 8, headDim: 128}
"""


@pytest.fixture
def api() -> Api:
    team("platform")
    return api_of(person("ada", default=Role.EDITOR))


def test_an_object_goes_through_its_life(api: Api) -> None:
    created = api.send("POST", "teams/default/models", MODEL)
    assert created.status_code == 201, created.content
    document = json_of(created)
    assert document["metadata"]["generation"] == document["metadata"]["version"] == 1
    assert document["spec"] == {
        "source": "hf://meta-llama/Llama-3.1-8B-Instruct",
        "revision": "main",
        "shape": {"layers": 32, "kvHeads": 8, "headDim": 128, "dtype": "bfloat16"},
    }
    assert document["status"]["kvBytesPerToken"] == 131072
    assert created.headers["ETag"] == f'"{document["metadata"]["uid"]}:1"'

    # labels move the version, not the generation
    patched = api.send(
        "PATCH", "teams/default/models/llama", {"metadata": {"labels": {"tier": "large"}}}, If_Match=created["ETag"]
    )
    assert patched.status_code == 200, patched.content
    metadata = json_of(patched)["metadata"]
    assert (metadata["generation"], metadata["version"], metadata["labels"]) == (1, 2, {"tier": "large"})

    document["spec"]["revision"] = "v2"
    replaced = api.send(
        "PUT",
        "teams/default/models/llama",
        document | {"metadata": {"name": "llama"}},
        If_Match=patched["ETag"],
    )
    assert replaced.status_code == 200, replaced.content
    metadata = json_of(replaced)["metadata"]
    assert (metadata["generation"], metadata["version"], metadata["labels"]) == (2, 3, {})

    assert api.get("teams/default/models/llama")["spec"]["revision"] == "v2"
    deleted = api.send("DELETE", "teams/default/models/llama", If_Match=replaced["ETag"])
    assert deleted.status_code == 204, deleted.content
    assert api.send("GET", "teams/default/models/llama").status_code == 404

    assert list(OutboxEvent.objects.order_by("id").values_list("verb", "generation")) == [
        ("created", 1),
        ("updated", 1),
        ("updated", 2),
        ("deleted", 2),
    ]
    assert list(ChangeRecord.objects.order_by("id").values_list("action", flat=True)) == [
        "create",
        "update",
        "update",
        "delete",
    ]
    assert first_broken_change() is None


def test_who_edits_a_change_record_is_found_out(api: Api) -> None:
    api.apply(MODEL)
    api.apply(MODEL.replace("layers: 32", "layers: 16"))
    call_command("verify_changes", stdout=(said := io.StringIO()))
    first, second = ChangeRecord.objects.order_by("id")
    assert json.loads(said.getvalue()) == {
        "whole": True,
        "records": 2,
        "newest": {"id": second.id, "digest": second.digest},
    }
    ChangeRecord.objects.filter(id=first.id).update(reason="something else")
    with pytest.raises(CommandError, match=f"Change record {first.id} does not follow"):
        call_command("verify_changes")


def test_apply_creates_updates_and_leaves_alone(api: Api) -> None:
    first = json_of(api.apply(MODEL))["items"]
    assert [(i["kind"], i["team"], i["name"], i["action"]) for i in first] == [("Model", "default", "llama", "created")]
    again = json_of(api.apply(MODEL))["items"][0]
    assert again["action"] == "unchanged"
    assert again["object"]["metadata"]["version"] == 1
    changed = json_of(api.apply(MODEL.replace("layers: 32", "layers: 16"), "?reason=smaller"))["items"][0]
    assert (changed["action"], changed["object"]["metadata"]["generation"]) == ("updated", 2)
    assert ChangeRecord.objects.latest("id").reason == "smaller"
    assert ChangeRecord.objects.count() == 2


def test_a_bundle_is_taken_as_a_whole_or_not_at_all(api: Api) -> None:
    bundle = MODEL + "---\n" + MODEL.replace("name: llama", "name: other").replace("kvHeads", "kvHead")
    refused = api.apply(bundle)
    assert refused.status_code == 422
    problem = json_of(refused)
    assert "1 of 2 documents was refused, so nothing was changed" in problem["detail"]
    missing, unknown = problem["errors"]
    assert unknown == {
        "pointer": "/spec/shape/kvHead",
        "detail": "spec.shape.kvHead is not a known field; did you mean kvHeads?",
        "line": 13,
        "column": 23,
        "document": 1,
    }
    assert missing["detail"] == "spec.shape.kvHeads is required"
    assert problem["items"][0]["name"] == "other"
    assert api.get("models")["items"] == []
    assert not OutboxEvent.objects.exists()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_without_a_version_or_on_a_stale_one_is_refused(api: Api, method: str) -> None:
    etag = api.send("POST", "teams/default/models", MODEL)["ETag"]
    path, body = "teams/default/models/llama", (MODEL if method == "PUT" else "spec: {revision: a}")
    needed = api.send(method, path, None if method == "DELETE" else body)
    assert (needed.status_code, needed["ETag"]) == (428, etag)
    assert "If-Match" in json_of(needed)["detail"]
    stale = api.send(method, path, None if method == "DELETE" else body, If_Match=etag.replace(":1", ":9"))
    assert (stale.status_code, stale["ETag"]) == (412, etag)
    assert stale["Content-Type"] == "application/problem+json"
    assert "Model default/llama has changed since you read it" in json_of(stale)["detail"]
    assert api.get(path)["metadata"]["version"] == 1


def test_a_stale_version_in_a_bundle_refuses_its_document(api: Api) -> None:
    api.apply(MODEL)
    stale = api.apply(MODEL.replace("name: llama", "name: llama, version: 7"))
    assert stale.status_code == 412
    (error,) = json_of(stale)["errors"]
    assert (error["pointer"], error["line"]) == ("/metadata/version", 3)
    gone = api.apply(MODEL.replace("name: llama", "name: gone, version: 1"))
    assert gone.status_code == 412
    assert "is gone from team default" in json_of(gone)["detail"]


def test_a_name_can_be_taken_once(api: Api) -> None:
    api.apply(MODEL)
    clash = api.send("POST", "teams/default/models", MODEL)
    assert clash.status_code == 409
    problem = json_of(clash)
    assert "There is a Model named llama in team default already" in problem["detail"]
    assert (problem["errors"][0]["pointer"], problem["errors"][0]["line"]) == ("/metadata/name", 3)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "apply"])
def test_a_dry_run_answers_and_changes_nothing(api: Api, method: str) -> None:
    if method in ("PUT", "PATCH", "DELETE"):
        etag = api.send("POST", "teams/default/models", MODEL)["ETag"]
    before = (api.get("models"), OutboxEvent.objects.count(), ChangeRecord.objects.count())
    changed = MODEL.replace("layers: 32", "layers: 16")
    if method == "POST":
        answer = api.send("POST", "teams/default/models?dry_run=true", changed)
        assert answer.status_code == 200
    elif method == "apply":
        answer = api.apply(changed, "?dry_run=true")
        assert json_of(answer)["items"][0]["action"] == "created"
    else:
        body = {"PUT": changed, "PATCH": "spec: {shape: {layers: 16}}", "DELETE": None}[method]
        answer = api.send(method, "teams/default/models/llama?dry_run=true", body, If_Match=etag)
        assert answer.status_code == (204 if method == "DELETE" else 200), answer.content
        if method != "DELETE":
            assert json_of(answer)["spec"]["shape"]["layers"] == 16
    assert (api.get("models"), OutboxEvent.objects.count(), ChangeRecord.objects.count()) == before


def test_lists_are_paged_by_cursor(api: Api) -> None:
    api.apply("---\n".join(MODEL.replace("name: llama", f"name: m-{i}") for i in range(5)))
    names, path = [], "teams/default/models?limit=2"
    while True:
        page = api.get(path)
        names += [item["metadata"]["name"] for item in page["items"]]
        if page["next"] is None:
            break
        path = f"teams/default/models?limit=2&cursor={page['next']}"
    assert names == [f"m-{i}" for i in range(5)]
    for bad in ("limit=0", "limit=501", "limit=x", "cursor=x", "cursor=WzFd"):
        assert api.send("GET", f"models?{bad}").status_code == 400, bad


def test_yaml_is_the_export_that_apply_takes_back(api: Api) -> None:
    api.apply(MODEL)
    text = api.send("GET", "teams/default/models/llama?format=yaml")
    assert text["Content-Type"].startswith("application/yaml")
    assert json_of(api.apply(text.content))["items"][0]["action"] == "unchanged"
    everything = api.send("GET", "export?team=default&format=yaml").content
    assert [d["kind"] for d in yaml.safe_load_all(everything)] == ["Model"]
    assert json_of(api.apply(everything))["items"][0]["action"] == "unchanged"
    # and JSON: what GET answers can be sent back as it is
    whole = api.get("teams/default/models/llama")
    assert json_of(api.send("POST", "apply", whole))["items"][0]["action"] == "unchanged"
    assert json_of(api.send("POST", "apply", api.get("export")))["items"][0]["action"] == "unchanged"


def test_the_request_id_is_in_the_answer_and_in_the_record(api: Api) -> None:
    answer = api.send("POST", "teams/default/models", MODEL, X_Request_Id="from-the-caller")
    assert answer["X-Request-Id"] == "from-the-caller"
    record = ChangeRecord.objects.get()
    assert record.request_id == "from-the-caller"
    # by uid, not by name
    assert re.fullmatch(r"user:[0-9a-f-]{36}", record.actor)
    assert api.send("GET", "models", X_Request_Id="no spaces allowed")["X-Request-Id"] != "no spaces allowed"
