"""`make up`: bring an instance up, keep it up, take it down in order."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, Any

from controlplane.supervisor import console_build
from controlplane.supervisor.addresses import AddressError
from controlplane.supervisor.children import Child, ChildFailed, Spec, run_once
from controlplane.supervisor.postgres import PostgresError
from controlplane.supervisor.stack import ADMIN, LAMP, PROJECT, PYTHON, EngineMissing, Options, Stack, vllm_python

_QUICKSTART = PROJECT / "examples" / "quickstart"
_REAL_ENGINE = PROJECT / "examples" / "real-engine"
_STEADY = PROJECT / "examples" / "steady"
_TIERS = PROJECT / "examples" / "offload"


class AlreadyRunning(RuntimeError):
    """Another supervisor holds this data directory."""


def lock(data: Path) -> IO[str]:
    """The instance lock; released by the kernel when this process ends, however it ends."""
    data.mkdir(parents=True, exist_ok=True)
    handle = open(data / "lock", "a+")  # noqa: SIM115 (held until the process ends)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        state = read_state(data)
        where = f" at {state['web']} (pid {state['pid']})" if state else ""
        raise AlreadyRunning(
            f"An instance already runs{where} with the data in {data}. "
            "Stop it with `make down`, or start a second one with DATA=another/directory."
        ) from None
    return handle


def read_state(data: Path) -> dict[str, Any] | None:
    try:
        state = json.loads((data / "state.json").read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


class Instance:
    """One run of the stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._started = time.monotonic()
        self._children: list[Child] = []

    def say(self, message: str) -> None:
        print(f"{time.monotonic() - self._started:6.1f}s  {message}", flush=True)

    async def run(self, stop: asyncio.Event) -> int:
        """Bring everything up, wait for `stop`, take everything down. Returns the exit status."""
        bring_up = asyncio.create_task(self._bring_up())
        stopped = asyncio.create_task(stop.wait())
        status = 0
        try:
            await asyncio.wait({bring_up, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if bring_up.done() and bring_up.exception():
                status = 1
                print(f"\n{_sentence(bring_up.exception())}\n", file=sys.stderr, flush=True)
            else:
                await stopped
        finally:
            bring_up.cancel()
            stopped.cancel()
            await asyncio.gather(bring_up, stopped, return_exceptions=True)
            await self._take_down()
        return status

    async def _bring_up(self) -> None:
        stack = self.stack
        build = asyncio.create_task(asyncio.to_thread(console_build.build_if_needed, self.say))
        try:
            await self._start(stack.servers())
            if stack.database:
                await asyncio.to_thread(stack.database.create_database)
            await asyncio.gather(self._start([stack.cluster_api()]), self._prepare_database())
            await build
        finally:
            build.cancel()
        await asyncio.gather(self._start(stack.control_plane()), self._start(stack.cluster_nodes()))
        stack.write_state()
        await self._apply()
        if stack.options.demo and stack.options.engine == "sim":
            further = [stack.demo_reuse()] if stack.options.tiers else []
            await self._start([stack.demo_traffic(), *further])
        self._print_address()
        await self._report_pools()

    async def _start(self, specs: list[Spec]) -> None:
        """Start these together and return once each is ready."""
        children = [Child(spec, logs=self.stack.logs, say=self.say) for spec in specs]
        self._children += children
        for child in children:
            child.start()
        for child in children:
            await child.wait_ready()
            self.say(f"{child.spec.name} is ready")

    async def _prepare_database(self) -> None:
        env = self.stack.env
        await run_once([PYTHON, "manage.py", "migrate", "--noinput"], env=env, timeout=600, what="Database migration")
        await run_once(
            [
                *(PYTHON, "manage.py", "lamplight_bootstrap", "--username", ADMIN),
                *("--password-file", str(self.stack.password_file), "--token-file", str(self.stack.token_file)),
            ],
            env={**env, "LAMPLIGHT_ADMIN_PASSWORD": self.stack.password()},
            timeout=180,
            what="Creating the first team, user and token",
        )
        self.say("database is migrated")

    async def _apply(self) -> None:
        """The embedded cluster's document at every start (its address may have moved); examples only once."""
        stack = self.stack
        await self._lamp("apply", "-f", str(stack.cluster_document()))
        options = stack.options
        examples = (_STEADY if options.steady else _QUICKSTART, *([_TIERS] if options.tiers else []))
        if stack.options.engine == "vllm":
            # the quickstart's model needs a GPU and a download
            examples = (_REAL_ENGINE,)
            await self._write_tiny_model()
        for folder in examples:
            applied = stack.data / f"{folder.name}-applied"
            if not applied.exists():
                await self._lamp("apply", "-f", str(folder))
                applied.touch()
                self.say(f"applied examples/{folder.name}")

    async def _write_tiny_model(self) -> None:
        folder = self.stack.tiny_model()
        if (folder / "config.json").exists() and (folder / "adapters").exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        writer = PROJECT / "controlplane" / "supervisor" / "tiny_model.py"
        await run_once([vllm_python(), str(writer), str(folder)], env={}, timeout=300, what="Writing the tiny model")
        self.say("the tiny model is written")

    async def _lamp(self, *args: str) -> str:
        return await run_once([LAMP, *args], env=self.stack.cli_env, timeout=180, what=f"`lamp {' '.join(args)}`")

    def _print_address(self) -> None:
        stack = self.stack
        print(
            f"\n  Console   {stack.web_url}\n"
            f"  Login     {ADMIN} / {stack.password()}\n"
            f"  API       {stack.web_url}/api/v1/   (token in {_short(stack.token_file)})\n"
            f"  kubectl   export KUBECONFIG={_short(stack.kubeconfig)}\n"
            f"  lamp      {_short(Path(LAMP))} get pools\n"
            f"  Logs      {_short(stack.logs)}/        Ctrl-C stops everything; the data stays.\n",
            flush=True,
        )

    async def _report_pools(self) -> None:
        """One line whenever the pools' health changes, until all are healthy."""
        shown = ""
        while True:
            try:
                pools = json.loads(await self._lamp("get", "pools", "-A", "-o", "json"))["items"]
            except (ChildFailed, ValueError, KeyError):
                pools = None
            if pools is not None:
                line = ", ".join(_pool_line(pool) for pool in pools)
                if line and line != shown:
                    self.say(line)
                shown = line
                if all(pool.get("status", {}).get("health") == "Healthy" for pool in pools):
                    return
            await asyncio.sleep(2)

    async def _take_down(self) -> None:
        self.say("stopping")
        by_name = {child.spec.name: child for child in self._children}
        for child in self._children:
            child.let_end()
        # clients before servers; the kubelet ends its containers
        for group in (
            ("demo-traffic", "demo-reuse"),
            ("web", "beat", "worker", "informers", "kvevents"),
            ("kubelet", "controllers"),
            ("apiserver",),
        ):
            await asyncio.gather(*(by_name.pop(name).stop() for name in group if name in by_name))
        await asyncio.gather(*(child.stop() for child in by_name.values()))
        self.stack.state_file.unlink(missing_ok=True)
        self.say("stopped")


def _pool_line(pool: dict[str, Any]) -> str:
    status = pool.get("status", {})
    replicas = status.get("replicas") or {}
    ready, desired = replicas.get("ready", 0), replicas.get("desired", "?")
    name = f"{pool['metadata'].get('team', '')}/{pool['metadata']['name']}"
    endpoint = f" at {status['endpoint']}" if status.get("health") == "Healthy" and status.get("endpoint") else ""
    return f"pool {name}: {status.get('health', 'Unknown')}, {ready} of {desired} replicas ready{endpoint}"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _sentence(error: BaseException | None) -> str:
    if isinstance(error, (ChildFailed, PostgresError, AddressError, console_build.ConsoleBuildError, EngineMissing)):
        return str(error)
    return f"{type(error).__name__}: {error}"


def up(options: Options) -> int:
    try:
        handle = lock(options.data)
        if options.engine == "vllm":
            vllm_python()
        stack = Stack(options)
    except (AlreadyRunning, PostgresError, AddressError, EngineMissing) as error:
        print(str(error), file=sys.stderr)
        return 1
    with handle:
        os.chdir(PROJECT)
        return asyncio.run(_main(stack))


async def _main(stack: Stack) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, stop.set)
    return await Instance(stack).run(stop)


def down(data: Path, timeout: float = 60.0) -> int:
    """Ask the running supervisor to stop and wait until its lock is free."""
    state = read_state(data)
    if state:
        try:
            os.kill(int(state["pid"]), signal.SIGTERM)
        except ProcessLookupError:
            (data / "state.json").unlink(missing_ok=True)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            lock(data).close()
        except AlreadyRunning:
            time.sleep(0.2)
            continue
        print("stopped" if state else f"nothing runs with the data in {data}")
        return 0
    print(f"The instance in {data} did not stop within {timeout:.0f} s; look at {data / 'logs'}.", file=sys.stderr)
    return 1
