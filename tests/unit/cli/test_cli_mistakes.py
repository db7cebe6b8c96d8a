"""What people mistype, and what `lamp` says to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.support.lamp import POOL, POOLS, Server, lamp


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("logs", "chat"), "Name its kind too: `pool chat`, or `pool/chat`."),
        (("logs",), "Name a pool: `pool NAME`, or `pool/NAME`."),
        (("tree", "pool"), "Name a pool: `pool NAME`, or `pool/NAME`."),
        (("explain", "slo", "fast"), "This is about one pool at a time"),
        (("history", "pool", "chat", "code"), "This is about one pool at a time"),
        (("scale", "pool", "chat", "h200=3", "--replicas", "3"), "'h200=3' is no name: a number goes by an option"),
        (("rollback", "pool/chat", "2"), "'2' is no name: a number goes by an option"),
        (("offload", "explain", "chat"), "Name its kind too"),
        (("rollout", "status", "chat"), "Name its kind too"),
        (("rollout", "puase", "pool/chat"), "'puase' is not one of 'status', 'pause', 'resume', 'abort'"),
        (("preflight", "embedded"), "Name its kind too: `cluster embedded`, or `cluster/embedded`."),
        (("events", "pool", "chat", "code"), "one object at a time"),
        (("gett", "pools"), "did you mean get?"),
        (("get", "poolz"), "did you mean pool?"),
        (("get", "gateway"), "there are pools, models, clusters, slos, endpoints, webhooks."),
        (("load",), "Say what to load: pool/NAME, or a URL."),
        (("load", "chat"), "is neither a pool nor a URL"),
    ],
)
def test_a_mistake_is_answered_by_what_to_type(server: Server, words: tuple[str, ...], said: str) -> None:
    result = lamp(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert server.seen == []


def test_an_object_is_named_in_either_way_everywhere(server: Server) -> None:
    server.on("GET", "/api/v1/events", (200, {"items": [], "next": None}))
    for words in (("pool", "chat"), ("pool/chat",)):
        assert lamp("events", *words).exit_code == 0
        assert {name: server.seen[-1][2][name] for name in ("kind", "name")} == {"kind": ["Pool"], "name": ["chat"]}


def test_a_wait_for_a_condition_that_is_none_says_which_there_are(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL))
    result = lamp("wait", "pool", "chat", "--for", "condition=ready", "--timeout", "0.1s")
    assert result.exit_code == 124
    assert "it reports no condition ready, but Ready" in result.stderr


def test_a_deletion_that_was_waited_for_is_told_of(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL), (404, {"title": "There is no such object"}))
    server.on("DELETE", f"{POOLS}/chat", (202, {}))
    assert lamp("delete", "pool/chat", "--wait").stdout == "pool/chat is being deleted\npool/chat deleted\n"


def test_a_decision_that_there_is_not_is_exit_code_3(server: Server) -> None:
    server.on("GET", "/api/v1/decisions", (200, {"items": [], "next": None}))
    assert lamp("replay", "7").exit_code == 3


def test_nothing_on_stdin_is_called_so(server: Server) -> None:
    for command in ("apply", "diff"):
        result = lamp(command, "-f", "-", stdin="")
        assert (result.exit_code, result.stderr) == (2, "There is no document in stdin.\n")


def test_a_load_names_its_pool_as_other_commands_do(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL))
    result = lamp("load", "pool/chat")
    assert result.exit_code == 1
    assert "Pool chat has no endpoint yet" in result.stderr


def test_a_load_on_nobody_says_so_in_plain_words(server: Server) -> None:
    result = lamp("load", "http://127.0.0.1:9", "--duration", "1s")
    assert (result.exit_code, result.stderr) == (5, "http://127.0.0.1:9 cannot be reached: Connection refused.\n")


def test_who_scales_against_the_autoscaler_is_told(server: Server) -> None:
    scaled = {**POOL, "spec": {**POOL["spec"], "autoscaling": {"mode": "active"}}}
    server.on("GET", f"{POOLS}/chat", (200, scaled))
    server.on("PUT", f"{POOLS}/chat/targets", (200, {"items": [{"variant": "h200", "desired": 2}]}))
    result = lamp("scale", "pool", "chat", "--replicas", "2")
    assert (result.exit_code, result.stdout) == (0, "pool/chat h200 scaled to 2\n")
    assert "autoscaling.mode is active" in result.stderr


@pytest.mark.parametrize(
    ("reason", "told"), [("HorizontalPodAutoscaler", True), ("ScaledByHand", False), ("ScaledObject", True)]
)
def test_who_scales_what_another_scaler_holds_is_told(server: Server, reason: str, told: bool) -> None:
    owner = {"type": "ReplicasOwner", "status": "False", "reason": reason, "message": "theirs writes the replicas"}
    server.on("GET", f"{POOLS}/chat", (200, {**POOL, "status": {"conditions": [owner]}}))
    server.on("PUT", f"{POOLS}/chat/targets", (200, {"items": [{"variant": "h200", "desired": 2}]}))
    result = lamp("scale", "pool", "chat", "--replicas", "2")
    assert (result.exit_code, result.stdout) == (0, "pool/chat h200 scaled to 2\n")
    assert ("theirs writes the replicas. The number is kept" in result.stderr) == told


def test_missing_rights_are_a_line_for_each_resource_and_say_what_is_lost(server: Server) -> None:
    def right(verb: str, resource: str, **more: Any) -> dict[str, Any]:
        return {"verb": verb, "resource": resource, "group": "", "namespace": "serving", **more}

    lost = {"namespace": None, "without": "accelerators and their stock are not known"}
    rows = [right("patch", "services"), right("list", "nodes", **lost), right("delete", "services")]
    checks = [{"name": "rights", "state": "failed", "message": "…", "missing": rows, "missingCount": 9}]
    cluster = {"kind": "Cluster", "metadata": {"name": "far", "team": "platform", "uid": "c"}, "spec": {}}
    server.on("GET", "/api/v1/teams/platform/clusters/far", (200, cluster))
    server.on("GET", "/api/v1/teams/platform/clusters/far/preflight", (200, {"ok": False, "checks": checks}))
    result = lamp("preflight", "cluster", "far")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[2:] == [
        "  missing in serving: services (core): patch, delete",
        "  missing in all namespaces: nodes (core): list — without: accelerators and their stock are not known",
        "  … and 6 more",
    ]


def test_the_tree_turns_at_the_last_of_each_branch(server: Server) -> None:
    server.on("GET", f"{POOLS}/chat", (200, POOL))
    blank = {"kind": "", "health": "", "sync": "", "reason": "", "message": "", "createdAt": None}
    nodes = [
        {**blank, "name": name, "depth": depth} for name, depth in zip("abcdefg", (0, 1, 2, 3, 1, 2, 2), strict=True)
    ]
    server.on("GET", f"{POOLS}/chat/tree", (200, {"items": nodes, "events": [], "truncated": False}))
    lines = lamp("tree", "pool/chat").stdout.splitlines()[1:]
    assert lines == [" a", "├  b", "│ └  c", "│   └  d", "└  e", "  ├  f", "  └  g"]


class _Page(BaseHTTPRequestHandler):
    """Some other web server: pages for what it knows, `{"detail"}` for what it does not."""

    def do_GET(self) -> None:
        known = self.path.startswith("/api/v1/pools")
        body = b"<html>hello</html>" if known else json.dumps({"detail": "Not Found"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html" if known else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Page) as running:
        Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize("words", [("get", "pools", "-A"), ("get", "pool", "chat")])
def test_another_server_at_the_address_is_called_so(server: Server, stranger: str, words: tuple[str, ...]) -> None:
    result = lamp("--server", stranger, *words)
    assert result.exit_code == 5
    assert f"{stranger} answers, but not as Lamplight does" in result.stderr
