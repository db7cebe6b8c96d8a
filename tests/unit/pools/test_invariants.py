"""Each invariant of each path and option is broken once, by name; and every sentence says how to mend it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from apps.catalog.domain.dialects import dialect
from apps.catalog.domain.model import Shape
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.manifests import AdapterFacts, Inputs, ModelFacts, PlanRefused
from apps.pools.domain.paths import PATHS, broken_of, every_invariant, render
from apps.pools.domain.spec import PoolSpec
from tests.unit.pools.paths import KINDS, inputs_for, merged, model_of, path_document
from tests.unit.pools.rendering import POOL

Change = Callable[[Any], Any]


def one(**changes: Any) -> dict[str, Any]:
    """A document's only variant with changes."""
    return {"variants": [{"name": "h200", "accelerator": "nvidia-h200", "replicas": {"min": 1, "max": 2}, **changes}]}


def roles(prefill: dict[str, Any], decode: dict[str, Any]) -> dict[str, Any]:
    base = {"accelerator": "nvidia-h200", "replicas": {"min": 1, "max": 2}}
    return {
        "variants": [
            {"name": "prefill", "role": "prefill", **base, **prefill},
            {"name": "decode", "role": "decode", **base, **decode},
        ]
    }


def args(*words: str) -> dict[str, Any]:
    return {"engine": {"args": list(words)}}


def routing(**changes: Any) -> dict[str, Any]:
    return {"routing": changes}


def placed(queue: str | None = None, groupSize: int = 2, **placement: Any) -> dict[str, Any]:
    """A wide-EP document whose groups run in one block of switches."""
    shape = {"parallelism": {"tensor": 1, "data": 2 * groupSize}, "groupSize": groupSize, "queue": queue}
    experts = {"balance": False, "placement": {"domain": "example.com/block", **placement}}
    return {**roles(shape, shape), **routing(expertParallel=experts)}


def without(*kinds: str) -> Any:
    return lambda inputs: dataclasses.replace(inputs, kinds=KINDS - set(kinds))


def shaped(**shape: Any) -> Any:
    return lambda model: dataclasses.replace(model, shape=model.shape.model_copy(update=shape))


