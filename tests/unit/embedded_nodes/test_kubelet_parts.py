"""Parts of the kubelet and the proxy that touch files, processes and sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from apps.embedded.domain.objects import parse_time
from apps.embedded.kubelet.addresses import AddressPool
from apps.embedded.kubelet.domain.environment import ConfigError, Sources
from apps.embedded.kubelet.handlers import Handlers, Target
from apps.embedded.kubelet.logs import MAX_FILE_BYTES, LogQuery, LogWriter, follow_log, last_lines, read_log
from apps.embedded.kubelet.process import Process
from apps.embedded.kubelet.volumes import ServiceAccountFiles, materialise, mounts_of
from apps.embedded.proxy.domain.routes import routes
from apps.embedded.proxy.service_proxy import Listener
from tests.unit.embedded_nodes.builders import pod

ENV = {"PATH": os.environ["PATH"]}


async def test_a_process_has_output_and_an_exit_code(tmp_path: Path) -> None:
    process = Process.start(["sh", "-c", "echo one; echo two >&2; exit 3"], ENV, tmp_path, LogWriter(tmp_path, 0))
    assert await asyncio.wait_for(process.wait(), 10) == 3
    assert read_log(tmp_path, 0, LogQuery()) == b"one\ntwo\n"


async def test_a_process_is_told_to_end_alone_and_its_children_are_its_own_matter(tmp_path: Path) -> None:
    """As a container's first process is: vLLM drains with its engine process alive."""
    child = "trap 'echo child was told' TERM; echo up; while :; do sleep 0.05; done"
    first = f"trap 'echo told; exit 7' TERM; sh -c \"{child}\" & while :; do sleep 0.05; done"
    process = Process.start(["sh", "-c", first], ENV, tmp_path, LogWriter(tmp_path, 0))
    async with asyncio.timeout(10):
        while b"up" not in read_log(tmp_path, 0, LogQuery()):
            await asyncio.sleep(0.02)
    process.send(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 7
    assert read_log(tmp_path, 0, LogQuery()) == b"up\ntold\n"


async def test_what_a_process_left_running_ends_with_it(tmp_path: Path) -> None:
    process = Process.start(["sh", "-c", "sleep 300 & echo $!"], ENV, tmp_path, LogWriter(tmp_path, 0))
    await asyncio.wait_for(process.wait(), 10)
    child = int(read_log(tmp_path, 0, LogQuery()))
    async with asyncio.timeout(10):
        while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
            await asyncio.sleep(0.02)


async def test_a_killed_parent_takes_its_process_along(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, sys\nfrom pathlib import Path\n"
        "from apps.embedded.kubelet.process import Process\n"
        "async def main():\n"
        "    p = Process.start(['sleep', '300'], dict(os.environ), Path('.'), None)\n"
        "    print(p.pid, flush=True)\n    await asyncio.sleep(300)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), 20))
    assert Path(f"/proc/{child}").exists()
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    async with asyncio.timeout(10):
        while Path(f"/proc/{child}").exists():
            await asyncio.sleep(0.02)


async def test_logs_are_bounded_and_keep_the_end(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, 0)
    line = b"x" * 1000 + b"\n"
    for _ in range(3 * MAX_FILE_BYTES // len(line)):
        writer.feed(line)
    writer.feed(b"the last words")
    writer.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * MAX_FILE_BYTES + 10_000
    assert last_lines(tmp_path, 0, count=1) == "the last words"


async def test_only_the_last_two_runs_keep_logs(tmp_path: Path) -> None:
    for run in range(5):
        writer = LogWriter(tmp_path, run)
        writer.feed(f"run {run}\n".encode())
        writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3.log", "4.log"]


async def test_log_queries(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, 0)
    for number in range(5):
        writer.feed(f"line {number}\n".encode())
    assert read_log(tmp_path, 0, LogQuery(tail=2)) == b"line 3\nline 4\n"
    assert read_log(tmp_path, 0, LogQuery(tail=0)) == b""
    assert read_log(tmp_path, 0, LogQuery(limit=6)) == b"line 0"
    stamp, _, text = read_log(tmp_path, 0, LogQuery(tail=1, timestamps=True)).partition(b" ")
    assert text == b"line 4\n"
    after = parse_time(stamp.decode()) + timedelta(seconds=1)
    assert read_log(tmp_path, 0, LogQuery(since=after)) == b""


async def test_following_a_log_sees_every_line_once_and_ends_with_the_run(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, 0)
    writer.feed(b"early\n")
    seen: list[bytes] = []

    async def follow() -> None:
        async for chunk in follow_log(tmp_path, 0, LogQuery(), writer):
            seen.append(chunk)

    task = asyncio.create_task(follow())
    for number in range(20):
        await asyncio.sleep(0)
        writer.feed(f"{number}\n".encode())
    writer.close()
    await asyncio.wait_for(task, 10)
    assert b"".join(seen) == b"early\n" + b"".join(f"{number}\n".encode() for number in range(20))


ACCOUNT = ServiceAccountFiles(token="t", ca_pem="ca")


def _volume(tmp_path: Path, volume: dict, **sources: dict) -> Path:
    return materialise(
        pod(), {"name": "v", **volume}, tmp_path / "own", tmp_path / "shared", Sources(**sources), ACCOUNT
    )


def test_volumes(tmp_path: Path) -> None:
    maps = {"cm": {"data": {"a": "1", "b": "2"}}}
    place = _volume(tmp_path, {"configMap": {"name": "cm", "items": [{"key": "a", "path": "x/y"}]}}, config_maps=maps)
    assert (place / "x" / "y").read_text() == "1"
    assert not (place / "b").exists()
    projected = {
        "projected": {
            "sources": [
                {"serviceAccountToken": {"path": "token"}},
                {"downwardAPI": {"items": [{"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ]
        }
    }
    place = _volume(tmp_path, projected)
    assert (place / "token").read_text() == "t"
    assert (place / "ns").read_text() == "ns"
    claim = {"persistentVolumeClaim": {"claimName": "c"}}
    assert _volume(tmp_path, claim) == tmp_path / "shared" / "claims" / "ns" / "c"


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "no"}}, 'configmap "no" not found'),
        ({"configMap": {"name": "cm", "items": [{"key": "z", "path": "z"}]}}, "has no key z"),
        ({"configMap": {"name": "cm", "items": [{"key": "a", "path": "../../x"}]}}, "leads out of its volume"),
        ({"nfs": {"server": "s"}}, "no nfs volumes"),
    ],
)
def test_volumes_that_cannot_be_made_are_explained(tmp_path: Path, volume: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _volume(tmp_path, volume, config_maps={"cm": {"data": {"a": "1"}}})


def test_mounts(tmp_path: Path) -> None:
    container = {"name": "m", "volumeMounts": [{"name": "v", "mountPath": "/etc/x", "subPath": "s"}]}
    assert mounts_of(container, {"v": tmp_path}) == {"/etc/x": str(tmp_path / "s")}
    with pytest.raises(ConfigError, match="which the pod lacks"):
        mounts_of(container, {})


def test_addresses() -> None:
    pool = AddressPool("127.9.0.0/24")
    first = pool.take()
    assert pool.take(first) != first
    assert pool.take("127.9.0.77") == "127.9.0.77"
    assert pool.node(0) == "127.9.0.1"
    taken = {pool.take() for _ in range(230)}
    assert not {address for address in taken if address.endswith((".0", ".255"))}
    with pytest.raises(RuntimeError, match="no free pod address"):
        for _ in range(50):
            pool.take()
    pool.release(first)
    assert pool.take() == first
    with pytest.raises(ValueError, match=r"inside 127\.0\.0\.0/8"):
        AddressPool("10.0.0.0/16")


async def test_handlers(tmp_path: Path) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = Target("127.0.0.1", {"http": port}, ENV, tmp_path)
    handlers = Handlers()
    try:
        answer = await handlers.ask({"httpGet": {"path": "/health", "port": "http"}}, target, 5)
        assert (answer.ok, answer.text) == (False, "HTTP probe failed with statuscode: 503")
        assert (await handlers.ask({"tcpSocket": {"port": port}}, target, 5)).ok
        assert (await handlers.ask({"exec": {"command": ["true"]}}, target, 5)).ok
        assert not (await handlers.ask({"exec": {"command": ["false"]}}, target, 5)).ok
        slow = await handlers.ask({"exec": {"command": ["sleep", "60"]}}, target, 0.2)
        assert "timed out" in slow.text
        missing = await handlers.ask({"exec": {"command": ["no-such-program"]}}, target, 5)
        assert "cannot be started" in missing.text
        unnamed = await handlers.ask({"httpGet": {"port": "other"}}, target, 5)
        assert "couldn't find port other" in unnamed.text
    finally:
        await handlers.close()
        server.close()
    refused = await handlers.ask({"tcpSocket": {"port": port}}, target, 5)
    assert "connection refused" in refused.text


def _slice(*endpoints: tuple[str, dict], port: int = 8000) -> dict:
    return {
        "metadata": {"namespace": "ns", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": [address], "conditions": conditions} for address, conditions in endpoints],
    }


PORTS = ({"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"})


def test_routes_lead_to_ready_endpoints_and_to_draining_ones_only_without_them() -> None:
    service = {
        "metadata": {"name": "web", "namespace": "ns"},
        "spec": {"clusterIP": "127.1.2.3", "ports": [*PORTS]},
    }
    headless = {"metadata": {"name": "h", "namespace": "ns"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}
    draining = ("10.0.0.2", {"ready": False, "serving": True, "terminating": True})
    found = routes([service, headless], [_slice(("10.0.0.1", {"ready": True}), draining)])
    assert {address: route.backends for address, route in found.items()} == {("127.1.2.3", 80): (("10.0.0.1", 8000),)}
    found = routes([service], [_slice(("10.0.0.1", {"ready": False}), draining)])
    assert found[("127.1.2.3", 80)].backends == (("10.0.0.2", 8000),)


async def test_the_proxy_forwards_half_closed_streams_in_turn_and_skips_dead_endpoints() -> None:
    served: list[int] = []

    async def backend(number: int) -> asyncio.Server:
        async def echo_after_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            served.append(number)
            writer.write(b"%d:" % number + await reader.read())
            await writer.drain()
            writer.close()

        return await asyncio.start_server(echo_after_end, "127.0.0.1", 0)

    servers = [await backend(1), await backend(2)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    dead = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    dead_port = dead.sockets[0].getsockname()[1]
    dead.close()
    await dead.wait_closed()
    backends = tuple(("127.0.0.1", port) for port in (*ports, dead_port))
    service = {
        "metadata": {"name": "web", "namespace": "ns"}, "spec": {"clusterIP": "127.0.0.1", "ports": [{"port": 0}]},
    }  # fmt: skip
    ((address, route),) = routes([service], []).items()
    listener = Listener(address, type(route)("ns", "web", "", backends), asyncio.Semaphore(10))
    await listener.bind()
    port = listener._server.sockets[0].getsockname()[1]
    payload = os.urandom(300_000)
    for _ in range(6):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(payload)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.partition(b":")[2] == payload
        writer.close()
    assert set(served) == {1, 2}
    listener.route = type(route)("ns", "web", "", ())
    reader, _ = await asyncio.open_connection("127.0.0.1", port)
    with pytest.raises(ConnectionError):
        if not await asyncio.wait_for(reader.read(), 10):
            raise ConnectionResetError
    await listener.close()
    for server in servers:
        server.close()
