"""The stand-in kubelet of the recordings: it runs nothing and writes the container statuses that pods ask for.

Annotations of a pod tell it what to do: ``fakekubelet/never-ready``, ``fakekubelet/waiting: <reason>``. Its nodes and
the form of its statuses (reasons that stay behind included) are those of the recording.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp

from apps.embedded.client import KubeClient, KubeError
from apps.embedded.domain.objects import find_condition, is_deleting, rfc3339
from apps.embedded.informer import Change, Informer

NODES = 4
CAPACITY = {"cpu": "192", "memory": "2048Gi", "pods": "250", "nvidia.com/gpu": "8"}
STARTS_AFTER_S = 0.15
READY_AFTER_S = 0.35
ENDS_AFTER_S = 0.8
NOT_READY = "ContainersNotReady"


class StandInKubelet:
    """Use as an async context manager, on a cluster without nodes."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._pods = Informer(client, "", "v1", "pods")
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._next_address = 1

    async def __aenter__(self) -> StandInKubelet:
        for number in range(NODES):
            await self._add_node(number)
        self._pods.on_change(self._changed)
        self._pods.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pods.stop()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _add_node(self, number: int) -> None:
        name = f"node-{number}"
        labels = {
            "kubernetes.io/hostname": name,
            "topology.kubernetes.io/region": "r0",
            "topology.kubernetes.io/zone": f"z{number % 2}",
        }
        await self._client.create(
            "", "v1", "nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        )
        status = {
            "capacity": CAPACITY,
            "allocatable": CAPACITY,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}],
            "addresses": [{"type": "InternalIP", "address": f"10.0.0.{number + 1}"}],
        }
        await self._client.patch_status("", "v1", "nodes", name, {"status": status})

    def _changed(self, change: Change) -> None:
        pod = change.new
        if change.type == "DELETED" or not pod["spec"].get("nodeName"):
            return
        uid = pod["metadata"]["uid"]
        stage = "end" if is_deleting(pod) else "start"
        if (uid, stage) not in self._tasks:
            work = self._end(pod) if stage == "end" else self._start(pod)
            self._tasks[(uid, stage)] = asyncio.create_task(self._tolerant(work))

    async def _tolerant(self, work: Any) -> None:
        try:
            await work
        except KubeError as error:
            if error.status not in (404, 409):
                raise
        except aiohttp.ClientError:
            pass

    async def _end(self, pod: dict[str, Any]) -> None:
        await asyncio.sleep(ENDS_AFTER_S)
        await self._client.delete(
            "", "v1", "pods", pod["metadata"]["name"], namespace=pod["metadata"]["namespace"], grace_period_seconds=0
        )

    async def _start(self, pod: dict[str, Any]) -> None:
        notes = pod["metadata"].get("annotations") or {}
        await asyncio.sleep(STARTS_AFTER_S)
        waiting = notes.get("fakekubelet/waiting")
        if waiting:
            await self._write(pod, _waiting_status(pod, waiting))
            return
        address = f"10.1.{self._next_address // 250}.{self._next_address % 250 + 1}"
        self._next_address += 1
        await self._write(pod, _running_status(pod, address, ready=False))
        if "fakekubelet/never-ready" not in notes:
            await asyncio.sleep(READY_AFTER_S - STARTS_AFTER_S)
            await self._write(pod, _running_status(pod, address, ready=True))
        if "fakekubelet/complete-after" in notes:
            await asyncio.sleep(float(notes["fakekubelet/complete-after"]))
            await self._write(pod, _ended_status(pod, address, int(notes.get("fakekubelet/exit-code", "0"))))

    async def _write(self, pod: dict[str, Any], status: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        live = await self._client.get("", "v1", "pods", metadata["name"], namespace=metadata["namespace"])
        scheduled = find_condition(live["status"].get("conditions"), "PodScheduled")
        status["conditions"] += [scheduled] if scheduled else []
        patch = {"metadata": {"uid": metadata["uid"]}, "status": status}
        await self._client.patch_status("", "v1", "pods", metadata["name"], patch, namespace=metadata["namespace"])


def _condition(type_: str, status: str, reason: str = "") -> dict[str, Any]:
    found = {"type": type_, "status": status, "lastProbeTime": None, "lastTransitionTime": rfc3339(datetime.now(UTC))}
    return {**found, "reason": reason} if reason else found


def _host_ip(pod: dict[str, Any]) -> str:
    return f"10.0.0.{int(pod['spec']['nodeName'].rpartition('-')[2]) + 1}"


def _waiting_status(pod: dict[str, Any], reason: str) -> dict[str, Any]:
    types = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")
    return {
        "phase": "Pending",
        "conditions": [_condition(type_, "False", NOT_READY) for type_ in types],
        "hostIP": _host_ip(pod),
        "startTime": rfc3339(datetime.now(UTC)),
        "containerStatuses": [
            {
                "name": container["name"],
                "state": {"waiting": {"reason": reason, "message": "fakekubelet"}},
                "lastState": {},
                "ready": False,
                "restartCount": 0,
                "image": container["image"],
                "imageID": "",
                "started": False,
            }
            for container in pod["spec"]["containers"]
        ],
    }


def _ended_status(pod: dict[str, Any], address: str, code: int) -> dict[str, Any]:
    status = _running_status(pod, address, ready=False)
    status["phase"] = "Failed" if code else "Succeeded"
    for container in status["containerStatuses"]:
        began = container["state"]["running"]["startedAt"]
        container["state"] = {
            "terminated": {
                "exitCode": code, "reason": "Error" if code else "Completed", "startedAt": began,
                "finishedAt": rfc3339(datetime.now(UTC)), "containerID": container["containerID"],
            }
        }  # fmt: skip
        container["started"] = False
    return status


def _running_status(pod: dict[str, Any], address: str, *, ready: bool) -> dict[str, Any]:
    now, verdict = rfc3339(datetime.now(UTC)), "True" if ready else "False"
    return {
        "phase": "Running",
        "conditions": [
            _condition("PodReadyToStartContainers", "True"),
            _condition("Initialized", "True"),
            # the recorded stand-in merged its conditions, so the reason stayed when they became true
            _condition("ContainersReady", verdict, NOT_READY),
            _condition("Ready", verdict, NOT_READY),
        ],
        "hostIP": _host_ip(pod),
        "hostIPs": [{"ip": _host_ip(pod)}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
        "containerStatuses": [
            {
                "name": container["name"],
                "state": {"running": {"startedAt": now}},
                "lastState": {},
                "ready": ready,
                "restartCount": 0,
                "image": container["image"],
                "imageID": f"fake://{container['image']}",
                "containerID": f"fake://{pod['metadata']['uid']}/{container['name']}/0",
                "started": True,
            }
            for container in pod["spec"]["containers"]
        ],
    }
