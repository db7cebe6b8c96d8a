"""LoRA adapters of the Model on the engines of a pool; requests go where their adapter is loaded."""

from __future__ import annotations

import json

from apps.pools.domain.context import Context
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.manifests import AdapterFacts
from apps.pools.domain.options.option import Option
from apps.pools.domain.parts import EngineParts
from apps.pools.domain.scheduling import Plugin, Scheduling
from apps.pools.domain.spec import Variant

# the volume of adapters that lie on a claim; hf:// adapters are fetched by the engine
ADAPTERS_PATH = "/adapters"


def _parts(context: Context, variant: Variant) -> EngineParts:
    chosen = context.spec.adapters
    assert chosen is not None
    args = ["--enable-lora", f"--max-loras={chosen.max_loaded}", f"--max-lora-rank={chosen.max_rank}"]
    if chosen.max_on_host is not None:
        args.append(f"--max-cpu-loras={chosen.max_on_host}")
    if context.model.adapters:
        args += ["--lora-modules", *(_module(adapter, context) for adapter in context.model.adapters)]
    claims = sorted({_claim(adapter) for adapter in context.model.adapters if adapter.source.startswith("pvc://")})
    runtime = ({"name": "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "value": "1"},) if chosen.runtime else ()
    return EngineParts(
        args=tuple(args),
        env=runtime,
        volumes=tuple(
            {"name": f"adapters-{i}", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
            for i, claim in enumerate(claims)
        ),
        mounts=tuple(
            {"name": f"adapters-{i}", "mountPath": f"{ADAPTERS_PATH}/{claim}", "readOnly": True}
            for i, claim in enumerate(claims)
        ),
    )


def _module(adapter: AdapterFacts, context: Context) -> str:
    path = adapter.source.removeprefix("hf://")
    if adapter.source.startswith("pvc://"):
        path = f"{ADAPTERS_PATH}/{adapter.source.removeprefix('pvc://')}"
    module = {"name": adapter.name, "path": path, "base_model_name": context.model.served_name}
    return json.dumps(module, separators=(",", ":"))


def _claim(adapter: AdapterFacts) -> str:
    return adapter.source.removeprefix("pvc://").partition("/")[0]


def _scheduling(context: Context, scheduling: Scheduling) -> Scheduling:
    chosen = context.spec.adapters
    assert chosen is not None
    if not chosen.affinity or not any(
        weight is not None for steps in scheduling.profiles.values() for _, weight in steps
    ):
        return scheduling
    return scheduling.with_scorer(Plugin("lora-affinity-scorer"), chosen.affinity)


# --- what must hold ------------------------------------------------------------------------------------------------
def _any(q: Question) -> str | None:
    chosen = q.spec.adapters
    if chosen is None or q.model is None or q.model.adapters or chosen.runtime:
        return None
    return (
        f"model {q.model.name} has no adapters, and none may be loaded at run time: declare loraAdapters of the Model, "
        "set adapters.runtime to true, or leave adapters out"
    )


def _ranks(q: Question) -> str | None:
    chosen = q.spec.adapters
    for adapter in q.model.adapters if q.model is not None and chosen is not None else ():
        if adapter.rank is not None and chosen is not None and adapter.rank > chosen.max_rank:
            return (
                f"adapter {adapter.name} has rank {adapter.rank}, and engines take at most {chosen.max_rank}: raise "
                "adapters.maxRank"
            )
    return None


def _names(q: Question) -> str | None:
    if q.spec.adapters is None or q.model is None:
        return None
    if any(adapter.name == q.model.served_name for adapter in q.model.adapters):
        return (
            f"adapter {q.model.served_name} has the name under which the model itself is served: requests could mean "
            "either; rename the adapter"
        )
    return None


OPTION = Option(
    name="adapters",
    title="LoRA adapters",
    about="Adapters of the Model are served under their own names; requests go where theirs is loaded.",
    on=lambda spec: spec.adapters is not None,
    invariants=(
        Invariant("NoAdapters", "There is an adapter to serve, or one may be loaded.", _any, "/spec/adapters"),
        Invariant(
            "AdapterRankTooLarge", "Engines take adapters of every declared rank.", _ranks, "/spec/adapters/maxRank"
        ),
        Invariant("AdapterNameTaken", "Adapter and model have names of their own.", _names, "/spec/adapters"),
    ),
    parts=_parts,
    scheduling=_scheduling,
)
