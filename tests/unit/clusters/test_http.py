"""Requests to an API server, against a socket that answers word for word as it is told."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from apps.clusters.errors import NotFound, Unreachable
from apps.clusters.http import Connections, Request, ThroughProxy
from apps.clusters.kube import Credentials, Kube

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answers = list[list[bytes]]


def _request(connection: socket.socket) -> bytes:
    """All that a client sends before it waits, however many writes it makes of it."""
    data = b""
    while more := connection.recv(65536):
        data += more
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        if end and len(body) >= int(length[1] if length else 0):
            break
    return data


@contextmanager
def server(answers: Answers) -> Iterator[tuple[str, list[bytes]]]:
    """A list of answers for each connection, which is closed after the last one. Yields the address and what came."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for of_connection in answers:
                connection, _ = listening.accept()
                with connection, suppress(ConnectionError):  # who is refused does not read to the end
                    for answer in of_connection:
                        came.append(_request(connection))
                        for byte in range(len(answer)):
                            connection.sendall(answer[byte : byte + 1])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", came
        thread.join(10)


@pytest.fixture
def sending() -> Iterator[Callable[..., tuple[int, Mapping[str, str], bytes]]]:
    made: dict[str, Connections] = {}

    def send(address: str, method: str = "GET", **more: Any) -> tuple[int, Mapping[str, str], bytes]:
        connections = made.setdefault(address, Connections(address, tls=None, size=2))
        arguments = {"headers": {"Accept": "application/json"}, "body": None, "connect": 5.0, "patience": 5.0} | more
        return connections.send(Request(method, "/api/v1/pods?limit=1", **arguments))

    yield send
    for connections in made.values():
        connections.close()


def test_a_request_and_its_answer_byte_by_byte_and_another_on_the_same_connection(sending: Any) -> None:
    chunked = (
        b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    )
    with server([[OK, chunked]]) as (address, came):
        assert sending(address) == (200, {"content-length": "2"}, b"ok")
        status, headers, data = sending(address, "PATCH", body=b"{}")
    assert (status, headers["retry-after"], data) == (429, "7", b"abc")
    host = address.removeprefix("http://").encode()
    start = b" /api/v1/pods?limit=1 HTTP/1.1\r\nHost: " + host + b"\r\nAccept: application/json\r\n"
    assert came == [b"GET" + start + b"\r\n", b"PATCH" + start + b"Content-Length: 2\r\n\r\n{}"]


def test_a_connection_that_was_closed_meanwhile_is_not_used_again(sending: Any) -> None:
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    with server([[OK], [closing], [OK]]) as (address, came):
        for _ in range(3):
            assert sending(address)[2] == b"ok"
    assert len(came) == 3


def test_what_comes_before_an_answer_and_an_answer_that_ends_with_its_connection(sending: Any) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    with server([[early + b"HTTP/1.1 200 OK\r\n\r\nto the end"]]) as (address, _):
        status, _, data = sending(address)
    assert (status, data) == (200, b"to the end")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (OK[:-1], "before its answer was complete"),
        (b"", "before its answer was complete"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
    ],
)
def test_half_an_answer_is_none(answer: bytes, said: str, sending: Any) -> None:
    with server([[answer]]) as (address, _), pytest.raises(ConnectionError, match=said):
        sending(address)


def test_nobody_waits_longer_than_told(sending: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError):
        sending(f"http://127.0.0.1:{silent.getsockname()[1]}", patience=0.05)


def test_an_answer_that_never_ends_is_given_up(sending: Any) -> None:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, suppress(ConnectionError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not over.wait(0.02):
                    connection.sendall(b"x")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(TimeoutError):
            sending(f"http://127.0.0.1:{listening.getsockname()[1]}", patience=0.5)
        over.set()
        thread.join(10)


def test_only_what_changes_nothing_is_asked_again_where_a_kept_connection_ends(sending: Any) -> None:
    # the second request of a connection gets no answer: it ends
    with server([[OK, b""], [OK]]) as (address, came):
        sending(address)
        assert sending(address)[2] == b"ok"
    assert len(came) == 3
    with server([[OK, b""]]) as (address, came):
        sending(address)
        with pytest.raises(ConnectionError):
            sending(address, "PATCH", body=b"{}")
    assert len(came) == 2


def test_a_header_cannot_smuggle_another_one(sending: Any) -> None:
    with pytest.raises(ValueError, match="line break"):
        sending("http://127.0.0.1:9", headers={"Authorization": "Bearer a\r\nX-Remote-User: root"})


def behind_proxy(tmp_path: Path, proxy: str) -> Kube:
    """A client of a cluster whose kubeconfig says that it is reached through `proxy`."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        f"""
apiVersion: v1
kind: Config
current-context: it
clusters: [{{name: it, cluster: {{server: "http://cluster.invalid:6443/of-team", proxy-url: "{proxy}"}}}}]
users: [{{name: me, user: {{token: secret}}}}]
contexts: [{{name: it, context: {{cluster: it, user: me}}}}]
"""
    )
    kube = Kube(Credentials(kubeconfig=str(kubeconfig), deadline=5.0))
    assert isinstance(kube._connections, ThroughProxy)
    return kube


def test_a_cluster_behind_a_proxy_is_asked_through_it(tmp_path: Path) -> None:
    version = b'{"gitVersion": "v1.34.2"}'
    gone = b'{"kind": "Status", "reason": "NotFound", "message": "no such pod"}'
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(version) + version,
        b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(gone) + gone,
    ]
    with server([answers]) as (address, came):
        kube = behind_proxy(tmp_path, address)
        assert kube.version() == "v1.34.2"
        with pytest.raises(NotFound, match="no such pod"):
            kube._call("PATCH", "/api/v1/pods/p", {"force": "true"}, body={"kind": "Pod"})
        kube.close()
    read, wrote = came
    assert read.startswith(b"GET http://cluster.invalid:6443/of-team/version HTTP/1.1\r\n")
    assert b"authorization: bearer secret" in read.lower()
    assert wrote.startswith(b"PATCH http://cluster.invalid:6443/of-team/api/v1/pods/p?force=true HTTP/1.1\r\n")
    assert wrote.endswith(b'\r\n\r\n{"kind":"Pod"}')


def test_a_write_through_a_proxy_that_answers_nothing_is_not_sent_twice(tmp_path: Path) -> None:
    with server([[b""], [OK]]) as (address, came):
        kube = behind_proxy(tmp_path, address)
        with pytest.raises(Unreachable):
            kube._call("PATCH", "/api/v1/pods/p", body={"kind": "Pod"})
        assert len(came) == 1
        assert kube._send("GET", "/version", None, None, "")[2] == b"ok"
        kube.close()


def test_a_redirect_through_a_proxy_is_not_followed(tmp_path: Path) -> None:
    elsewhere = b"HTTP/1.1 302 Found\r\nLocation: http://other.invalid/\r\nContent-Length: 0\r\n\r\n"
    with server([[elsewhere, OK]]) as (address, came):
        kube = behind_proxy(tmp_path, address)
        assert kube._send("GET", "/version", None, None, "")[0] == 302
        assert len(came) == 1
        assert kube._send("GET", "/version", None, None, "")[0] == 200
        kube.close()


def test_a_proxy_that_is_not_there_is_said_to_be_unreachable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    kube = behind_proxy(tmp_path, address)
    with pytest.raises(Unreachable):
        kube.version()
    kube.close()
