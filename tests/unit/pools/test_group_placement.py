"""LeaderWorkerSets of wide expert parallelism: placement, network, restarts, health and environment of a group."""

from __future__ import annotations

from typing import Any

import pytest

from apps.catalog.domain.dialects import dialect
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.paths import render
from apps.pools.domain.spec import PoolSpec
from tests.support.proof import command_faults, faults
from tests.unit.pools.paths import inputs_for, merged, model_of, path_document
from tests.unit.pools.rendering import POOL, by_name

BLOCK, NVLINK = "cloud.google.com/gce-topology-block", "nvidia.com/gpu.clique"


def sets(release: str = "current", *, queue: str | None = None, **experts: Any) -> dict[str, Any]:
    document = merged(path_document("wide-ep"), {"routing": {"expertParallel": experts}})
    document["variants"] = [{**variant, "queue": queue} for variant in document["variants"]]
    spec = PoolSpec.from_document(document)
    objects = render(POOL, spec, model_of(spec), inputs_for(spec), dialect(release))
    assert [fault for manifest in objects for fault in faults(manifest)] == []
    if release == "current":
        assert [fault for manifest in objects for fault in command_faults(manifest, "0.33.0")] == []
    return {name: o for name, o in by_name(objects).items() if name.startswith("LeaderWorkerSet/")}


