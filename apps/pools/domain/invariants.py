"""Named checks of what must hold of a pool before anything of it is applied.

A broken one refuses the plan with a sentence that says what is wrong and how to mend it. Each looks only at what it
needs: while a document is accepted, the model or the release may not be known yet, and such checks wait for the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from apps.catalog.domain.accelerators import accelerators as catalogue
from apps.catalog.domain.dialects import Dialect
from apps.catalog.domain.fit import DEFAULT_UTILIZATION, Asked, Fit, fit
from apps.pools.domain.engines import given
from apps.pools.domain.manifests import Inputs, ModelFacts, PlanRefused
from apps.pools.domain.spec import DEFAULT_IMAGE, PoolSpec, Variant


@dataclass(frozen=True)
class Question:
    """What an invariant may look at; None where it is not known yet."""

    spec: PoolSpec
    model: ModelFacts | None = None
    inputs: Inputs | None = None
    dialect: Dialect | None = None

    @property
    def engine_version(self) -> tuple[int, int] | None:
        """vLLM's minor version by the pool's image, None where the tag does not say or nobody chose an image."""
        if self.spec.engine.image == DEFAULT_IMAGE and (self.dialect is None or self.dialect.name != "current"):
            return None
        version = self.spec.engine.version
        if version is None:
            return None
        major, minor = version.split(".")[:2]
        return int(major), int(minor)

    def argument(self, flag: str) -> str | None:
        """The value of a flag among the pool's own arguments, None when it is not there."""
        return given(self.spec.engine.args, flag)

    def variants(self, *roles: str) -> tuple[Variant, ...]:
        return tuple(v for v in self.spec.variants if v.role in roles)


@dataclass(frozen=True)
class Invariant:
    """`name`: one CamelCase word, the reason of a refusal. `holds`: what must hold, as a sentence for the docs.

    `broken`: the sentence of a refusal, with its mend, or None. `at`: what of the document it is about.
    """

    name: str
    holds: str
    broken: Callable[[Question], str | None]
    at: str = "/spec/variants"


def broken(invariants: Iterable[Invariant], question: Question) -> Iterator[tuple[Invariant, str]]:
    """The invariants that do not hold, each with its sentence."""
    for invariant in invariants:
        sentence = invariant.broken(question)
        if sentence is not None:
            yield invariant, sentence


def insist(invariants: Iterable[Invariant], question: Question) -> None:
    """Raises PlanRefused with the first invariant that does not hold."""
    for invariant, sentence in broken(invariants, question):
        raise PlanRefused(invariant.name, sentence)


# --- what holds of every pool --------------------------------------------------------------------------------------
def _vendor(q: Question) -> str | None:
    if q.dialect is None:
        return None
    for variant in q.spec.variants:
        row = catalogue().get(variant.accelerator)
        why = q.dialect.vendors_without.get(row.family) if row else None
        if row is not None and why:
            return (
                f"variant {variant.name}: llm-d {q.dialect.name} does not serve on {row.title}: {why}. "
                "Use another accelerator, or a cluster with dialect 0.5"
            )
    return None


def _old_engine(q: Question) -> str | None:
    if q.dialect is None or q.engine_version is None or q.dialect.name != "current":
        return None
    least = tuple(int(part) for part in q.dialect.least_engine.split("."))
    if q.engine_version < least:
        return (
            f"{q.spec.engine.image} is older than vLLM {q.dialect.least_engine}, the oldest whose flags llm-d "
            f"{q.dialect.name} uses: choose a newer image, or a cluster with dialect 0.5"
        )
    return None


def _seed(q: Question) -> str | None:
    if "PYTHONHASHSEED" in q.spec.engine.env:
        return "Lamplight sets PYTHONHASHSEED, the same on every engine and picker: leave it out of engine.env"
    return None


def _one_flag(q: Question) -> str | None:
    for flag, instead in (
        ("--kv-transfer-config", "routing.disaggregation or offload"),
        ("--kv-events-config", "path precise-prefix-cache or offload.mode"),
        ("--kv-offloading-size", "offload.tiers"),
    ):
        if q.argument(flag) is not None:
            return f"{flag} is rendered from {instead}: a second one in engine.args would undo it; leave it out"
    return None


def asked_of(spec: PoolSpec, variant: Variant) -> Asked:
    """What a replica of a variant is to be, as its command line says."""
    utilization = given(spec.engine.args, "--gpu-memory-utilization")
    longest = given(spec.engine.args, "--max-model-len")
    batched = given(spec.engine.args, "--max-num-batched-tokens")
    return Asked(
        tensor=variant.parallelism.tensor,
        pipeline=variant.parallelism.pipeline,
        data=variant.parallelism.data,
        utilization=_number(utilization) or DEFAULT_UTILIZATION,
        max_model_len=_count(longest),
        batched_tokens=_count(batched) or 8192,
        kv_element=1 if (given(spec.engine.args, "--kv-cache-dtype") or "").startswith("fp8") else None,
        expert_parallel=spec.path == "wide-ep",
    )


