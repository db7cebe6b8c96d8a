"""Tier plans as engines, volumes and memory, in both releases; what cannot be had; the canary; the store's owner."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.catalog.domain.dialects import dialect
from apps.catalog.domain.model import Shape
from apps.core.domain.refusals import Invalid
from apps.core.domain.units import parse_bytes
from apps.pools.domain.manifests import COMPONENT, VARIANT, Inputs, Manifest, PlanRefused
from apps.pools.domain.parts import transfer_args
from apps.pools.domain.paths import render
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers.canary import on_trial
from apps.pools.domain.tiers.plan import Tier, TierPlan
from tests.support.proof import command_faults, faults
from tests.unit.pools.rendering import ACCELERATORS, EVERYTHING, MODEL, POOL, by_name, inputs_of, spec_of, variant

GIB = 2**30
GOLDEN = Path(__file__).parent / "golden" / "tiers"
CURRENT, OLD = dialect("current"), dialect("0.5")
SHAPED = dataclasses.replace(MODEL, shape=Shape(layers=32, kv_heads=8, head_dim=128, heads=32, parameters=8 * 10**9))
HOST = Tier("host", 128 * GIB)
DISK = Tier("filesystem", 500 * GIB, claim="kv-cache", ttl_seconds=1800)
BUCKET = Tier("object", 1000 * GIB, bucket="kv", endpoint="https://s3.example.com", secret="s3-cred")
OLD_ENGINE = {"image": "ghcr.io/llm-d/llm-d-cuda:v0.5.0"}


def rendered(
    *tiers: Tier, release: Any = CURRENT, spec: PoolSpec | None = None, model: Any = SHAPED, **plan: Any
) -> dict[str, Manifest]:
    spec = spec or spec_of()
    inputs = dataclasses.replace(inputs_of(spec, EVERYTHING), tiers=TierPlan(tiers, **plan))
    return by_name(render(POOL, spec, model, inputs, release))


def engine(objects: dict[str, Manifest], name: str = "chat-h200") -> dict[str, Any]:
    pod = objects[f"Deployment/{name}"]["spec"]["template"]["spec"]
    return {**pod["containers"][0], "pod": pod}


def transfer(container: dict[str, Any]) -> dict[str, Any]:
    prefix = "--kv-transfer-config="
    [found] = [json.loads(arg.removeprefix(prefix)) for arg in container["args"] if arg.startswith(prefix)]
    return dict(found)


CASES: dict[str, dict[str, Any]] = {
    "host": {"tiers": (HOST,)},
    "host-filesystem": {"tiers": (HOST, DISK), "events": True},
    "filesystem": {"tiers": (DISK,), "chunk_tokens": 500},
    "object": {"tiers": (HOST, BUCKET)},
    "lmcache": {"tiers": (HOST,), "connector": "lmcache"},
    "canary": {"tiers": (HOST, DISK), "canary": "h200"},
    "0.5-host": {"tiers": (HOST,), "release": OLD},
    "0.5-filesystem": {"tiers": (DISK,), "release": OLD},
}


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    """Engines and the store's owner; its program is left out, it is tested as itself."""
    values = dict(CASES[case])
    if values.get("release") is OLD:
        values["spec"] = spec_of(engine=OLD_ENGINE)
    objects = rendered(*values.pop("tiers"), **values)
    shown = [
        obj for name, obj in objects.items() if obj["kind"] == "Deployment" and "epp" not in name
    ]  # fmt: skip
    for obj in shown:
        obj["spec"]["template"]["metadata"].pop("annotations", None)
        obj["metadata"]["labels"].pop("lamplight.dev/spec-hash")
    text = yaml.dump_all(shown, Dumper=_Plain, sort_keys=False, width=120)
    path = GOLDEN / f"{case}.yaml"
    if os.environ.get("LAMPLIGHT_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), "set LAMPLIGHT_UPDATE_GOLDEN=1 to accept, and read the difference"


@pytest.mark.parametrize("case", CASES)
def test_a_real_cluster_and_a_real_engine_take_it(case: str) -> None:
    values = dict(CASES[case])
    release = values.get("release", CURRENT)
    if release is OLD:
        values["spec"] = spec_of(engine=OLD_ENGINE)
    objects = rendered(*values.pop("tiers"), **values)
    assert [fault for manifest in objects.values() for fault in faults(manifest)] == []
    if release is CURRENT:
        assert [f for m in objects.values() for v in ("0.32.0", "0.33.0") for f in command_faults(m, v)] == []


def test_memory_and_shared_memory_grow_by_the_host_tier() -> None:
    plain, tiered = engine(rendered()), engine(rendered(HOST))
    assert plain["resources"]["limits"]["memory"] == "64Gi"
    assert tiered["resources"]["limits"]["memory"] == tiered["resources"]["requests"]["memory"] == "192Gi"
    shm = next(volume for volume in tiered["pod"]["volumes"] if volume["name"] == "shm")
    assert shm["emptyDir"]["sizeLimit"] == "148Gi"
    assert "vllm_offload_" in json.dumps(tiered["lifecycle"]["postStart"])
    assert "postStart" not in plain["lifecycle"]
    config = transfer(tiered)
    assert config["kv_load_failure_policy"] == "recompute"
    assert config["kv_connector_extra_config"]["cpu_bytes_to_use"] == 128 * GIB
    assert {"name": "PYTHONHASHSEED", "value": "42"} in tiered["env"]


def test_a_store_without_a_host_tier_is_staged_and_chunks_are_whole_blocks() -> None:
    config = transfer(engine(rendered(DISK, chunk_tokens=500)))["kv_connector_extra_config"]
    assert config["cpu_bytes_to_use"] == 8 * GIB
    assert config["block_size"] == 512
    coarse = spec_of(engine={"image": "vllm/vllm-openai:v0.33.0", "args": ["--block-size=64", "--max-model-len=4096"]})
    assert transfer(engine(rendered(DISK, spec=coarse, chunk_tokens=100)))["kv_connector_extra_config"][
        "block_size"
    ] == 128  # fmt: skip


def root_of(**changes: Any) -> str:
    model, spec = changes.pop("model", SHAPED), spec_of(**changes)
    config = transfer(engine(rendered(HOST, DISK, spec=spec, model=model)))["kv_connector_extra_config"]
    return str(config["secondary_tiers"][0]["root_dir"])


def test_other_weights_engines_and_types_have_other_folders() -> None:
    base = root_of()
    assert base.startswith("/mnt/kv-store/chat-")
    assert base == root_of(variants=[variant(replicas={"min": 1, "max": 9})])
    others = [
        root_of(model=dataclasses.replace(SHAPED, revision="0123abc")),
        root_of(model=dataclasses.replace(SHAPED, source="hf://meta-llama/Llama-3.1-8B")),
        root_of(engine={"image": "vllm/vllm-openai:v0.32.0"}),
        root_of(
            engine={"image": "vllm/vllm-openai:v0.33.0", "args": ["--kv-cache-dtype=fp8", "--max-model-len=16384"]}
        ),
    ]
    assert len({base, *others}) == 5
    assert len({path.rpartition("/")[0] for path in (base, *others)}) == 1


def test_secrets_are_named_and_never_written() -> None:
    container = engine(rendered(HOST, BUCKET))
    assert "AWS_SECRET_ACCESS_KEY" not in " ".join(container["args"])
    [key] = [variable for variable in container["env"] if variable["name"] == "AWS_SECRET_ACCESS_KEY"]
    assert key["valueFrom"]["secretKeyRef"] == {"name": "s3-cred", "key": "AWS_SECRET_ACCESS_KEY"}


def test_two_connectors_become_one_that_recomputes_what_cannot_be_loaded() -> None:
    tiers = {"kv_connector": "OffloadingConnector", "kv_role": "kv_both", "kv_load_failure_policy": "recompute"}
    [argument] = transfer_args(({"kv_connector": "NixlConnector", "kv_role": "kv_both"}, tiers))
    config = json.loads(argument.partition("=")[2])
    assert (config["kv_connector"], config["kv_load_failure_policy"]) == ("MultiConnector", "recompute")
    assert [one["kv_connector"] for one in config["kv_connector_extra_config"]["connectors"]] == [
        "NixlConnector", "OffloadingConnector",
    ]  # fmt: skip


def test_a_canary_that_is_kept_is_not_begun_anew_and_the_others_get_what_it_has() -> None:
    tried = rendered(HOST, DISK, canary="h200", stands="instead")
    kept = rendered(HOST, DISK, canary="h200", stands="kept")
    canary = "Deployment/chat-h200-canary"
    assert kept[canary] == tried[canary]
    assert kept["Deployment/chat-h200"] == rendered(HOST, DISK)["Deployment/chat-h200"]
    assert engine(kept)["args"] == engine(kept, "chat-h200-canary")["args"]


def test_the_canary_is_one_more_replica_and_the_others_stay_as_they_are() -> None:
    plain, tried = rendered(), rendered(HOST, DISK, canary="h200")
    own = tried["Deployment/chat-h200"]
    assert own == plain["Deployment/chat-h200"]
    canary = tried["Deployment/chat-h200-canary"]
    assert canary["spec"]["replicas"] == 1
    assert on_trial(tried.values()) == {"h200": 1}
    assert on_trial(plain.values()) == {}
    assert VARIANT not in canary["metadata"]["labels"]
    assert canary["metadata"]["labels"][COMPONENT] == "engine-canary"
    labels = canary["spec"]["template"]["metadata"]["labels"]
    assert canary["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert own["spec"]["selector"]["matchLabels"].items() <= labels.items(), "routers take it"
    assert not canary["spec"]["selector"]["matchLabels"].items() <= (
        own["spec"]["template"]["metadata"]["labels"].items()
    )
    assert transfer(engine(tried, "chat-h200-canary"))["kv_connector"] == "OffloadingConnector"
    assert "Deployment/chat-kv-evictor" in tried
    assert "Deployment/chat-kv-evictor" not in plain


def test_the_stores_owner_knows_its_folder_its_quota_and_what_is_live() -> None:
    objects = rendered(HOST, DISK)
    container = engine(objects, "chat-kv-evictor")
    arguments = dict(arg.partition("=")[::2] for arg in container["args"])
    root, _, live = root_of().rpartition("/")
    assert (arguments["--root"], arguments["--live"]) == (root, live)
    assert (arguments["--quota"], arguments["--ttl"]) == (str(500 * GIB), "1800")
    files = objects["ConfigMap/chat-kv-evictor"]["data"]
    folder = Path(__file__).parents[3] / "apps" / "evictor"
    assert {file.name: file.read_text() for file in folder.glob("*.py")} == files


def test_a_store_is_told_of_by_events_whoever_decided_on_it() -> None:
    container = engine(rendered(HOST, DISK, events=False))
    assert any(arg.startswith("--kv-events-config=") for arg in container["args"])
    [disk] = transfer(container)["kv_connector_extra_config"]["secondary_tiers"]
    assert disk["enable_kv_events"] is True


def test_events_are_published_where_somebody_decides_by_them() -> None:
    container = engine(rendered(events=True))
    assert any(arg.startswith("--kv-events-config=") for arg in container["args"])
    assert not any(arg.startswith("--kv-transfer-config") for arg in container["args"])
    assert {"kv-events", "kv-replay"} <= {port["name"] for port in container["ports"]}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "lmcache shares no disk": (
        {"tiers": (HOST, DISK), "connector": "lmcache"}, "TierNotInConnector", "connector native",
    ),
    "0.5 has no object store": ({"tiers": (BUCKET,), "release": OLD}, "TierNotInRelease", "current release"),
    "0.5 has one tier": ({"tiers": (HOST, DISK), "release": OLD}, "TierNotInRelease", "one of the two"),
    "no prefix cache": (
        {"tiers": (HOST,), "engine": {"image": "vllm/vllm-openai:v0.33.0", "args": ["--no-enable-prefix-caching"]}},
        "TierNeedsPrefixCache", "--no-enable-prefix-caching out",
    ),
    "the canary's variant is not there": ({"tiers": (HOST,), "canary": "b200"}, "CanaryNotPossible", "another variant"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_had_is_refused_with_a_mend(case: str) -> None:
    values, reason, mend = REFUSED[case]
    values = dict(values)
    engine_spec = values.pop("engine", None)
    if values.get("release") is OLD:
        engine_spec = OLD_ENGINE
    if engine_spec:
        values["spec"] = spec_of(engine=engine_spec)
    with pytest.raises(PlanRefused) as refused:
        rendered(*values.pop("tiers"), **values)
    assert refused.value.reason == reason
    assert mend in str(refused.value)


def test_only_gpus_offload() -> None:
    spec = spec_of(variants=[variant(name="cpu", accelerator="cpu")])
    inputs: Inputs = dataclasses.replace(
        inputs_of(spec, EVERYTHING),
        tiers=TierPlan((HOST,)),
        accelerators={"cpu": dataclasses.replace(ACCELERATORS["cpu"], family="cpu")},
    )
    with pytest.raises(PlanRefused, match="GPUs only"):
        render(POOL, spec, SHAPED, inputs, CURRENT)


def test_a_claim_with_a_size_is_made_before_any_tier_and_one_without_is_somebodys() -> None:
    tier = {"kind": "filesystem", "bytes": "100Gi", "claim": "kv-cache", "size": "200Gi", "storageClass": "nfs"}
    for mode in ("auto", "off"):
        claim = rendered(spec=spec_of(offload={"mode": mode, "tiers": [tier]}))["PersistentVolumeClaim/kv-cache"]
        assert claim["spec"] == {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "nfs",
            "resources": {"requests": {"storage": "200Gi"}},
        }
        # it is the pool's, and goes with it
        assert claim["metadata"]["labels"]["lamplight.dev/pool-uid"] == POOL.uid
    theirs = {"kind": "filesystem", "bytes": "100Gi", "claim": "kv-cache"}
    assert "PersistentVolumeClaim/kv-cache" not in rendered(spec=spec_of(offload={"mode": "auto", "tiers": [theirs]}))


@pytest.mark.parametrize(
    ("tier", "said"),
    [
        ({"kind": "filesystem", "bytes": "300Gi", "claim": "kv", "size": "200Gi"}, "more bytes than the size"),
        ({"kind": "filesystem", "bytes": "100Gi", "claim": "kv", "storageClass": "nfs"}, "say its size too"),
        ({"kind": "host", "bytes": "100Gi", "size": "200Gi"}, "tier host has no size"),
        ({"kind": "filesystem", "bytes": "100Gi", "size": "200Gi"}, "has no claim"),
    ],
)
def test_claims_that_mean_nothing_are_refused(tier: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        spec_of(offload={"mode": "auto", "tiers": [tier]})


def test_an_engine_that_sleeps_asks_for_its_weights_and_for_its_tier() -> None:
    variants = [variant(resources={"cpu": "8", "memory": "64Gi"})]
    spec = spec_of(variants=variants, autoscaling={"mode": "active", "idle": "standby"})
    asked = [engine(rendered(*tiers, spec=spec))["resources"]["requests"]["memory"] for tiers in ((), (HOST,))]
    assert [parse_bytes(size) for size in asked] == [64 * 2**30, 64 * 2**30 + HOST.bytes]