def engine(lws: dict[str, Any]) -> dict[str, Any]:
    (container,) = lws["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]["containers"]
    return dict(container)


def test_groups_run_where_there_is_room_unless_a_domain_is_declared() -> None:
    for lws in sets().values():
        assert "annotations" not in lws["metadata"] and "networkConfig" not in lws["spec"]
        assert "affinity" not in lws["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]


def test_a_group_stays_in_its_domain_by_affinity_of_its_own_pods_alone() -> None:
    lws = sets(placement={"domain": BLOCK})["LeaderWorkerSet/chat-decode"]
    pod = lws["spec"]["leaderWorkerTemplate"]["workerTemplate"]
    (term,) = pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == BLOCK
    # the controller numbers groups by this label; without it every group of the set would have to be in one domain
    assert term["matchLabelKeys"] == ["leaderworkerset.sigs.k8s.io/group-index"]
    assert term["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_a_domain_of_its_own_is_asked_of_the_controller() -> None:
    lws = sets(placement={"domain": BLOCK, "exclusive": True})["LeaderWorkerSet/chat-decode"]
    assert lws["metadata"]["annotations"] == {"leaderworkerset.sigs.k8s.io/exclusive-topology": BLOCK}
    assert "affinity" not in lws["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]


def test_sub_groups_share_a_domain_within_the_group_s() -> None:
    placement = {"domain": BLOCK, "exclusive": True, "subGroupSize": 1, "subGroupDomain": NVLINK}
    lws = sets(placement=placement)["LeaderWorkerSet/chat-decode"]
    assert lws["metadata"]["annotations"]["leaderworkerset.sigs.k8s.io/subgroup-exclusive-topology"] == NVLINK
    policy = lws["spec"]["leaderWorkerTemplate"]["subGroupPolicy"]
    assert policy == {"subGroupPolicyType": "LeaderWorker", "subGroupSize": 1}


def test_kueue_places_the_groups_that_it_admits() -> None:
    lws = sets(queue="team-a", placement={"domain": BLOCK})["LeaderWorkerSet/chat-decode"]
    template = lws["spec"]["leaderWorkerTemplate"]["workerTemplate"]
    assert lws["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert template["metadata"]["annotations"] == {
        "kueue.x-k8s.io/podset-required-topology": BLOCK,
        "kueue.x-k8s.io/podset-group-name": "chat-decode",
    }
    assert "affinity" not in template["spec"]


def test_restarts_and_network_of_groups() -> None:
    usual = sets()["LeaderWorkerSet/chat-decode"]["spec"]
    assert usual["leaderWorkerTemplate"]["restartPolicy"] == "RecreateGroupOnPodRestart"
    spec = sets(restart="after-start", subdomain="per-group")["LeaderWorkerSet/chat-decode"]["spec"]
    assert spec["leaderWorkerTemplate"]["restartPolicy"] == "RecreateGroupAfterStart"
    assert spec["networkConfig"] == {"subdomainPolicy": "UniquePerReplica"}
    assert spec["startupPolicy"] == "LeaderCreated"


def test_probes_ask_for_all_ranks_of_a_pod_where_the_release_has_a_supervisor() -> None:
    for name, lws in sets().items():
        held = engine(lws)
        assert {"name": "supervisor", "containerPort": 9256, "protocol": "TCP"} in held["ports"], name
        assert held["startupProbe"]["httpGet"] == {"path": "/health", "port": "supervisor"}
        assert held["livenessProbe"]["httpGet"] == {"path": "/health", "port": "supervisor"}
        assert held["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "supervisor"}
        assert "--data-parallel-supervisor-port=9256" in held["args"]
    for lws in sets("0.5").values():
        assert engine(lws)["readinessProbe"]["httpGet"]["path"] == "/v1/models"


def test_prometheus_reads_every_rank_of_a_pod() -> None:
    spec = PoolSpec.from_document(path_document("wide-ep"))
    objects = by_name(render(POOL, spec, model_of(spec), inputs_for(spec), dialect("current")))
    read = {row["port"] for row in objects["PodMonitor/chat"]["spec"]["podMetricsEndpoints"]}
    assert read == {"modelserver", "rank-1", "rank-2", "rank-3", "metrics"}
    for lws in (objects["LeaderWorkerSet/chat-prefill"], objects["LeaderWorkerSet/chat-decode"]):
        pod = lws["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]
        named = {port["name"] for c in (*pod["containers"], *pod.get("initContainers", ())) for port in c["ports"]}
        assert read - {"metrics"} <= named


@pytest.mark.parametrize("release", ["0.5", "current"])
def test_the_guide_s_environment_of_a_group(release: str) -> None:
    found = sets(release)
    for lws in found.values():
        held = engine(lws)
        env = {row["name"]: row.get("value") for row in held["env"]}
        assert env["NVIDIA_GDRCOPY"] == "enabled" and env["NVSHMEM_BOOTSTRAP_UID_SOCK_IFNAME"] == "eth0"
        assert held["securityContext"]["capabilities"]["add"] == ["IPC_LOCK", "SYS_RAWIO"]
        assert "nvshmem*" in held["lifecycle"]["postStart"]["exec"]["command"][-1]
    decode, prefill = engine(found["LeaderWorkerSet/chat-decode"]), engine(found["LeaderWorkerSet/chat-prefill"])
    graphs = '--compilation-config={"cudagraph_mode":"FULL_DECODE_ONLY"}'
    assert graphs in decode["args"] and graphs not in prefill["args"]
    assert {"name": "VLLM_HTTP_TIMEOUT_KEEP_ALIVE", "value": "120"} in prefill["env"]


def test_compilation_of_one_s_own_is_not_given_twice() -> None:
    document = path_document("wide-ep", engine={"args": ["--compilation-config", '{"mode":0}']})
    spec = PoolSpec.from_document(document)
    objects = by_name(render(POOL, spec, model_of(spec), inputs_for(spec), dialect("current")))
    words = [word for word in engine(objects["LeaderWorkerSet/chat-decode"])["args"] if "compilation" in word]
    assert words == ["--compilation-config"]


def test_gb200_nodes_are_tolerated_and_their_nvlink_is_used() -> None:
    spec = PoolSpec.from_document(path_document("wide-ep", "nvidia-gb200"))
    objects = by_name(render(POOL, spec, model_of(spec), inputs_for(spec), dialect("current")))
    lws = objects["LeaderWorkerSet/chat-decode"]
    pod = lws["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]
    assert {toleration["key"] for toleration in pod["tolerations"]} == {"nvidia.com/gpu", "kubernetes.io/arch"}
    assert {"name": "NCCL_MNNVL_ENABLE", "value": "1"} in engine(lws)["env"]


def test_experts_are_exchanged_and_computed_as_the_newest_guide_has_it() -> None:
    found = sets(backend="deepep_v2", moeBackend="deep_gemm")
    said = {name: engine(lws)["args"] for name, lws in found.items()}
    assert "--all2all-backend=deepep_v2" in said["LeaderWorkerSet/chat-prefill"]
    assert "--all2all-backend=deepep_low_latency" in said["LeaderWorkerSet/chat-decode"]
    assert all("--moe-backend=deep_gemm" in args for args in said.values())
    shared_memory = {
        name: any(e["name"].startswith("NVSHMEM") for e in engine(lws)["env"]) for name, lws in found.items()
    }
    assert shared_memory == {"LeaderWorkerSet/chat-prefill": False, "LeaderWorkerSet/chat-decode": True}


@pytest.mark.parametrize("experts", [{"backend": "deepep_v2"}, {"moeBackend": "deep_gemm"}])
def test_older_engines_know_neither(experts: dict[str, Any]) -> None:
    with pytest.raises(PlanRefused) as refused:
        sets("0.5", **experts)
    assert refused.value.reason == "KernelsNotInRelease"
    assert next(iter(experts)) in str(refused.value)
