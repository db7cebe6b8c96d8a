"""Bad input through HTTP: each gives a sentence with pointer and line, and leaves nothing half done."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.models import ChangeRecord
from apps.core import clock, kinds
from apps.core.domain.access import Role
from apps.core.models import OutboxEvent
from tests.support.people import Api, api_of, json_of, person, team

pytestmark = pytest.mark.django_db

MODEL = """\
apiVersion: lamplight.dev/v1
kind: Model
metadata: {name: llama}
spec:
  source: hf://meta-llama/Llama-3.1-8B-Instruct
"""
POOL = """\
apiVersion: lamplight.dev/v1
kind: Pool
metadata: {name: chat}
spec:
  model: llama
  cluster: embedded
  namespace: serving
  path: optimized-baseline
  rollout: {progressDeadline: 10m}
  variants:
    - name: h200
      accelerator: nvidia-h200
      replicas: {min: 2, max: 4}
"""
SLO = """\
apiVersion: lamplight.dev/v1
kind: SLO
metadata: {name: chat-latency}
spec:
  targetRef: {kind: Pool, name: chat}
  objectives:
    - {metric: ttft, threshold: 500ms, fraction: 95%, window: 28d}
"""


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def api() -> Api:
    """An editor of team default; the shared team has a cluster."""
    team("platform")
    cluster = kinds.get("Cluster")
    spec = cluster.spec_model.from_document({"credentials": {"inCluster": True}}).to_document()
    cluster.model.objects.create(
        team="platform", name="embedded", spec=spec, created_at=clock.now(), updated_at=clock.now()
    )
    return api_of(person("ada", default=Role.EDITOR))


def nothing_happened(api: Api) -> bool:
    kept = [api.get(f"teams/default/{handler.plural}")["items"] for handler in kinds.all_handlers()]
    return not any(kept) and not OutboxEvent.objects.exists() and not ChangeRecord.objects.exists()


@pytest.mark.parametrize(
    ("text", "status", "pointer", "line", "sentence"),
    [
        (bomb(), 400, "", 5, "more than 50,000 values (aliases count as what they stand for)"),
        ("[" * 10_000 + "]" * 10_000, 400, "", 1, "the nesting is deeper than 40 levels"),
        (MODEL + "  source: hf://b/c\n", 400, "/spec/source", 6, "the key source stands here a second time"),
        (MODEL.replace("hf://", "!!python/object/apply:os.system hf://"), 400, "", 5, "is not allowed"),
        (MODEL + "  shape: .nan\n", 400, "", 6, ".nan is not a number that can be stored"),
        (MODEL + "  revision: 0123\n", 400, "", 6, "write it without the leading zero, or in quotes"),
        (MODEL + "  revision: 12e3\n", 422, "/spec/revision", 6, "is text, not the number 12000.0; put it in quotes"),
        (MODEL + "  revisoin: main\n", 422, "/spec/revisoin", 6, "not a known field; did you mean revision?"),
        (MODEL.replace("hf://", "ftp://"), 422, "/spec/source", 5, "names no source of weights: write one of hf://"),
        (MODEL.replace("kind: Model", "kind: Modle"), 422, "/kind", 2, "did you mean Model?"),
        (MODEL.replace("name: llama", "name: Llama"), 422, "/metadata/name", 3, "is not a name: lower-case"),
        (MODEL.replace("lamplight.dev/v1", "v1"), 422, "/apiVersion", 1, "apiVersion must be lamplight.dev/v1"),
        (MODEL + "---\n" + MODEL, 422, "/metadata/name", 9, "stands twice in this bundle; the first is in line 3"),
        (MODEL + "---\njust text\n", 422, "", 7, "a document is a mapping with apiVersion"),
        (
            MODEL + POOL.join(["---\n", ""]).replace("10m", "10"),
            422,
            "/spec/rollout/progressDeadline",
            15,
            "10 is not a duration: write a number with its unit",
        ),
        (POOL, 422, "/spec/model", 5, "there is no Model named llama in team default or platform; declare it first"),
        (MODEL + "---\n" + POOL.replace("model: llama", "model: lama"), 422, "/spec/model", 11, "did you mean llama?"),
        (SLO, 422, "/spec/targetRef/name", 5, "there is no Pool named chat in team default or platform"),
        (SLO.replace("500ms", "500"), 422, "/spec/objectives/0/threshold", 7, "500 is not a duration"),
        (
            SLO.replace("95%", "0.95"),
            422,
            "/spec/objectives/0/fraction",
            7,
            "0.95 is not a fraction: write a percentage",
        ),
        (SLO.replace("95%", "100%"), 422, "/spec/objectives/0/fraction", 7, "100% leaves no error budget"),
        (
            SLO.replace("ttft", "tftt"),
            422,
            "/spec/objectives/0/metric",
            7,
            "is one of 'ttft', 'e2e', 'tpot', 'itl' or 'errors'",
        ),
        (SLO.replace("kind: Pool", "kind: Model"), 422, "/spec/targetRef/kind", 5, "is one of 'Pool'"),
        ("", 400, None, None, "There is no document in the text."),
        ("# nothing\n---\n", 400, None, None, "There is no document in the text."),
        ("a: b: c", 400, "", 1, "this is not YAML"),
    ],
)
def test_a_bad_document_is_refused_with_place_and_sentence(
    api: Api, text: str, status: int, pointer: str | None, line: int | None, sentence: str
) -> None:
    answer = api.apply(text)
    problem = json_of(answer)
    assert answer.status_code == status, problem
    assert answer["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["type"].startswith("urn:lamplight:problem:")
    if pointer is None:
        assert problem["detail"] == sentence
    else:
        found = [e for e in problem["errors"] if e["pointer"] == pointer and sentence in e["detail"]]
        assert found, problem["errors"]
        assert found[0]["line"] == line
        assert found[0]["column"] >= 1
    assert nothing_happened(api)


def test_a_reference_to_a_refused_document_says_so(api: Api) -> None:
    problem = json_of(api.apply(MODEL.replace("source", "sauce") + "---\n" + POOL))
    by_pointer = {(e["document"], e["pointer"]): e["detail"] for e in problem["errors"]}
    assert by_pointer[1, "/spec/model"] == "Model llama stands in the same bundle and was refused"
    assert [item["name"] for item in problem["items"]] == ["llama", "chat"]


def test_ten_megabytes_are_refused(api: Api) -> None:
    answer = api.apply(b"# padding\n" * 1024 * 1024)
    assert answer.status_code == 413
    assert "10 MiB; the limit is 1 MiB: split it into several files" in json_of(answer)["detail"]


def test_a_body_over_the_servers_own_limit_is_refused(api: Api) -> None:
    answer = api.send("POST", "teams/default/models", b"#" * 3_000_000)
    assert answer.status_code == 413


def test_references_are_accepted_in_any_order_of_the_bundle(api: Api) -> None:
    answer = json_of(api.apply("---\n".join([SLO, POOL, MODEL])))
    assert [(i["kind"], i["action"]) for i in answer["items"]] == [
        ("SLO", "created"),
        ("Pool", "created"),
        ("Model", "created"),
    ], answer
    assert list(OutboxEvent.objects.order_by("id").values_list("kind", flat=True)) == ["Model", "Pool", "SLO"]


def test_a_model_in_use_stays_and_the_sentence_names_its_users(api: Api) -> None:
    api.apply(MODEL + "---\n" + POOL)
    refused = api.send("DELETE", "teams/default/models/llama", If_Match="*")
    assert refused.status_code == 409
    assert json_of(refused)["detail"].startswith(
        "Model default/llama is used by Pool default/chat: delete or change that"
    )
    assert api.get("teams/default/models/llama")["metadata"]["version"] == 1


def test_what_cannot_change_is_refused_with_its_field(api: Api) -> None:
    api.apply(MODEL + "---\n" + POOL)
    refused = api.apply(POOL.replace("namespace: serving", "namespace: other"))
    assert refused.status_code == 422
    (error,) = json_of(refused)["errors"]
    assert (error["pointer"], error["line"]) == ("/spec/namespace", 7)
    assert 'spec.namespace cannot be changed from "serving" to "other": delete the Pool' in error["detail"]


def test_an_object_that_is_going_away_takes_no_changes(api: Api) -> None:
    api.apply(MODEL + "---\n" + POOL)
    going = api.send("DELETE", "teams/default/pools/chat", If_Match="*")
    assert going.status_code == 202
    assert json_of(going)["metadata"]["deletionRequestedAt"]
    again = api.send("DELETE", "teams/default/pools/chat", If_Match="*")
    assert (again.status_code, again["ETag"]) == (202, going["ETag"])
    refused = api.apply(POOL.replace("max: 4", "max: 5"))
    assert refused.status_code == 409
    assert "is being deleted since" in json_of(refused)["detail"]
    assert "lamp wait --for=delete pool/chat" in json_of(refused)["detail"]
    # one that goes away is no target for a reference
    assert "there is no Pool named chat" in json_of(api.apply(SLO))["detail"]


def test_an_slo_stands_in_the_team_of_its_pool(api: Api) -> None:
    root = api_of(person("root", superuser=True))
    platform = "---\n".join([MODEL, POOL]).replace("name: llama}", "name: llama, team: platform}")
    assert root.apply(platform.replace("name: chat}", "name: chat, team: platform}")).status_code == 200
    refused = api.apply(SLO)
    assert "an SLO stands in the team of what it is about" in json_of(refused)["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "sentence"),
    [
        ("POST", "apply?dry_run=perhaps", MODEL, {}, 400, "dry_run is true or false, not perhaps"),
        ("GET", "models?format=xml", None, {}, 400, "format is one of json, yaml, not xml"),
        ("POST", "teams/default/models", MODEL + "---\n" + MODEL, {}, 400, "must hold one document; this one holds 2"),
        ("POST", "teams/default/models", POOL, {}, 422, 'there is no kind "Pool": it is one of Model'),
        (
            "POST",
            "teams/default/models",
            MODEL.replace("llama}", "llama, team: platform}"),
            {},
            422,
            "the document is of team platform, the address of default",
        ),
        ("PUT", "teams/default/models/llama", MODEL, {"If_Match": "*"}, 404, "There is no Model named llama in team"),
        (
            "PUT",
            "teams/default/models/held",
            MODEL,
            {"If_Match": "*"},
            422,
            "the document is named llama, the address held; names stay",
        ),
        (
            "PATCH",
            "teams/default/models/held",
            "status: {ok: true}",
            {"If_Match": "*"},
            422,
            "status cannot be patched: only metadata and spec",
        ),
        ("PATCH", "teams/default/models/held", "[1]", {"If_Match": "*"}, 400, "A merge patch is a mapping"),
        (
            "PATCH",
            "teams/default/models/held",
            "spec: {source: null}",
            {"If_Match": "*"},
            422,
            "spec.source is required",
        ),
        ("PATCH", "teams/default/models/held", "metadata: {name: x}", {"If_Match": "*"}, 422, "names stay"),
        ("PATCH", "teams/default/models/held", "kind: Pool", {"If_Match": "*"}, 422, "there is no kind"),
        ("PATCH", "teams/default/models/held", "spec: {revision: x}", {"If_Match": 'W/"x"'}, 428, "If-Match"),
        ("DELETE", "teams/default/models/none", None, {"If_Match": "*"}, 404, "There is no Model named none"),
        (
            "POST",
            "teams/default/models",
            b"{not json",
            {"content_type": "application/json"},
            400,
            "here should be a key in double quotes",
        ),
        ("GET", "teams/nowhere/models", None, {}, 404, "There is no team nowhere, or you are not a member of it"),
        ("POST", "models", MODEL, {}, 405, "not allowed"),
        ("GET", "events?team=nowhere", None, {}, 404, "There is no team nowhere"),
        ("POST", f"apply?reason={'x' * 501}", MODEL, {}, 400, "reason is at most 500 characters"),
    ],
)
def test_a_bad_request_is_refused_with_a_sentence(
    api: Api, method: str, path: str, body: Any, headers: dict[str, str], status: int, sentence: str
) -> None:
    api.apply(MODEL.replace("llama}", "held}"))
    answer = api.send(method, path, body, **headers)
    problem = json_of(answer)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), problem
    assert sentence in problem["detail"]
    assert [item["metadata"]["version"] for item in api.get("models")["items"]] == [1]


def test_secrets_do_not_reach_the_change_records(api: Api) -> None:
    model = MODEL.replace(
        "{name: llama}", "{name: llama, annotations: {note: use hf_abcdefghijklmnop, db-password: geheim}}"
    )
    assert api.apply(model).status_code == 200
    record = ChangeRecord.objects.get()
    assert record.after["annotations"] == {"note": "use •••", "db-password": "•••"}
