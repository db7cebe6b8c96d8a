"""What is wrong with a pool beyond its shape: flags, names, accelerators. Each fault is a place and a sentence."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from apps.catalog.domain.dialects import Dialect
from apps.catalog.domain.picker_config import misfits
from apps.catalog.domain.vllm import ParsedArgs, flags, parse_args, version_of_image
from apps.core.domain.documents import pointer
from apps.core.domain.refusals import Fault
from apps.core.domain.units import format_bytes
from apps.pools.domain.engines import NEWEST_ENGINE, RENDERED_ENV, RESERVED_FLAGS, deployment_name
from apps.pools.domain.guarded import sleeps
from apps.pools.domain.invariants import Question
from apps.pools.domain.manifests import ModelFacts
from apps.pools.domain.paths import broken_of
from apps.pools.domain.spec import DEFAULT_IMAGE, LONGEST_POOL_AND_VARIANT, PoolSpec, Variant

# what an engine takes of its host beside weights that sleep there
ENGINE_MEMORY = 8 * 2**30
_SECRET = re.compile(r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|CREDENTIALS?)(_|$)")


@dataclass(frozen=True)
class Shape:
    """What is known of a model's shape, for counting heads, layers and bytes."""

    layers: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    weight_bytes: int | None = None


@dataclass(frozen=True)
class Offer:
    """One product of a cluster: how many accelerators its biggest node has."""

    product: str
    largest_node: int


def faults_of(
    name: str,
    spec: PoolSpec,
    shape: Shape,
    offers: Mapping[str, Offer | None] | None,
    *,
    model: ModelFacts | None = None,
    dialect: Dialect | None = None,
) -> list[Fault]:
    """Faults of a pool named `name`. `model`, `dialect`: of its cluster; None where they are not known.

    `offers`: by accelerator name, what the cluster has of it (None: nothing); None as a whole: not known.
    """
    return [
        *_names(name, spec),
        *_engine(spec, dialect),
        *_invariants(spec, model, dialect),
        *_standby(spec, shape),
        *(fault for i, variant in enumerate(spec.variants) for fault in _variant(i, variant, shape, offers)),
    ]


