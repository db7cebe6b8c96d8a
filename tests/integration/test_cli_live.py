"""`lamp` as a person runs it: a process of its own, against a real web process on Postgres."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from apps.accounts import tokens
from apps.core.domain.access import Role
from tests.support.people import person, team
from tests.support.web import Web, run_web

pytestmark = pytest.mark.django_db(transaction=True)

LAMP = Path(sys.executable).parent / "lamp"
QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"
CLUSTER = """\
apiVersion: lamplight.dev/v1
kind: Cluster
metadata: {name: embedded, team: platform}
spec:
  credentials: {kubeconfig: /nonexistent/kubeconfig}
"""
MODEL = """\
apiVersion: lamplight.dev/v1
kind: Model
metadata: {name: llama}
spec:
  source: hf://meta-llama/Llama-3.1-8B-Instruct
"""

Lamp = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def web(django_db_setup: None) -> Iterator[Web]:
    with run_web() as running:
        yield running


@pytest.fixture
def lamp(web: Web, tmp_path: Path) -> Lamp:
    for name in ("default", "platform"):
        team(name)
    admin = person("admin", password="a-long-password", superuser=True)
    secret = tokens.issue(owner=admin, name="test").secret
    env = {k: v for k, v in os.environ.items() if not k.startswith("LAMPLIGHT_")}
    env |= {
        "LAMPLIGHT_SERVER": web.url,
        "LAMPLIGHT_TOKEN": secret,
        "LAMPLIGHT_CONFIG": str(tmp_path / "config" / "config.json"),
    }

    def run(*args: str, stdin: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [LAMP, *args],
            cwd=tmp_path,
            env={k: v for k, v in {**env, **changes}.items() if v},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_declarations_go_in_come_out_and_go_in_again(lamp: Lamp) -> None:
    created = lamp("apply", "-f", "-", "-f", str(QUICKSTART), "--reason", "first", stdin=CLUSTER)
    assert created.returncode == 0, created.stderr
    assert set(created.stdout.splitlines()) == {
        "cluster/embedded created",
        "model/llama-3-1-8b created",
        "pool/chat created",
        "slo/chat-latency created",
    }
    table = lamp("get", "pools")
    assert table.stdout.splitlines()[1].split()[:2] == ["chat", "default"]
    exported = lamp("get", "pool", "chat", "-o", "yaml")
    assert yaml.safe_load(exported.stdout)["spec"]["variants"][0]["replicas"] == {"min": 0, "max": 4}
    bundle = lamp("export", "-A")
    assert sorted(document["kind"] for document in yaml.safe_load_all(bundle.stdout)) == [
        "Cluster",
        "Model",
        "Pool",
        "SLO",
    ]
    again = lamp("apply", "-f", "-", stdin=bundle.stdout)
    assert {line.split()[-1] for line in again.stdout.splitlines()} == {"unchanged"}, again.stderr
    assert {document["metadata"]["team"] for document in yaml.safe_load_all(lamp("export").stdout)} == {"default"}
    again = lamp("apply", "-f", "-", stdin=exported.stdout)
    assert again.stdout == "pool/chat unchanged\n"
    listed = json.loads(lamp("get", "slos", "-o", "json").stdout)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["chat-latency"]
    described = lamp("describe", "pool/chat")
    assert described.returncode == 0, described.stderr
    assert "llama-3-1-8b" in described.stdout
    assert "embedded" in lamp("get", "clusters").stdout


def test_refusals_name_file_line_and_column(lamp: Lamp, tmp_path: Path) -> None:
    (tmp_path / "a-model.yaml").write_text(MODEL)
    (tmp_path / "b-pool.yaml").write_text(
        "# another\n" + MODEL.replace("source:", "sauce:").replace("llama}", "other}")
    )
    refused = lamp("apply", "-f", str(tmp_path))
    assert (refused.returncode, refused.stdout) == (1, "")
    required, unknown = refused.stderr.splitlines()
    assert required.startswith(f"{tmp_path}/b-pool.yaml:5:1: spec.source is required")
    assert unknown.startswith(f"{tmp_path}/b-pool.yaml:6:3: ")
    assert "sauce" in unknown
    broken = lamp("apply", "-f", "-", stdin="kind: [Pool\n")
    assert broken.returncode == 1
    assert broken.stderr.startswith("<stdin>:")
    assert lamp("get", "models").stdout == ""


def test_a_dry_run_changes_nothing(lamp: Lamp) -> None:
    tried = lamp("apply", "-f", "-", "--dry-run", stdin=MODEL)
    assert (tried.returncode, tried.stdout) == (0, "model/llama created (dry run)\n")
    assert lamp("get", "model", "llama").returncode == 3


def test_a_stale_document_is_exit_code_4(lamp: Lamp) -> None:
    lamp("apply", "-f", "-", stdin=MODEL)
    stale = MODEL.replace("{name: llama}", "{name: llama, version: 7}") + "  revision: v2\n"
    refused = lamp("apply", "-f", "-", stdin=stale)
    assert refused.returncode == 4, refused.stderr
    assert lamp("delete", "model", "llama").stdout == "model/llama deleted\n"
    assert lamp("wait", "--for=delete", "model/llama", "--timeout", "5s").returncode == 0
    assert lamp("delete", "model", "llama").returncode == 3
    assert lamp("delete", "model", "llama", "--ignore-not-found").returncode == 0


def test_waiting_for_what_nobody_reports_ends_with_124(lamp: Lamp) -> None:
    lamp("apply", "-f", "-", "-f", str(QUICKSTART), stdin=CLUSTER)
    ended = lamp("wait", "--for=condition=Ready", "pool/chat", "--timeout", "500ms")
    assert ended.returncode == 124
    assert "pool/chat did not reach Ready=True" in ended.stderr


def test_scaling_writes_a_target_within_the_bounds(lamp: Lamp) -> None:
    lamp("apply", "-f", "-", "-f", str(QUICKSTART), stdin=CLUSTER)
    scaled = lamp("scale", "pool/chat", "--replicas", "3", "-o", "json")
    assert scaled.returncode == 0, scaled.stderr
    assert json.loads(scaled.stdout)["items"][0]["desired"] == 3
    before = json.loads(lamp("get", "pool", "chat", "-o", "json").stdout)["metadata"]["generation"]
    assert before == 1
    beyond = lamp("scale", "pool/chat", "--replicas", "9")
    assert "4" in beyond.stdout + beyond.stderr


def test_login_makes_a_token_that_works(lamp: Lamp, web: Web, tmp_path: Path) -> None:
    bare = {"LAMPLIGHT_TOKEN": "", "LAMPLIGHT_SERVER": ""}
    wrong = lamp("login", "--server", web.url, "--username", "admin", stdin="wrong\n", **bare)
    assert wrong.returncode == 1
    assert "wrong" in wrong.stderr
    right = lamp("login", "--server", web.url, "--username", "admin", stdin="a-long-password\n", **bare)
    assert right.returncode == 0, right.stderr
    config = tmp_path / "config" / "config.json"
    assert config.stat().st_mode & 0o777 == 0o600
    assert json.loads(config.read_text())["token"].startswith("lamp_")
    assert lamp("get", "models", **bare).returncode == 0


def test_a_viewer_is_refused_with_a_sentence(lamp: Lamp) -> None:
    viewer = tokens.issue(owner=person("vera", default=Role.VIEWER), name="t").secret
    refused = lamp("apply", "-f", "-", stdin=MODEL, LAMPLIGHT_TOKEN=viewer)
    assert refused.returncode == 1
    assert "editor" in refused.stderr
    assert lamp("get", "models", LAMPLIGHT_TOKEN=viewer).returncode == 0
    assert "lamp login" in lamp("get", "models", LAMPLIGHT_TOKEN="lamp_wrong").stderr


def test_versions(lamp: Lamp) -> None:
    found = json.loads(lamp("version", "-o", "json").stdout)
    assert found["client"] == found["server"]
    assert lamp("version", LAMPLIGHT_SERVER="http://127.0.0.1:1").returncode == 5


def test_users_are_made_with_their_roles(lamp: Lamp, tmp_path: Path) -> None:
    made = lamp("user", "create", "ada", "--member", "default=editor")
    assert made.returncode == 0, made.stderr
    assert "user ada is editor of team default" in made.stderr
    password, other = made.stdout.strip(), "a-longer-password"
    logged_in = lamp("login", "--username", "ada", stdin=password + "\n", LAMPLIGHT_TOKEN="")
    assert logged_in.returncode == 0, logged_in.stderr
    assert lamp("user", "password", stdin=f"{password}\n{other}\n", LAMPLIGHT_TOKEN="").returncode == 0
    refused = lamp("user", "list", LAMPLIGHT_TOKEN="")
    assert (refused.returncode, refused.stderr.strip()) == (1, "Only an administrator of the installation may do this.")

    robot = lamp("user", "create", "ci", "--member", "default=viewer", "--token-file", str(tmp_path / "ci"))
    assert (robot.returncode, robot.stdout) == (0, "")
    assert (tmp_path / "ci").stat().st_mode & 0o777 == 0o600
    assert lamp("get", "pools", LAMPLIGHT_TOKEN=(tmp_path / "ci").read_text().strip()).returncode == 0
    assert lamp("user", "set", "ada", "--no-active").returncode == 0
    rows = {line.split()[0]: line.split()[1:3] for line in lamp("user", "list").stdout.splitlines()}
    assert rows == {
        "NAME": ["ACTIVE", "ADMINISTRATOR"],
        "admin": ["yes", "yes"],
        "ada": ["no", "no"],
        "ci": ["yes", "no"],
    }
    wrong = lamp("user", "create", "eve", "--member", "default=owner")
    assert wrong.returncode == 2
    assert "write TEAM=ROLE, the role one of viewer, editor, admin" in wrong.stderr
    assert "eve" not in lamp("user", "list").stdout