WIDE = {"parallelism": {"tensor": 1, "data": 8}, "groupSize": 2}
POOLS = "InferencePool.inference.networking.k8s.io"
DENSE = Shape(layers=32, kv_heads=8, head_dim=128, heads=32, parameters=8_030_000_000, experts=0)
# path, name of the invariant, changes of the document, and where needed: release, model, inputs
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    # every pool
    ("optimized-baseline", "SettingsOfAnotherPath", routing(precise={}), {}),
    ("optimized-baseline", "VendorNotInRelease", one(accelerator="intel-gaudi3"), {}),
    ("optimized-baseline", "EngineTooOld", {"engine": {"image": "vllm/vllm-openai:v0.14.1"}}, {}),
    ("optimized-baseline", "HashSeedNotEqual", {"engine": {"env": {"PYTHONHASHSEED": "1"}}}, {}),
    ("optimized-baseline", "RenderedTwice", args("--kv-transfer-config={}"), {}),
    ("optimized-baseline", "RenderedTwice", args("--kv_events_config", "{}"), {}),
    ("optimized-baseline", "DoesNotFit", one(accelerator="nvidia-l4"), {"model": shaped(parameters=70_000_000_000)}),
    ("optimized-baseline", "DoesNotFit", args("--max-model-len=2000000"), {}),
    ("optimized-baseline", "SeveralPickers", routing(pickerReplicas=2), {}),
    ("optimized-baseline", "NoDeviceClass", one(accelerator="cpu", devices="claim"), {}),
    (
        "optimized-baseline",
        "NoDeviceClass",
        one(devices="claim"),
        {"inputs": without("ResourceClaimTemplate.resource.k8s.io")},
    ),
    ("optimized-baseline", "NoSuchTopology", one(accelerator="google-tpu-v6e", parallelism={"tensor": 2}), {}),
    # shared by several paths
    ("optimized-baseline", "RoleNotInPath", one(role="prefill"), {}),
    ("optimized-baseline", "GroupNotInPath", one(groupSize=2, parallelism={"tensor": 2}), {}),
    ("precise-prefix-cache", "PickerMissing", routing(picker=False), {}),
    ("precise-prefix-cache", "PickerMissing", {}, {"inputs": without(POOLS)}),
    # precise prefix cache
    ("precise-prefix-cache", "BlockSizeNotEqual", args("--block-size=16"), {}),
    ("precise-prefix-cache", "PrefixCachingOff", args("--no-enable-prefix-caching"), {}),
    ("precise-prefix-cache", "RanksNotHeard", one(parallelism={"data": 2}), {}),
    (
        "precise-prefix-cache",
        "EventsNotReadable",
        {"engine": {"image": "vllm/vllm-openai:v0.32.0"}},
        {"release": "0.5"},
    ),
    (
        "precise-prefix-cache",
        "TokenizerNotReachable",
        {},
        {"release": "0.5", "model": lambda model: dataclasses.replace(model, source="s3://bucket/llama")},
    ),
    # prefill apart from decode
    ("pd-disaggregation", "RolesMissing", one(role="decode"), {}),
    ("pd-disaggregation", "RolesMissing", one(), {}),
    (
        "pd-disaggregation",
        "TensorParallelNotDivisible",
        roles({"parallelism": {"tensor": 4}}, {"parallelism": {"tensor": 2}}),
        {},
    ),
    ("pd-disaggregation", "AcceleratorsDiffer", roles({}, {"accelerator": "amd-mi300x"}), {}),
    ("pd-disaggregation", "ConnectorNotInPlace", routing(disaggregation={"connector": "tpu"}), {}),
    ("pd-disaggregation", "ConnectorNotInPlace", routing(disaggregation={"transport": "libfabric"}), {}),
    ("pd-disaggregation", "BlockSizeNotEqual", args("--block-size", "64"), {}),
    # wide expert parallelism
    ("wide-ep", "LeaderWorkerSetMissing", {}, {"inputs": without("LeaderWorkerSet.leaderworkerset.x-k8s.io")}),
    (
        "wide-ep",
        "RolesMixed",
        {"variants": [{"name": "d", "accelerator": "nvidia-h200", "role": "decode", **WIDE}]},
        {},
    ),
    ("wide-ep", "NoExperts", {}, {"model": lambda model: dataclasses.replace(model, shape=None)}),
    ("wide-ep", "NoExperts", {}, {"model": lambda model: dataclasses.replace(model, shape=DENSE)}),
    ("wide-ep", "ExpertsNotDivisible", routing(expertParallel={"redundantExperts": 3}), {}),
    ("wide-ep", "RanksNotDivisible", one(parallelism={"tensor": 2, "data": 3}, groupSize=2), {}),
    ("wide-ep", "RanksNotDivisible", one(parallelism={"data": 16}, groupSize=1), {}),
    ("wide-ep", "RanksDiffer", roles(WIDE, {"parallelism": {"tensor": 1, "data": 8}, "groupSize": 4}), {}),
    ("wide-ep", "FabricTooSlow", routing(disaggregation={"fabric": "tcp"}), {}),
    ("wide-ep", "FabricTooSlow", one(accelerator="amd-mi300x", **WIDE), {}),
    ("wide-ep", "KernelsNotInRelease", routing(expertParallel={"moeBackend": "deep_gemm"}), {"release": "0.5"}),
    ("wide-ep", "SubGroupsUneven", placed(subGroupSize=2, subGroupDomain="example.com/nvlink", groupSize=3), {}),
    ("wide-ep", "PlacedTwice", placed(exclusive=True, queue="team-a"), {}),
    # tiers
    ("tiered-prefix-cache", "NoTier", {"offload": {"mode": "off", "tiers": []}}, {}),
    ("tiered-prefix-cache", "CapacityUnknown", {}, {"model": lambda model: dataclasses.replace(model, shape=None)}),
    # predicted latency
    (
        "predicted-latency",
        "ReplicasDiffer",
        roles({"role": "both"}, {"role": "both", "accelerator": "nvidia-h100"}),
        {},
    ),
    ("predicted-latency", "StreamingNotInRelease", routing(prediction={"streaming": False}), {"release": "0.5"}),
    ("predicted-latency", "AdmissionNotInRelease", routing(prediction={"admission": True}), {"release": "0.5"}),
    # flow control, from zero
    ("flow-control", "ObjectivesMissing", {}, {"inputs": without("InferenceObjective.llm-d.ai")}),
    (
        "flow-control",
        "BandsNotInRelease",
        routing(flowControl={"bands": [{"name": "a", "priority": 1, "maxRequests": 5}]}),
        {"release": "0.5"},
    ),
    ("scale-to-zero", "NeverEmpty", one(), {}),
    ("scale-to-zero", "NobodyWakes", {"autoscaling": {"mode": "advisory"}}, {}),
    ("scale-to-zero", "NobodyWakes", {"autoscaling": {"idle": "keep"}}, {}),
    (
        "scale-to-zero",
        "HoldTooShort",
        routing(flowControl={"hold": "2m"}),
        {"inputs": lambda i: dataclasses.replace(i, start_up=118.0)},
    ),
    (
        "flow-control",
        "HoldTooShort",
        {**one(replicas={"min": 0, "max": 2}), **routing(flowControl={"hold": "2m"})},
        {"inputs": lambda i: dataclasses.replace(i, start_up=118.0)},
    ),
    ("scale-to-zero", "HoldNotInRelease", {}, {"release": "0.5"}),
    # options
    ("predicted-latency", "NoPrefixScores", routing(weights={"coldSpread": 2}), {}),
    ("wide-ep", "NoPrefixScores", routing(weights={"coldSpread": 2}), {"release": "0.5"}),
    (
        "optimized-baseline",
        "NoAdapters",
        {"adapters": {}},
        {"model": lambda model: dataclasses.replace(model, adapters=())},
    ),
    ("optimized-baseline", "AdapterRankTooLarge", {"adapters": {"maxRank": 8}}, {}),
    (
        "optimized-baseline",
        "AdapterNameTaken",
        {"adapters": {}},
        {"model": lambda model: dataclasses.replace(model, adapters=(AdapterFacts(model.served_name, "hf://a/b"),))},
    ),
    (
        "optimized-baseline",
        "SpeculationOverStages",
        {"speculative": {"method": "mtp"}, **one(parallelism={"pipeline": 2})},
        {},
    ),
    ("optimized-baseline", "SpeculationTwice", {"speculative": {"method": "mtp"}, **args("--spec-tokens=2")}, {}),
    (
        "optimized-baseline",
        "RewriteMissing",
        routing(rewrites=[{"model": "a", "targets": [{"model": "llama-3.1-8b"}]}]),
        {"inputs": without("InferenceModelRewrite.llm-d.ai")},
    ),
    ("optimized-baseline", "RewriteToNobody", routing(rewrites=[{"model": "a", "targets": [{"model": "b"}]}]), {}),
    (
        "optimized-baseline",
        "RewriteTwice",
        routing(rewrites=[{"model": "a", "targets": [{"model": "llama-3.1-8b"}]}] * 2),
        {},
    ),
    (
        "optimized-baseline",
        "NothingToCache",
        {"modelCache": {"claim": "weights"}},
        {"model": lambda model: dataclasses.replace(model, source="s3://bucket/m")},
    ),
]