def fit_of(spec: PoolSpec, variant: Variant, model: ModelFacts) -> Fit | None:
    """Whether a replica of a variant fits its accelerators, None for one that we do not know."""
    row = catalogue().get(variant.accelerator)
    return fit(model.shape, row.memory, asked_of(spec, variant)) if row is not None else None


def _fits(q: Question) -> str | None:
    if q.model is None:
        return None
    for variant in q.spec.variants:
        answer = fit_of(q.spec, variant, q.model)
        # heads are looked at where the document is
        if answer is not None and answer.verdict == "no" and answer.weights is not None:
            return f"variant {variant.name}: {answer.reason}: {answer.mend}"
    return None


def _several_pickers(q: Question) -> str | None:
    if (q.spec.routing.picker_replicas or 1) > 1 and q.spec.path != "precise-prefix-cache":
        return (
            f"{q.spec.routing.picker_replicas} pickers side by side each know a part of what was routed where: "
            "only path precise-prefix-cache may have several; leave routing.pickerReplicas out"
        )
    return None


_SETTINGS = {
    "precise": ("precise-prefix-cache",),
    "disaggregation": ("pd-disaggregation", "wide-ep"),
    "expert_parallel": ("wide-ep",),
    "prediction": ("predicted-latency",),
    "flow_control": ("flow-control", "scale-to-zero"),
}


def _foreign_settings(q: Question) -> str | None:
    for name, paths in _SETTINGS.items():
        if getattr(q.spec.routing, name) is not None and q.spec.path not in paths:
            shown = "".join(part if i == 0 else part.title() for i, part in enumerate(name.split("_")))
            return (
                f"routing.{shown} does nothing on path {q.spec.path}: choose path {' or '.join(paths)}, or leave it out"
            )
    return None


def _claims(q: Question) -> str | None:
    for variant in q.spec.variants:
        row = catalogue().get(variant.accelerator)
        if variant.devices != "claim" or row is None:
            continue
        if row.device_class is None:
            return f"variant {variant.name}: {row.title} has no device class: set devices to plugin"
        if q.inputs is not None and not q.inputs.has("ResourceClaimTemplate", "resource.k8s.io"):
            return (
                f"variant {variant.name} asks for its accelerators by a claim, and this cluster has no "
                "ResourceClaimTemplate: enable dynamic resource allocation there, or set devices to plugin"
            )
    return None


def _topology(q: Question) -> str | None:
    for variant in q.spec.variants:
        row = catalogue().get(variant.accelerator)
        if row is None or not row.topologies or str(variant.accelerators_per_pod) in row.topologies:
            continue
        sizes = ", ".join(row.topologies)
        return (
            f"variant {variant.name}: nodes with {row.title} have {sizes} chips for a pod, not "
            f"{variant.accelerators_per_pod}: make tensor x pipeline x data one of them"
        )
    return None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _count(text: str | None) -> int | None:
    """`16384`, `16k` (thousands), `16K` (of 1024), as vLLM reads sizes."""
    if not text:
        return None
    units = {"k": 10**3, "m": 10**6, "K": 2**10, "M": 2**20}
    number = _number(text[:-1] if text[-1] in units else text)
    return int(number * units.get(text[-1], 1)) if number and number > 0 else None


EVERY_POOL = (
    Invariant("SettingsOfAnotherPath", "Settings belong to the pool's own path.", _foreign_settings, "/spec/routing"),
    Invariant("VendorNotInRelease", "The llm-d release serves on the accelerator's vendor.", _vendor),
    Invariant("EngineTooOld", "The engine is no older than the release's flags.", _old_engine, "/spec/engine/image"),
    Invariant("HashSeedNotEqual", "PYTHONHASHSEED is the same on every engine and picker.", _seed, "/spec/engine/env"),
    Invariant("RenderedTwice", "What Lamplight renders is not given a second time.", _one_flag, "/spec/engine/args"),
    Invariant("DoesNotFit", "Weights, activations and one longest request fit into a replica's memory.", _fits),
    Invariant(
        "SeveralPickers",
        "Pickers run side by side only where each has the whole index.",
        _several_pickers,
        "/spec/routing/pickerReplicas",
    ),
    Invariant("NoDeviceClass", "Accelerators are claimed only where a device class and its API exist.", _claims),
    Invariant("NoSuchTopology", "A pod asks for as many chips as its nodes are cut into.", _topology),
)