def unknown_accelerators(spec: PoolSpec, known: Collection[str]) -> list[Fault]:
    """Variants on accelerators that the catalogue does not have."""
    found = []
    for i, variant in enumerate(spec.variants):
        if variant.accelerator not in known:
            close = get_close_matches(variant.accelerator, sorted(known), n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
            found.append(_at(i, "accelerator", f"{variant.accelerator} is not an accelerator we know; {hint}"))
    return found


def object_names(pool: str, variants: Iterable[str], sets: int = 1) -> frozenset[str]:
    """Names that a pool's objects take in its namespace, whatever their kind. `sets`: of accelerators that it shares,
    on each of which it has a Deployment."""
    engines = {deployment_name(pool, v) for v in variants}
    further = {f"{name}-{number}" for name in engines for number in range(2, sets + 1)}
    return frozenset({pool, f"{pool}-engines", f"{pool}-epp", *engines, *further})


def owners_of(names: Iterable[str]) -> frozenset[str]:
    """What a pool is called that has an object of one of these names: each begins with the pool's, alone or with a dash
    behind it."""
    return frozenset("-".join(name.split("-")[:count]) for name in names for count in range(1, name.count("-") + 2))


def _names(name: str, spec: PoolSpec) -> list[Fault]:
    found = []
    for i, variant in enumerate(spec.variants):
        length = len(deployment_name(name, variant.name))
        if length > LONGEST_POOL_AND_VARIANT:
            found.append(
                _at(
                    i,
                    "name",
                    f"pool and variant name together are {length} characters, and Kubernetes leaves room for "
                    f"{LONGEST_POOL_AND_VARIANT}: shorten one of them",
                )
            )
        if variant.name in ("engines", "epp"):
            found.append(_at(i, "name", f"{variant.name} is the name of an object that every pool has: choose another"))
    return found


def _engine_version(spec: PoolSpec, dialect: Dialect | None) -> str:
    """vLLM's version by the image that the pool will run: where nobody chose one, it is the release's."""
    image = spec.engine.image
    if image == DEFAULT_IMAGE and dialect is not None:
        image = dialect.engine_images["nvidia"]
    return version_of_image(image) or NEWEST_ENGINE


def _engine(spec: PoolSpec, dialect: Dialect | None) -> list[Fault]:
    found = []
    for variable in spec.engine.env:
        at = pointer("spec", "engine", "env", variable)
        if variable in RENDERED_ENV:
            found.append(Fault(at, f"{variable} is set by Lamplight, equal on every engine: leave it out"))
        elif _SECRET.search(variable):
            found.append(
                Fault(
                    at,
                    f"{variable} looks like a secret, and everybody who may see the pool would read it: put it into a "
                    "Kubernetes Secret (HF_TOKEN is taken from the one that the Model names in tokenSecret, else from "
                    "llm-d-hf-token, of the namespace)",
                )
            )
    parsed = parse_args(_engine_version(spec, dialect), ["model", *spec.engine.args])
    if not isinstance(parsed, ParsedArgs):
        at = "/spec/engine/args" + _place(spec.engine.args, lambda word: word.split("=")[0] in parsed)
        found.append(Fault(at, f"vLLM would refuse these arguments: {parsed}{_near(parsed, spec, dialect)}"))
        return found
    for flag in sorted(parsed.given & RESERVED_FLAGS.keys()):
        spelled = "--" + flag.replace("_", "-")
        at = "/spec/engine/args" + _place(spec.engine.args, lambda word, s=spelled: _dashed(word).startswith(s))
        found.append(Fault(at, f"{spelled} is not for engine.args: {RESERVED_FLAGS[flag]}"))
    return found


def _invariants(spec: PoolSpec, model: ModelFacts | None, dialect: Dialect | None) -> list[Fault]:
    """What the path and the options insist on, as far as it can be told before there is a plan."""
    found = [Fault(i.at, sentence) for i, sentence in broken_of(Question(spec, model, None, dialect))]
    if spec.routing.scheduler is not None and dialect is not None:
        found += [
            Fault(f"/spec/routing/scheduler{misfit.pointer}", misfit.sentence)
            for misfit in misfits(spec.routing.scheduler, dialect.name)
        ]
    return found


def _standby(spec: PoolSpec, shape: Shape) -> list[Fault]:
    """What a pool whose engines sleep must have: a place for the weights."""
    if not sleeps(spec):
        return []
    found = []
    for i, variant in enumerate(spec.variants):
        needed = (shape.weight_bytes or 0) // max(variant.group_size, 1) + ENGINE_MEMORY
        if shape.weight_bytes and variant.resources.memory < needed:
            found.append(
                _at(
                    i,
                    "resources/memory",
                    f"an engine that sleeps keeps its weights in host memory: with the {format_bytes(ENGINE_MEMORY)} "
                    f"that it needs itself that is {format_bytes(-(-needed // 2**30) * 2**30)} or more, "
                    f"not {format_bytes(variant.resources.memory)}",
                )
            )
    return found


def _variant(i: int, variant: Variant, shape: Shape, offers: Mapping[str, Offer | None] | None) -> list[Fault]:
    found = []
    tensor, pipeline = variant.parallelism.tensor, variant.parallelism.pipeline
    if shape.heads and shape.heads % tensor:
        found.append(
            _at(
                i,
                "parallelism/tensor",
                f"the model's {shape.heads} attention heads cannot be split over {tensor} accelerators: "
                f"use a tensor parallelism that divides {shape.heads}",
            )
        )
    heads = shape.kv_heads
    if heads and tensor % heads and heads % tensor:
        found.append(
            _at(
                i,
                "parallelism/tensor",
                f"the model's {heads} KV heads cannot be split over {tensor} accelerators: "
                f"use a tensor parallelism that divides {heads} or is a multiple of it",
            )
        )
    if shape.layers and pipeline > shape.layers:
        found.append(
            _at(
                i,
                "parallelism/pipeline",
                f"the model has {shape.layers} layers, too few for {pipeline} pipeline stages",
            )
        )
    if offers is not None and variant.accelerator in offers:
        offer = offers[variant.accelerator]
        needed = variant.accelerators_per_pod
        if offer is not None and needed > offer.largest_node:
            found.append(
                _at(
                    i,
                    "parallelism",
                    f"one replica needs {needed} accelerators on one node, and the biggest node with "
                    f"{offer.product} has {offer.largest_node}: lower tensor x pipeline x data",
                )
            )
    return found


def _at(i: int, field: str, detail: str) -> Fault:
    return Fault(f"/spec/variants/{i}/{field}", f"variant {i + 1}: {detail}")


def _dashed(word: str) -> str:
    return word.split("=")[0].replace("_", "-")


def _place(args: Iterable[str], matches: Any) -> str:
    """The pointer's last part of the first argument that matches, or nothing."""
    return next((f"/{i}" for i, word in enumerate(args) if word.startswith("-") and matches(word)), "")


def _near(refusal: str, spec: PoolSpec, dialect: Dialect | None) -> str:
    """The option that was probably meant by the first one that vLLM does not know."""
    unknown = re.match(r"unrecognized arguments: (--[\w.-]+)", refusal)
    if unknown is None:
        return ""
    close = get_close_matches(unknown[1].replace("_", "-"), flags(_engine_version(spec, dialect)), n=1)
    return f"; did you mean {close[0]}?" if close else ""
