"""`lamp` against a server that answers what the API promises."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.lamp import POOL, POOLS, Server, lamp


def test_a_table_for_people_with_the_shared_objects(server: Server) -> None:
    server.on("GET", POOLS, (200, {"items": [POOL], "next": None}))
    server.on("GET", "/api/v1/teams/platform/pools", (200, {"items": [], "next": None}))
    result = lamp("get", "POOLS")
    assert result.exit_code == 0, result.output
    header, row = result.stdout.splitlines()
    assert header.split() == ["NAME", "TEAM", "SYNC", "HEALTH", "REPLICAS", "MODEL", "CLUSTER", "REASON", "AGE"]
    assert row.split()[:7] == ["chat", "default", "Synced", "Healthy", "2/2", "llama", "embedded"]
    assert server.seen[0][3]["Authorization"] == "Bearer lamp_secret"


def test_a_list_of_slos_says_what_each_is_about(server: Server) -> None:
    slos = [
        {
            "metadata": {"name": name, "team": "default"},
            "spec": {"targetRef": {"kind": kind, "name": "chat"}, "objectives": []},
        }
        for name, kind in (("fast", "Pool"), ("public", "Endpoint"))
    ]
    server.on("GET", "/api/v1/teams/default/slos", (200, {"items": slos, "next": None}))
    server.on("GET", "/api/v1/teams/platform/slos", (200, {"items": [], "next": None}))
    rows = [line.split() for line in lamp("get", "slos").stdout.splitlines()]
    assert [row[2] for row in rows] == ["TARGET", "pool/chat", "endpoint/chat"]


def test_lists_are_read_page_by_page(server: Server) -> None:
    second = {**POOL, "metadata": {**POOL["metadata"], "name": "other"}}
    server.on("GET", "/api/v1/pools", (200, {"items": [POOL], "next": "c2"}), (200, {"items": [second], "next": None}))
    result = lamp("get", "pool", "-A", "-o", "json")
    assert [o["metadata"]["name"] for o in json.loads(result.stdout)["items"]] == ["chat", "other"]
    assert server.seen[1][2]["cursor"] == ["c2"]


def test_json_of_one_object_and_nothing_else(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL))
    assert json.loads(lamp("get", "pool/chat", "-o", "json").stdout) == POOL


def test_yaml_is_the_servers_declaration(server: Server) -> None:
    text = "apiVersion: lamplight.dev/v1\nkind: Pool\n"
    server.on("GET", f"{POOLS}/chat", (200, POOL), (200, text))
    assert lamp("get", "pool", "chat", "-o", "yaml").stdout == text
    assert server.seen[-1][2] == {"format": ["yaml"]}


def test_names_are_looked_up_in_the_shared_team_too(server: Server) -> None:
    cluster = {"kind": "Cluster", "metadata": {"name": "embedded", "team": "platform", "uid": "c"}, "spec": {}}
    server.on("GET", "/api/v1/teams/platform/clusters/embedded", (200, cluster))
    assert lamp("get", "cluster", "embedded", "-o", "json").exit_code == 0


def test_missing_is_exit_code_3_and_an_unknown_kind_is_2(server: Server) -> None:
    missing = lamp("get", "pool", "nope")
    assert (missing.exit_code, missing.stdout) == (3, "")
    assert "no pool named nope in team default" in missing.stderr
    unknown = lamp("get", "gadgets")
    assert unknown.exit_code == 2
    assert "pools, models, clusters, slos, endpoints, webhooks" in unknown.stderr


def test_apply_sends_one_bundle_and_says_what_became_of_each(server: Server, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("kind: Model\n")
    items = [{"kind": "Model", "team": "default", "name": "llama", "action": "created", "object": {}}]
    server.on("POST", "/api/v1/apply", (200, {"items": items}))
    result = lamp("apply", "-f", str(tmp_path), "--dry-run", "--reason", "try it")
    assert result.stdout == "model/llama created (dry run)\n"
    method, _, query, headers, body = server.seen[0]
    assert (method, body, headers["Content-Type"]) == ("POST", b"kind: Model\n", "application/yaml")
    assert query == {"team": ["default"], "dry_run": ["true"], "reason": ["try it"]}


@pytest.mark.parametrize("nested", [True, False])
def test_refused_documents_are_placed_in_their_files(server: Server, tmp_path: Path, nested: bool) -> None:
    (tmp_path / "a.yaml").write_text("kind: Model\nmetadata: {}\n")
    (tmp_path / "b.yaml").write_text("kind: Pool\nspec:\n  modle: x\n")
    error = {"pointer": "/spec/modle", "line": 6, "column": 3, "detail": "there is no such field; did you mean model?"}
    problem = {"status": 422, "title": "The document is not valid", "detail": "…", "errors": [error]}
    document = {**problem, "errors": []} if nested else problem
    if nested:
        document["items"] = [{"kind": "Pool", "team": "default", "name": "chat", "problem": problem}]
    server.on("POST", "/api/v1/apply", (422, document))
    result = lamp("apply", "-f", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{tmp_path}/b.yaml:3:3: there is no such field; did you mean model? (/spec/modle)\n"


def test_a_stale_document_is_exit_code_4(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: Pool\n")
    server.on(
        "POST", "/api/v1/apply", (412, {"status": 412, "detail": "pool chat is at version 4, not 3", "errors": []})
    )
    result = lamp("apply", "-f", str(tmp_path / "a.yaml"))
    assert (result.exit_code, result.stderr) == (4, "pool chat is at version 4, not 3\n")


def test_apply_takes_stdin(server: Server) -> None:
    server.on("POST", "/api/v1/apply", (200, {"items": []}))
    assert lamp("apply", "-f", "-", stdin="kind: Pool\n").exit_code == 0
    assert server.seen[0][4] == b"kind: Pool\n"
    assert lamp("apply", "-f", "-", stdin="").exit_code == 2


def test_delete_names_the_version_it_saw(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL))
    server.on("DELETE", f"{POOLS}/chat", (202, {}))
    result = lamp("delete", "pool", "chat")
    assert result.stdout == "pool/chat is being deleted\n"
    assert server.seen[-1][3]["If-Match"] == '"u1:3"'


def test_delete_says_that_what_was_adopted_goes_with_the_pool(server: Server) -> None:
    metadata = {**POOL["metadata"], "annotations": {"lamplight.dev/take-ownership-from": "kubectl"}}
    server.on("GET", f"{POOLS}/chat", (200, {**POOL, "metadata": metadata}))
    server.on("DELETE", f"{POOLS}/chat", (202, {}))
    result = lamp("delete", "pool", "chat", "--dry-run")
    assert result.stdout == "pool/chat would be deleted\n"
    assert result.stderr == (
        "note: what pool/chat took over from others goes with it; --cascade=orphan leaves it running\n"
    )
    assert lamp("delete", "pool", "chat", "--cascade", "orphan").stderr == ""


def test_delete_by_file_goes_from_the_top_down(server: Server, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(
        "kind: Model\nmetadata: {name: llama}\n---\nkind: Pool\nmetadata: {name: chat, team: default}\n"
    )
    model = {"kind": "Model", "metadata": {"name": "llama", "team": "default", "uid": "m", "version": 1}, "spec": {}}
    for path, document in ((f"{POOLS}/chat", POOL), ("/api/v1/teams/default/models/llama", model)):
        server.on("GET", path, (200, document))
        server.on("DELETE", path, (204, ""))
    assert lamp("delete", "-f", str(tmp_path)).stdout == "pool/chat deleted\nmodel/llama deleted\n"


def test_wait_ignores_a_condition_of_an_older_generation(server: Server) -> None:
    behind = json.loads(json.dumps(POOL))
    behind["metadata"]["generation"] = 3
    now = json.loads(json.dumps(behind))
    now["status"]["conditions"][0]["observedGeneration"] = 3
    server.on("GET", f"{POOLS}/chat", (200, behind), (200, behind), (200, now))
    result = lamp("wait", "--for=condition=Ready", "pool/chat", "--timeout", "10s")
    assert (result.exit_code, result.stdout) == (0, "pool/chat condition met\n")
    assert len(server.seen) == 3


def test_wait_runs_out_of_time_with_124_and_says_how_far_it_was(server: Server) -> None:
    waiting = json.loads(json.dumps(POOL))
    waiting["status"]["conditions"] = [{"type": "Ready", "status": "False", "message": "0 of 2 replicas are ready"}]
    server.on("GET", f"{POOLS}/chat", (200, waiting))
    result = lamp("wait", "--for=condition=Ready", "pool/chat", "--timeout", "0.3s")
    assert result.exit_code == 124
    assert "0 of 2 replicas are ready" in result.stderr


def test_wait_for_deletion(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL), (200, POOL), (404, {"title": "gone"}))
    assert lamp("wait", "--for=delete", "pool/chat").stdout == "pool/chat deleted\n"
    assert lamp("wait", "--for=delete", "pool/other").stdout == "pool/other deleted\n"


def test_scale_finds_the_only_variant(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL))
    server.on("PUT", f"{POOLS}/chat/targets", (200, {"items": [{"variant": "h200", "desired": 4}]}))
    assert lamp("scale", "pool/chat", "--replicas", "9").stdout.startswith("pool/chat h200 scaled to 4: 9 lies outside")
    assert lamp("scale", "pool/chat", "--replicas", "4").stdout == "pool/chat h200 scaled to 4\n"
    assert lamp("scale", "pool/chat", "--replicas", "4", "--variant", "a100").exit_code == 2


def test_describe_shows_what_a_person_asks(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL))
    replica = {"name": "chat-h200-x", "variant": "h200", "phase": "Running", "ready": True, "restarts": 1, "node": "n1"}
    server.on("GET", f"{POOLS}/chat/replicas", (200, {"items": [replica]}))
    event = {
        "id": 1,
        "type": "Normal",
        "reason": "Scaled",
        "message": "2 replicas",
        "count": 3,
        "kind": "Pool",
        "name": "chat",
    }
    server.on("GET", "/api/v1/events", (200, {"items": [event], "next": None}))
    text = lamp("describe", "pool/chat").stdout
    for part in ("2026-11-23T19:00:00Z (", "Synced", "AllReady", "chat-h200-x", "2 replicas", "model: llama"):
        assert part in text
    assert server.seen[-1][2]["name"] == ["chat"]


def test_an_unreachable_server_is_exit_code_5(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    server.httpd.server_close()
    server.httpd.shutdown()
    result = lamp("get", "pools")
    assert result.exit_code == 5
    assert "cannot be reached" in result.stderr


@pytest.mark.parametrize(
    ("status", "document", "code"),
    [
        (502, "<html>bad gateway</html>", 5),
        (503, {"type": "urn:lamplight:problem:unavailable", "detail": "The database cannot be reached now."}, 5),
        (502, {"type": "urn:lamplight:problem:cluster-away", "detail": "The cluster does not answer."}, 1),
        (403, {"type": "urn:lamplight:problem:forbidden", "detail": "You may look, not change."}, 1),
        (409, {"detail": "The model is in use."}, 4),
        (428, {"detail": "Name a version."}, 4),
        (500, {"detail": "Something went wrong."}, 1),
    ],
)
def test_exit_codes_of_refusals(server: Server, status: int, document: Any, code: int) -> None:
    server.on("GET", "/api/v1/pools", (status, document))
    result = lamp("get", "pools", "-A")
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.strip()


def test_describe_goes_on_when_the_cluster_is_away(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL))
    server.on("GET", f"{POOLS}/chat/replicas", (502, {"type": "x", "detail": "The pods cannot be read: refused."}))
    result = lamp("describe", "pool/chat")
    assert result.exit_code == 0
    assert "The pods cannot be read: refused." in result.stdout
    assert "Spec:" in result.stdout


def test_unauthorized_says_how_to_log_in(server: Server) -> None:
    server.on("GET", "/api/v1/pools", (401, {"detail": "The token is not known."}))
    result = lamp("get", "pools", "-A")
    assert result.exit_code == 1
    assert "lamp login" in result.stderr


def test_a_redirect_does_not_carry_the_token_away(server: Server) -> None:
    server.on("GET", "/api/v1/pools", (302, {"detail": "go away"}))
    assert lamp("get", "pools", "-A").exit_code == 1
    assert len(server.seen) == 1


def test_login_keeps_server_and_token_for_its_owner_only(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LAMPLIGHT_SERVER")
    monkeypatch.delenv("LAMPLIGHT_TOKEN")
    (tmp_path / "token").write_text("lamp_from_file\n")
    server.on("GET", "/api/v1/session", (200, {"user": {"username": "admin"}}))
    result = lamp("login", "--server", server.url, "--token-file", str(tmp_path / "token"), "--team", "search")
    assert result.exit_code == 0, result.output
    config = tmp_path / "config.json"
    assert config.stat().st_mode & 0o777 == 0o600
    assert json.loads(config.read_text()) == {"server": server.url, "token": "lamp_from_file", "team": "search"}
    server.on("GET", "/api/v1/teams/search/pools", (200, {"items": []}))
    server.on("GET", "/api/v1/teams/platform/pools", (200, {"items": []}))
    assert lamp("get", "pools").exit_code == 0
    assert server.seen[-1][3]["Authorization"] == "Bearer lamp_from_file"


def test_a_local_instance_is_found_from_a_directory_below(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("LAMPLIGHT_SERVER")
    monkeypatch.delenv("LAMPLIGHT_TOKEN")
    monkeypatch.delenv("LAMPLIGHT_DATA", raising=False)
    data = tmp_path / ".lamplight"
    data.mkdir()
    (data / "token").write_text("lamp_local\n")
    (data / "state.json").write_text(json.dumps({"web": server.url + "/", "tokenFile": str(data / "token")}))
    below = tmp_path / "examples" / "quickstart"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    server.on("GET", "/api/v1/pools", (200, {"items": []}))
    assert lamp("get", "pools", "-A").exit_code == 0
    assert server.seen[-1][3]["Authorization"] == "Bearer lamp_local"


def test_nothing_known_says_what_to_do(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAMPLIGHT_SERVER")
    monkeypatch.setenv("LAMPLIGHT_DATA", "/nonexistent")
    result = lamp("get", "pools")
    assert result.exit_code == 2
    assert "make up" in result.stderr


def test_terminals_are_not_obeyed(server: Server) -> None:
    nasty = json.loads(json.dumps(POOL))
    nasty["spec"]["model"] = "\x1b]0;owned\x07llama"
    server.on("GET", f"{POOLS}/chat", (200, nasty))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", lamp("get", "pool", "chat").stdout)


def test_every_command_has_help_and_starts_without_django() -> None:
    code = (
        "import sys; from controlplane.cli.main import cli, _COMMANDS; from importlib import import_module\n"
        "[import_module('controlplane.cli.' + m) for m, _ in _COMMANDS.values() if m != 'load']\n"
        "heavy = {'django', 'rest_framework', 'celery', 'requests', 'yaml', 'aiohttp'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


# --- plans ---------------------------------------------------------------------------------------------------------

PLANNED: dict[str, Any] = {
    "kind": "Pool",
    "team": "default",
    "name": "chat",
    "action": "updated",
    "because": None,
    "spec": [
        {"path": "spec.engine.args", "op": "changed", "effect": "inPlace", "before": ["--a=1"], "after": ["--a=2"]}
    ],
    "plan": {
        "id": 7,
        "restsOn": [],
        "summary": {"empty": False, "sentence": "1 to change; 2 replicas of h200 restart"},
        "spec": [],
        "objects": [
            {
                "kind": "Deployment",
                "name": "chat-h200",
                "namespace": "serving",
                "action": "changed",
                "effect": "restart",
                "restarts": 2,
                "variant": "h200",
                "immutable": [],
                "conflicts": [],
                "manifest": None,
                "fields": [
                    {
                        "path": "spec.template.spec.containers[vllm].args",
                        "op": "changed",
                        "effect": "restart",
                        "before": ["serve", "--x=1", "--a=1", "--z=\x1b[31m9"],
                        "after": ["serve", "--x=1", "--a=2", "--z=\x1b[31m9"],
                        "writers": [{"manager": "kubectl-edit", "at": "2026-11-26T10:00:00Z"}],
                    }
                ],
            },
            {"kind": "Service", "name": "chat", "action": "unchanged"},
        ],
        "accelerators": [{"accelerator": "nvidia-h200", "before": 2.0, "after": 3.0, "delta": 1.0}],
        "cost": [{"currency": "USD", "per": "h", "before": 6.4, "after": 9.6, "delta": 3.2}],
        "warnings": [{"reason": "NoRoomToSurge", "message": "1 more is needed"}],
    },
}
REVIEW = """\
pool/chat of team default is changed (plan 7)
  @@ spec.engine.args @@
  - --a=1
  + --a=2

  ~ Deployment chat-h200 in serving · restarts 2 of h200
    @@ spec.template.spec.containers[vllm].args @@  (restarts pods; as kubectl-edit wrote it at 2026-11-26T10:00:00Z)
      serve
      --x=1
    - --a=1
    + --a=2
      --z= [31m9

  = 1 of 2 objects stay as they are
  nvidia-h200: 2 → 3 (+1)
  cost: 6.40 → 9.60 USD/h (+3.20)
  ! NoRoomToSurge: 1 more is needed
  plan: 1 to change; 2 replicas of h200 restart
"""


def test_diff_reads_like_a_review_and_says_by_its_exit_code_whether_something_changes(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "pool.yaml"
    file.write_text("kind: Pool\n")
    server.answers[("POST", "/api/v1/plan")] = [(200, {"items": [PLANNED]})]
    result = lamp("diff", "-f", str(file))
    assert (result.exit_code, result.stdout) == (1, REVIEW)
    assert server.seen[-1][2] == {"team": ["default"], "dry_run": ["true"]}
    coloured = lamp("diff", "-f", str(file), "--color", "always").stdout
    assert "\x1b[31m    - --a=1\x1b[0m" in coloured
    assert "\x1b[32m    + --a=2\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == REVIEW, "the same text"
    unchanged = {**PLANNED, "action": "unchanged", "spec": [], "plan": None}
    server.answers[("POST", "/api/v1/plan")] = [(200, {"items": [unchanged]})]
    result = lamp("diff", "-f", str(file))
    assert (result.exit_code, result.stdout) == (0, "")


RULES = [{"alert": f"Burn{i}", "expr": f"ratio{{objective='T'}} >= {i}", "severity": "page"} for i in range(12)]
LONG = {
    "kind": "Pool",
    "team": "default",
    "name": "chat",
    "action": "updated",
    "because": None,
    "spec": [],
    "plan": {
        "restsOn": [],
        "summary": {"empty": False, "sentence": "1 to create, 2 to change"},
        "objects": [
            {
                "kind": "ConfigMap", "name": "chat-epp", "namespace": "serving", "action": "created", "reason": None,
                "immutable": [], "conflicts": [], "fields": [],
                "manifest": {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {
                        "name": "chat-epp",
                        "namespace": "serving",
                        "labels": {"lamplight.dev/pool": "chat", "app.kubernetes.io/name": "x", "mine": "yes"},
                    },
                    "data": {"config.yaml": "plugins:\n- type: queue-scorer\n"},
                },
            },
            {
                "kind": "PrometheusRule", "name": "chat", "namespace": "serving", "action": "changed", "variant": None,
                "effect": "inPlace", "restarts": 0, "immutable": [], "conflicts": [], "manifest": None,
                "fields": [{
                    "path": "spec.rules", "op": "changed", "effect": "inPlace",
                    "before": [{**rule, "expr": rule["expr"].replace("T", "500ms")} for rule in RULES],
                    "after": [{**rule, "expr": rule["expr"].replace("T", "400ms")} for rule in RULES],
                }],
            },
            {
                "kind": "Deployment", "name": "chat-h200", "namespace": "serving", "action": "changed",
                "effect": "restart", "restarts": 2, "variant": "h200", "immutable": [], "conflicts": [],
                "manifest": None,
                "fields": [{
                    "path": "spec.template.spec.containers[vllm].args", "op": "changed", "effect": "restart",
                    "before": ["--buckets=" + "0.5," * 60 + "1", "--x"],
                    "after": ["--buckets=" + "0.5," * 60 + "2", "--x"],
                }],
            },
        ],
        "accelerators": [],
        "cost": [],
        "warnings": [],
    },
}  # fmt: skip
LONG_REVIEW = """\
pool/chat of team default is changed

  + ConfigMap chat-epp in serving · new
    + metadata:
    +   labels:
    +     mine: 'yes'
    + data:
    +   config.yaml: |
    +     plugins:
    +     - type: queue-scorer

  ~ PrometheusRule chat in serving · in place
    @@ spec.rules @@
      - alert: Burn0
    -   expr: ratio{objective='500ms'} >= 0
    +   expr: ratio{objective='400ms'} >= 0
        severity: page
      - alert: Burn1
    -   expr: ratio{objective='500ms'} >= 1
    +   expr: ratio{objective='400ms'} >= 1
        severity: page
      - alert: Burn2
    -   expr: ratio{objective='500ms'} >= 2
    +   expr: ratio{objective='400ms'} >= 2
        severity: page
    … 18 more changed lines (--full shows them)

  ~ Deployment chat-h200 in serving · restarts 2 of h200
    @@ spec.template.spec.containers[vllm].args @@  (restarts pods)
    - …0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,1
    + …0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,2
      --x

  plan: 1 to create, 2 to change
"""


def test_a_long_review_shows_what_differs_and_how_much_more_there_is(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "pool.yaml"
    file.write_text("kind: Pool\n")
    server.answers[("POST", "/api/v1/plan")] = [(200, {"items": [LONG]}), (200, {"items": [LONG]})]
    assert lamp("diff", "-f", str(file)).stdout == LONG_REVIEW
    full = lamp("diff", "-f", str(file), "--full").stdout
    assert "expr: ratio{objective='400ms'} >= 11" in full
    assert "lamplight.dev/pool: chat" in full
    assert "…" not in full.replace("page\n", "")


def field(path: str, **sides: Any) -> dict[str, Any]:
    return {"path": path, "op": "changed", "effect": "restart", **sides}


def test_the_labels_of_an_adopted_object_are_one_line_and_long_new_lines_are_cut(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "pool.yaml"
    file.write_text("kind: Pool\n")

    long = "--buckets=" + "1," * 250
    fields = [
        field('metadata.labels["lamplight.dev/pool"]', after="chat"),
        field('metadata.labels["lamplight.dev/pool-uid"]', after="00000000-0000-0000-0000-000000000000"),
        field('spec.template.metadata.labels["llm-d.ai/role"]', after="both"),
        field('metadata.labels["lamplight.dev/variant"]', before="a", after="b"),
        field('metadata.labels["team"]', after="search"),
        field("spec.args", before=["--a"], after=["--b", long]),
    ]
    adopted = {**PLANNED["plan"]["objects"][0], "fields": fields}
    plan = {**PLANNED["plan"], "objects": [adopted], "accelerators": [], "cost": [], "warnings": []}
    item = {**PLANNED, "spec": [], "plan": plan}
    server.answers[("POST", "/api/v1/plan")] = [(200, {"items": [item]}), (200, {"items": [item]})]
    told = lamp("diff", "-f", str(file)).stdout
    assert "    + 3 labels by which Lamplight finds what is its own (--full shows them)\n" in told
    assert 'lamplight.dev/pool"]' not in told and "llm-d.ai/role" not in told
    assert 'labels["lamplight.dev/variant"]' in told and 'labels["team"]' in told
    assert f"    + {long[:110]}…\n" in told
    full = lamp("diff", "-f", str(file), "--full").stdout
    assert "llm-d.ai/role" in full and long in full and "by which Lamplight" not in full
    assert "0000-0000" not in full and "\n    + <uid of the new pool>\n" in full


def test_neighbours_of_one_parent_stand_together_and_what_says_nothing_is_left_out(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "pool.yaml"
    file.write_text("kind: Pool\n")

    spec = [
        field("spec.variants[h200].replicas.min", before=0, after=2),
        field("spec.variants[h200].replicas.max", before=4, after=6),
        field("spec.offload.mode", before="off", after="fixed"),
        field("spec.offload.tiers", before=[], after=[{"kind": "host", "bytes": "32Gi"}]),
        field("spec.engine.args", before=["--a"], after=["--b"]),
        field("spec.engine.image", before="a:1", after="b:2"),
    ]
    hashed = field('spec.template.metadata.annotations["lamplight.dev/config-hash"]', before="1", after="2")
    picker = {**PLANNED["plan"]["objects"][0], "name": "chat-epp", "variant": None, "restarts": 1, "fields": [hashed]}
    made = {**picker, "kind": "ServiceAccount", "action": "created", "restarts": 0, "fields": []}
    made["manifest"] = {"kind": "ServiceAccount", "metadata": {"name": "x", "labels": {"lamplight.dev/pool-uid": "u"}}}
    plan = {**PLANNED["plan"], "objects": [picker, made], "accelerators": [], "cost": [], "warnings": []}
    item = {**PLANNED, "spec": spec, "plan": plan}
    server.answers[("POST", "/api/v1/plan")] = [(200, {"items": [item]}), (200, {"items": [item]})]
    assert (
        lamp("diff", "-f", str(file)).stdout
        == """\
pool/chat of team default is changed (plan 7)
  @@ spec.variants[h200].replicas @@
  - min: 0
  + min: 2
  - max: 4
  + max: 6
  @@ spec.offload @@
  - mode: 'off'
  + mode: fixed
  - tiers: []
  + tiers:
  + - kind: host
  +   bytes: 32Gi
  @@ spec.engine.args @@
  - --a
  + --b
  @@ spec.engine.image @@
  - a:1
  + b:2

  ~ Deployment chat-epp in serving · restarts 1 of its pods · for its changed configuration

  + ServiceAccount chat-epp in serving · new

  plan: 1 to change; 2 replicas of h200 restart
"""
    )
    assert "config-hash" in lamp("diff", "-f", str(file), "--full").stdout


def test_diff_that_cannot_tell_never_looks_like_a_change(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "pool.yaml"
    file.write_text("kind: Pool\n")
    server.answers[("POST", "/api/v1/plan")] = [(422, {"detail": "wrong", "errors": [{"detail": "no", "line": 1}]})]
    result = lamp("diff", "-f", str(file))
    assert result.exit_code == 2
    assert f"{file}:1: no" in result.stderr
    away = {**PLANNED, "plan": None, "problem": {"status": 502, "detail": "The cluster cannot be asked."}}
    server.answers[("POST", "/api/v1/plan")] = [(200, {"items": [away]})]
    result = lamp("diff", "-f", str(file))
    assert result.exit_code == 2
    assert "cannot be asked" in result.stderr


def test_plan_keeps_the_plan_and_says_how_to_apply_it(server: Server) -> None:
    path = "/api/v1/teams/default/pools/chat"
    server.answers[("GET", path)] = [(200, POOL)]
    server.answers[("POST", path + "/plan")] = [(201, PLANNED["plan"])]
    result = lamp("plan", "pool/chat", "--reason", "why")
    assert result.exit_code == 0
    assert "pool/chat of team default is declared as it stands (plan 7)" in result.stdout
    assert "lamp approve pool/chat --plan 7" in result.stderr
    assert server.seen[-1][2] == {"reason": ["why"]}


def test_the_tree_is_indented_and_events_come_newest_last(server: Server) -> None:
    server.on("GET", "/api/v1/teams/default/pools/chat", (200, POOL))
    node = {"health": "Healthy", "sync": None, "reason": None, "message": None, "createdAt": None}
    tree = {
        "items": [
            {"id": "pool", "depth": 0, "kind": "Pool", "name": "chat", **node},
            {"id": "Deployment/a", "depth": 1, "kind": "Deployment", "name": "a", **node},
            {"id": "Pod/b", "depth": 2, "kind": "Pod", "name": "b", **node, "message": "no\x1b[31m room"},
        ],
        "events": [
            {"about": "Pod/b", "type": "Normal", "reason": r, "message": "", "count": 1, "lastAt": None}
            for r in ("Later", "Sooner")
        ],
        "truncated": False,
    }
    server.on("GET", "/api/v1/teams/default/pools/chat/tree", (200, tree))
    result = lamp("tree", "pool", "chat")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split("   ")[0].rstrip() for line in lines[1:4]] == ["Pool chat", "└ Deployment a", "  └ Pod b"]
    assert "\x1b" not in result.stdout
    assert result.stdout.index("Sooner") < result.stdout.index("Later")


def test_logs_choose_the_pod_that_is_not_ready(server: Server) -> None:
    server.on("GET", "/api/v1/teams/default/pools/chat", (200, POOL))
    pods = [{"name": "p1", "variant": "h200", "ready": True}, {"name": "p2", "variant": "h200", "ready": False}]
    server.on("GET", "/api/v1/teams/default/pools/chat/replicas", (200, {"items": pods}))
    said = {"pod": "p2", "container": "vllm", "lines": ["one", "two"]}
    server.on("GET", "/api/v1/teams/default/pools/chat/pods/p2/logs", (200, said))
    result = lamp("logs", "pool", "chat", "--tail", "2")
    assert (result.exit_code, result.stdout) == (0, "one\ntwo\n")


@pytest.mark.parametrize("words", [("status", "pool/chat"), ("pool/chat",), ("pool", "chat")])
def test_a_rollout_without_a_verb_is_asked_how_it_stands(server: Server, words: tuple[str, ...]) -> None:
    server.on("GET", f"{POOLS}/chat", (200, {"metadata": {"name": "chat"}}))
    server.on("GET", f"{POOLS}/chat/rollout", (200, {"state": "Complete"}))
    assert json.loads(lamp("rollout", *words, "-o", "json").stdout) == {"state": "Complete"}


def test_a_rollout_is_asked_to_pause_or_only_whether_it_could(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL))
    server.on("POST", f"{POOLS}/chat/rollout", (200, {"abortsTo": 1}))
    assert lamp("rollout", "pause", "pool/chat").stdout == "pool/chat: the roll-out is paused\n"
    assert server.seen[-1][2] == {}
    asked = lamp("rollout", "abort", "pool/chat", "--dry-run", "--reason", "why")
    assert asked.stdout == "pool/chat: the roll-out would be aborted: back to the spec of generation 1\n"
    assert (server.seen[-1][2], json.loads(server.seen[-1][4])["reason"]) == ({"dry_run": ["true"]}, "why")
