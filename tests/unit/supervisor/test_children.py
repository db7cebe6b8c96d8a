"""The supervisor's children: restarted when they die, stopped in order, gone when the supervisor is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from controlplane.supervisor.addresses import AddressError, Addresses
from controlplane.supervisor.children import Child, ChildFailed, Spec, run_once
from controlplane.supervisor.up import AlreadyRunning, lock
from tests.support.wait import wait_until

SLEEPER = [sys.executable, "-u", "-c", "import time; print('up', flush=True); time.sleep(600)"]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


async def until(condition, timeout=60.0):
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_killed_child_comes_back_and_says_so(tmp_path):
    said: list[str] = []
    child = Child(Spec(name="sleeper", argv=SLEEPER), logs=tmp_path, say=said.append)
    child.start()
    try:
        await child.wait_ready()
        first = child.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: child.pid not in (None, first))
        assert said == ["sleeper ended (signal SIGKILL); starting it again in 0.4 s"]
    finally:
        await child.stop()
    assert child.pid is None


async def test_a_child_that_ends_while_everything_is_taken_down_is_not_started_again(tmp_path):
    said: list[str] = []
    child = Child(Spec(name="sleeper", argv=SLEEPER), logs=tmp_path, say=said.append)
    child.start()
    await child.wait_ready()
    first = child.pid
    child.let_end()
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid is None)
    await child.stop()
    assert said == []


async def test_a_child_that_never_gets_ready_is_reported_with_its_last_lines(tmp_path):
    argv = [sys.executable, "-c", "print('the disk is on fire'); raise SystemExit(3)"]
    child = Child(Spec(name="broken", argv=argv, ready=lambda pid: False, ready_timeout=1), logs=tmp_path, say=print)
    child.start()
    try:
        with pytest.raises(ChildFailed, match="the disk is on fire"):
            await child.wait_ready()
    finally:
        await child.stop()
    assert "the disk is on fire" in (tmp_path / "broken.log").read_text()


async def test_a_child_that_ignores_its_stop_signal_is_killed(tmp_path):
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    said: list[str] = []
    child = Child(
        Spec(name="deaf", argv=[sys.executable, "-c", code], stop_timeout=0.3), logs=tmp_path, say=said.append
    )
    child.start()
    await until(lambda: (tmp_path / "deaf.log").exists() and "deaf" in (tmp_path / "deaf.log").read_text())
    pid = child.pid
    await child.stop()
    assert not alive(pid)
    assert "killing it" in said[0]


def test_children_of_a_killed_supervisor_are_gone(tmp_path):
    script = tmp_path / "supervisor.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import asyncio, pathlib
            from controlplane.supervisor.children import Child, Spec
            async def main():
                child = Child(Spec(name="s", argv={SLEEPER!r}), logs=pathlib.Path({str(tmp_path)!r}), say=print)
                child.start()
                await child.wait_ready()
                print(child.pid, flush=True)
                await asyncio.sleep(600)
            asyncio.run(main())
            """
        )
    )
    supervisor = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    try:
        pid = int(supervisor.stdout.readline())
        assert alive(pid)
    finally:
        supervisor.kill()
        supervisor.wait(timeout=10)
        supervisor.stdout.close()
    wait_until(lambda: not alive(pid), message="the child went with its killed supervisor")


async def test_a_command_that_fails_raises_with_what_it_printed():
    with pytest.raises(ChildFailed, match=r"Loading failed \(exit code 4\)[\s\S]*no such table"):
        await run_once(
            [sys.executable, "-c", "print('no such table'); raise SystemExit(4)"], env={}, timeout=60, what="Loading"
        )


async def test_a_command_that_does_not_end_is_killed_and_told_with_what_it_printed():
    with pytest.raises(ChildFailed, match=r"Loading did not end within 3 s[\s\S]*waiting for a lock"):
        await run_once(["sh", "-c", "echo waiting for a lock; sleep 600"], env={}, timeout=3, what="Loading")


def test_a_second_instance_on_the_same_data_is_refused_with_the_way_out(tmp_path):
    with lock(tmp_path):
        with pytest.raises(AlreadyRunning, match="make down"):
            lock(tmp_path)
    lock(tmp_path).close()


def test_addresses_are_remembered_and_a_taken_port_is_replaced(tmp_path):
    import socket

    first = Addresses(tmp_path / "ports.json")
    port = first.port("web", preferred=0)
    network = first.network()
    first.save()
    second = Addresses(tmp_path / "ports.json")
    assert second.network() != network, "the network is claimed while the first instance lives"
    assert second.port("web", preferred=0) != port, "nobody listens there yet, but the first instance chose it"
    with pytest.raises(AddressError, match=f"Port {port} is taken"):
        second.port("web", preferred=port, exact=True)
    first.release()
    assert Addresses(tmp_path / "ports.json").port("web", preferred=0) == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert Addresses(tmp_path / "ports.json").port("web", preferred=0) != port
        with pytest.raises(AddressError, match=f"Port {port} is taken"):
            Addresses(tmp_path / "ports.json").port("web", preferred=port, exact=True)
