"""Which processes make a local instance, in which order they start, and what each needs.

    postgres, valkey ─ migrate + bootstrap ─┬─ web, worker, beat, informers
                       apiserver ───────────┴─ controllers, kubelet ─ cluster document, quickstart, demo

DATABASE_URL and REDIS_URL in the environment point the same code at servers of one's own; those children are left out.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from controlplane.supervisor import postgres, valkey
from controlplane.supervisor.addresses import Addresses
from controlplane.supervisor.children import Spec

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
LAMP = str(Path(sys.executable).parent / "lamp")
ADMIN = "admin"
# ten minutes, again and again: a first request, a ramp that replicas have to be started for, silence to fall asleep in
# (several replicas are kept for twice a start-up, which is assumed to take 105 s until one was measured)
DEMO_CURVE = "0s:1,90s:1,250s:6,310s:6,320s:1,350s:1,351s:0,600s:0"


@dataclass(frozen=True)
class Options:
    data: Path
    port: int | None
    engine: str
    demo: bool
    steady: bool = False
    tiers: bool = True


class EngineMissing(RuntimeError):
    """A real engine was asked for, and none is named."""


def vllm_python() -> str:
    """The Python of the vLLM that is to be the engine. Raises EngineMissing with what to do."""
    found = os.environ.get("VLLM_PYTHON", "")
    if not found or not Path(found).with_name("vllm").exists():
        why = f"{found} has no vllm beside it" if found else "it is not set"
        raise EngineMissing(
            f"ENGINE=vllm needs an installation of vLLM: set VLLM_PYTHON to its Python ({why}). docs/real-engine.md "
            "says how to make one."
        )
    return found


class Stack:
    """Names, addresses and child specifications of one instance. Starts nothing itself."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.data = options.data
        self.logs = self.data / "logs"
        for folder in (self.data, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        addresses = Addresses(self.data / "ports.json")
        self._addresses = addresses  # holds the claim on the network while the instance lives
        self.web_port = addresses.port("web", preferred=options.port or 8080, exact=options.port is not None)
        self.apiserver_port = addresses.port("apiserver", preferred=6443)
        self.network = addresses.network()
        addresses.save()
        self.kubeconfig = self.data / "kubeconfig"
        self.token_file = self.data / "token"
        self.password_file = self.data / "admin-password"
        self.state_file = self.data / "state.json"
        self.counters = self.data / "counters"
        # files of processes that are no more
        shutil.rmtree(self.counters, ignore_errors=True)
        self.counters.mkdir()
        self.database = None if os.environ.get("DATABASE_URL") else postgres.prepare(self.data / "pg")
        self.broker = None if os.environ.get("REDIS_URL") else valkey.prepare(self.data / "valkey")
        self.database_url = os.environ.get("DATABASE_URL") or (self.database.url if self.database else "")
        self.redis_url = os.environ.get("REDIS_URL") or (self.broker.url if self.broker else "")

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def env(self) -> dict[str, str]:
        """What every process of the control plane gets."""
        return {
            "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "controlplane.settings"),
            # the control plane's processes count in files of one folder: any of them shows what all did
            "PROMETHEUS_MULTIPROC_DIR": str(self.counters),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "LAMPLIGHT_DATA": str(self.data),
            "LAMPLIGHT_SECRET_KEY": self._secret("secret-key"),
            "LAMPLIGHT_SERVER": self.web_url,
            "LAMPLIGHT_WORKER_THREADS": os.environ.get("LAMPLIGHT_WORKER_THREADS", "8"),
            # who tries it on a laptop should not wait for quarters of an hour
            "LAMPLIGHT_OFFLOAD_PACE": os.environ.get("LAMPLIGHT_OFFLOAD_PACE", "0.05"),
            "PYTHONUNBUFFERED": "1",
            # glibc's arenas multiply the memory of threaded workers
            "MALLOC_ARENA_MAX": "2",
        }

    def password(self) -> str:
        return self._secret("admin-password", length=12)

    def _secret(self, name: str, length: int = 32) -> str:
        path = self.data / name
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(length) + "\n")
        return path.read_text().strip()

    def servers(self) -> list[Spec]:
        """Postgres and Valkey, unless the environment names others."""
        specs = []
        if self.database:
            specs.append(
                Spec(
                    name="postgres",
                    argv=self.database.argv,
                    ready=self.database.is_ready,
                    stop_signal=signal.SIGINT,
                    orphan_signal=signal.SIGINT,
                    before_start=self.database.remove_stale_pid_file,
                    popen=self.database.popen,
                )
            )
        if self.broker:
            specs.append(Spec(name="valkey", argv=self.broker.argv, ready=self.broker.is_ready))
        return specs

    def cluster_api(self) -> Spec:
        argv = [
            *(PYTHON, "-m", "apps.embedded.apiserver", "--data", str(self.data / "apiserver")),
            *("--host", "127.0.0.1", "--port", str(self.apiserver_port), "--kubeconfig", str(self.kubeconfig)),
            *("--service-cidr", f"127.{self.network}.128.0/17"),
        ]
        return Spec(name="apiserver", argv=argv, env=self._cluster_env(), ready=lambda _: self._apiserver_answers())

    def cluster_nodes(self) -> list[Spec]:
        """The controllers and the kubelet that plays all nodes."""
        kubeconfig = ("--kubeconfig", str(self.kubeconfig))
        kubelet = [
            *(PYTHON, "-m", "apps.embedded.kubelet", *kubeconfig, "--data", str(self.data / "kubelet")),
            *("--pod-cidr", f"127.{self.network}.0.0/17"),
        ]
        return [
            Spec(
                name="controllers",
                argv=[PYTHON, "-m", "apps.embedded.controllers", *kubeconfig],
                env=self._cluster_env(),
            ),
            Spec(name="kubelet", argv=kubelet, env=self._cluster_env(), stop_timeout=20.0),
        ]

    def control_plane(self) -> list[Spec]:
        web = [
            *(PYTHON, "-m", "uvicorn", "controlplane.asgi:application", "--host", "127.0.0.1"),
            *("--port", str(self.web_port), "--lifespan", "off", "--no-access-log", "--log-level", "warning"),
            *("--timeout-graceful-shutdown", "3", "--timeout-keep-alive", "75"),
        ]
        celery = [PYTHON, "-m", "celery", "-A", "controlplane.celery"]
        worker = [
            *celery,
            "worker",
            "-P",
            "threads",
            "-c",
            self.env["LAMPLIGHT_WORKER_THREADS"],
            "-l",
            "WARNING",
            "--without-gossip",
            "--without-mingle",
        ]
        worker += ["--heartbeat-interval", "30", "-n", f"worker@{socket.gethostname()}-{self.web_port}"]
        beat = [*celery, "beat", "--pidfile=", "-l", "WARNING", "-s", str(self.data / "beat-schedule")]
        return [
            Spec(name="web", argv=web, env=self.env, ready=lambda _: self._web_answers("/readyz"), stop_timeout=8),
            Spec(name="worker", argv=worker, env=self.env, stop_timeout=15),
            Spec(name="beat", argv=beat, env=self.env, stop_timeout=5),
            Spec(name="informers", argv=[PYTHON, "manage.py", "informers"], env=self.env, stop_timeout=5),
            Spec(name="kvevents", argv=[PYTHON, "manage.py", "kvevents"], env=self.env, stop_timeout=5),
        ]

    def demo_traffic(self) -> Spec:
        if not self.options.steady:
            return self._demo_curve()
        argv = [
            *(LAMP, "load", "--team", "default", "--pool", "chat", "--rate", "2", "--duration", "24h", "--json"),
            *("--prefix-groups", "6", "--prefix-tokens", "1024", "--question-tokens", "256", "--output-tokens", "96"),
        ]
        return Spec(name="demo-traffic", argv=argv, env=self.cli_env, quiet=True, backoff_max=20.0)

    def _demo_curve(self) -> Spec:
        argv = [
            *(LAMP, "load", "--team", "default", "--pool", "chat", "--curve", DEMO_CURVE, "--json"),
            # prefixes of half a prompt: longer ones would keep all of them on the replica that has them
            *("--prefix-groups", "6", "--prefix-tokens", "512", "--question-tokens", "512", "--output-tokens", "256"),
        ]
        return Spec(name="demo-traffic", argv=argv, env=self.cli_env, quiet=True, backoff_max=5.0)

    def demo_reuse(self) -> Spec:
        """Long prefixes of the third pool that come back after its small cache has forgotten them."""
        argv = [
            *(LAMP, "load", "--team", "default", "--pool", "docs", "--rate", "2", "--duration", "24h", "--json"),
            *("--prefix-groups", "48", "--prefix-tokens", "4096", "--question-tokens", "64", "--output-tokens", "8"),
        ]
        return Spec(name="demo-reuse", argv=argv, env=self.cli_env, quiet=True, backoff_max=20.0)

    @property
    def cli_env(self) -> dict[str, str]:
        token = self.token_file.read_text().strip() if self.token_file.exists() else ""
        return {"LAMPLIGHT_SERVER": self.web_url, "LAMPLIGHT_TOKEN": token, "PYTHONUNBUFFERED": "1"}

    def tiny_model(self) -> Path:
        """Where the claim lies from which the real engines of examples/real-engine serve."""
        return self.data / "kubelet" / "shared" / "claims" / "serving" / "tiny-model"

    def cluster_document(self) -> Path:
        """The `Cluster` that stands for the embedded cluster, written where `lamp apply` finds it."""
        path = self.data / "embedded-cluster.json"
        document = {
            "apiVersion": "lamplight.dev/v1",
            "kind": "Cluster",
            "metadata": {"name": "embedded", "team": "platform"},
            "spec": {"credentials": {"kubeconfig": str(self.kubeconfig)}, "prices": {"nvidia-h200": "3.20 USD/h"}},
        }
        path.write_text(json.dumps(document, indent=1) + "\n")
        return path

    def write_state(self) -> None:
        """Where everything is, for scripts, `lamp` and `manage.py`."""
        state = {
            "pid": os.getpid(),
            "web": self.web_url,
            "username": ADMIN,
            "passwordFile": str(self.password_file),
            "tokenFile": str(self.token_file),
            "kubeconfig": str(self.kubeconfig),
            "databaseUrl": self.database_url,
            "redisUrl": self.redis_url,
            "logs": str(self.logs),
        }
        partial = self.state_file.with_suffix(".partial")
        partial.write_text(json.dumps(state, indent=1) + "\n")
        partial.chmod(0o600)
        partial.rename(self.state_file)

    def _cluster_env(self) -> dict[str, str]:
        env = {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2", "LAMPLIGHT_ENGINE": self.options.engine}
        if self.options.engine == "vllm":
            env["VLLM_PYTHON"] = vllm_python()
        # seconds: a laptop should not wait the minutes that a real engine takes
        env["LAMPLIGHT_STORAGE_BANDWIDTH"] = os.environ.get("LAMPLIGHT_STORAGE_BANDWIDTH", "2.264e9")
        env["LAMPLIGHT_ENGINE_STARTUP"] = os.environ.get("LAMPLIGHT_ENGINE_STARTUP", "3")
        return env

    def _web_answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.web_url + path, timeout=5) as answer:  # noqa: S310 (our own address)
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _apiserver_answers(self) -> bool:
        """The port accepts and the kubeconfig names it: written only once the server listens."""
        try:
            named = re.search(r"server:\s*\"?https://[^:]+:(\d+)", self.kubeconfig.read_text())
            with socket.create_connection(("127.0.0.1", self.apiserver_port), timeout=1):
                return bool(named and int(named[1]) == self.apiserver_port)
        except OSError:
            return False
