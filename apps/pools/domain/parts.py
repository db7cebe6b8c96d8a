"""What a path, a tier plan or an option adds to the engines of a variant. Parts add up; none knows of another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Item = Mapping[str, Any]

KV_EVENTS_PORT = 5557
KV_REPLAY_PORT = 5558


@dataclass(frozen=True)
class EngineParts:
    """Additions to every engine pod of a variant.

    `connectors`: KV connectors; one `--kv-transfer-config` is rendered from all of them. `kv_events`: the engine
    publishes what happens to its KV blocks. `memory`, `shared_memory`: bytes of the host beyond what the variant asks
    for, and beyond the usual size of /dev/shm. `annotations`: of the pod. `port`: where the engine listens when
    something else in the pod takes the usual port. `own_data_parallelism`: the arguments say how ranks are spread;
    `first_rank` of them in a pod, as a shell expression over its environment.
    `resources`: extended resources of which each pod gets one. `capabilities`: of Linux, added to the engine's.
    `supervisor`: where a process answers for all ranks of the pod (/health, /readyz): probes ask there.
    `affinity`: podAffinity terms that a node must meet. `claims`: devices of which each pod gets one, by a name in the
    pod and the ResourceClaimTemplate.
    """

    args: tuple[str, ...] = ()
    env: tuple[Item, ...] = ()
    ports: tuple[Item, ...] = ()
    volumes: tuple[Item, ...] = ()
    mounts: tuple[Item, ...] = ()
    init_containers: tuple[Item, ...] = ()
    connectors: tuple[Item, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    kv_events: bool = False
    memory: int = 0
    shared_memory: int = 0
    port: int | None = None
    own_data_parallelism: bool = False
    first_rank: str | None = None
    resources: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    supervisor: int | None = None
    affinity: tuple[Item, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: EngineParts) -> EngineParts:
        return EngineParts(
            args=self.args + other.args,
            env=self.env + other.env,
            ports=self.ports + other.ports,
            volumes=self.volumes + other.volumes,
            mounts=self.mounts + other.mounts,
            init_containers=self.init_containers + other.init_containers,
            connectors=self.connectors + other.connectors,
            annotations={**self.annotations, **other.annotations},
            kv_events=self.kv_events or other.kv_events,
            memory=self.memory + other.memory,
            shared_memory=self.shared_memory + other.shared_memory,
            port=self.port if other.port is None else other.port,
            first_rank=self.first_rank if other.first_rank is None else other.first_rank,
            resources=self.resources + other.resources,
            capabilities=self.capabilities + other.capabilities,
            supervisor=self.supervisor if other.supervisor is None else other.supervisor,
            affinity=self.affinity + other.affinity,
            claims=self.claims + other.claims,
            own_data_parallelism=self.own_data_parallelism or other.own_data_parallelism,
        )


NOTHING = EngineParts()


def together(parts: Iterable[EngineParts]) -> EngineParts:
    """The sum of parts, in their order."""
    total = NOTHING
    for part in parts:
        total += part
    return total


def transfer_args(connectors: tuple[Item, ...]) -> list[str]:
    """The one `--kv-transfer-config` of an engine: none, a connector, or MultiConnector over several (vLLM asks each
    in order when it loads, and stores with all)."""
    if not connectors:
        return []
    config = connectors[0]
    if len(connectors) > 1:
        inner = {"connectors": [dict(connector) for connector in connectors]}
        config = {"kv_connector": "MultiConnector", "kv_role": "kv_both", "kv_connector_extra_config": inner}
        # what a failed load does is read from the outermost connector only
        if any(connector.get("kv_load_failure_policy") == "recompute" for connector in connectors):
            config["kv_load_failure_policy"] = "recompute"
    return [f"--kv-transfer-config={_json(config)}"]


def event_args(served_name: str, *, topic_has_port: bool, port: int) -> list[str]:
    """The `--kv-events-config` of an engine: every subscriber connects to the pod, and may ask for what it missed."""
    address = f"$(POD_IP):{port}" if topic_has_port else "$(POD_IP)"
    config = {
        "enable_kv_cache_events": True,
        "publisher": "zmq",
        "endpoint": f"tcp://*:{KV_EVENTS_PORT}",
        "replay_endpoint": f"tcp://*:{KV_REPLAY_PORT}",
        "topic": f"kv@{address}@{served_name}",
        "buffer_steps": 10000,
    }
    return [f"--kv-events-config={_json(config)}"]


EVENT_PORTS: tuple[Item, ...] = (
    {"name": "kv-events", "containerPort": KV_EVENTS_PORT, "protocol": "TCP"},
    {"name": "kv-replay", "containerPort": KV_REPLAY_PORT, "protocol": "TCP"},
)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