def asked(path: str, changes: dict[str, Any], release: str, model: Change | None, inputs: Change | None) -> Question:
    spec = PoolSpec.from_document(merged(path_document(path), changes))
    facts: ModelFacts = model_of(spec)
    given: Inputs = inputs_for(spec)
    return Question(spec, model(facts) if model else facts, inputs(given) if inputs else given, dialect(release))


@pytest.mark.parametrize(
    ("path", "name", "changes", "world"), CASES, ids=[f"{c[0]}-{c[1]}-{i}" for i, c in enumerate(CASES)]
)
def test_a_broken_invariant_is_named_and_refuses_the_plan(
    path: str, name: str, changes: dict[str, Any], world: dict[str, Any]
) -> None:
    question = asked(path, changes, world.get("release", "current"), world.get("model"), world.get("inputs"))
    said = {invariant.name: sentence for invariant, sentence in broken_of(question)}
    assert name in said, said
    assert len(said[name]) > 40, "a sentence, with its mend"
    assert any(word in said[name] for word in (": ", "; ")), said[name]
    assert question.model is not None
    assert question.inputs is not None
    assert question.dialect is not None
    with pytest.raises(PlanRefused) as refused:
        render(POOL, question.spec, question.model, question.inputs, question.dialect)
    assert refused.value.reason in said


def all_invariants() -> dict[str, Invariant]:
    return {invariant.name: invariant for invariant in every_invariant()}


def test_every_invariant_has_a_test_that_breaks_it() -> None:
    assert all_invariants().keys() == {name for _, name, _, _ in CASES}
    assert all(invariant.holds.endswith(".") for invariant in all_invariants().values())


@pytest.mark.parametrize("path", PATHS)
def test_the_examples_break_nothing(path: str) -> None:
    question = asked(path, {}, "current", None, None)
    assert [sentence for _, sentence in broken_of(question)] == []


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_known_yet_refuses_nothing(path: str) -> None:
    assert list(broken_of(Question(PoolSpec.from_document(path_document(path))))) == []
