"""The page of features: each row's declaration is parsed and rendered for both releases, and the page says what came of
it; and the page of paths with their invariants.

Pure. A row that cannot be rendered, or names a test that does not exist, is a fault of the page, not of its reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from apps.catalog.domain.dialects import DIALECTS, dialect
from apps.catalog.domain.latency import latency_grid
from apps.catalog.domain.model import Shape
from apps.pools.domain.invariants import EVERY_POOL, Invariant
from apps.pools.domain.manifests import AdapterFacts, Inputs, Manifest, ModelFacts, PlanRefused, PoolIdentity
from apps.pools.domain.options import OPTIONS
from apps.pools.domain.paths import PATHS, render
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers.plan import plan_of
from apps.pools.selectors import accelerators

_POOL = PoolIdentity("00000000-0000-0000-0000-000000000000", "default", "chat", 1, "serving")
_SHAPE = Shape(layers=32, kv_heads=8, head_dim=128, heads=32, parameters=8_030_000_000, experts=64)
_MODEL = ModelFacts(
    "llama-3-1-8b", "hf://meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b", "main", _SHAPE,
    (AdapterFacts("sql", "hf://example/sql-lora", 16),),
)  # fmt: skip
_KINDS = frozenset(
    {
        "InferencePool.inference.networking.k8s.io",
        "HTTPRoute.gateway.networking.k8s.io",
        "PodMonitor.monitoring.coreos.com",
        "Role.rbac.authorization.k8s.io",
        "Job.batch",
        "LeaderWorkerSet.leaderworkerset.x-k8s.io",
        "ResourceClaimTemplate.resource.k8s.io",
        "ComputeDomain.resource.nvidia.com",
        *(f"{kind}.{group}" for kind in ("InferenceObjective", "InferenceModelRewrite")
          for group in ("llm-d.ai", "inference.networking.x-k8s.io")),
    }
)  # fmt: skip
# objects that every pool has say nothing of a feature
_USUAL = {
    "Service",
    "ServiceAccount",
    "ConfigMap",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "PodMonitor",
    "PrometheusRule",
}
_RUNS = {
    "embedded": "on the embedded cluster",
    "real": "with a real vLLM on a CPU",
    "no": "not run; rendered and proved against schemas",
}
PROOF = "tests/unit/pools/test_paths.py"


@dataclass(frozen=True)
class Feature:
    """One row. `declare`: fields of a Pool's spec; `variant`: of its variants. `command`: what stands in its place."""

    title: str
    runs: str
    path: str | None = None
    declare: Mapping[str, Any] | None = None
    variant: Mapping[str, Any] | None = None
    accelerator: str = "nvidia-h200"
    options: tuple[str, ...] = ()
    command: str = ""
    kind: str = ""
    lacks: str = ""
    tests: tuple[str, ...] = ()


def features() -> tuple[Feature, ...]:
    """The rows, in their order."""
    text = resources.files("apps.pools").joinpath("data", "features.json").read_text(encoding="utf-8")
    return tuple(_read(row) for row in json.loads(text)["rows"])


def _read(row: dict[str, Any]) -> Feature:
    row |= {key: tuple(row[key]) for key in ("options", "tests") if key in row}
    return Feature(**row)


def spec_of(feature: Feature) -> PoolSpec:
    """The whole spec of a pool that declares a feature. Raises Invalid."""
    declare = dict(feature.declare or {})
    tensor = {"google-tpu-v5e": 4, "google-tpu-v6e": 1, "google-tpu-v7x": 4}.get(feature.accelerator, 1)
    one = {
        "name": "main",
        "accelerator": feature.accelerator,
        "parallelism": {"tensor": tensor},
        **(feature.variant or {}),
    }
    roles = ("prefill", "decode") if feature.path in ("pd-disaggregation", "wide-ep") else ("both",)
    if feature.path == "wide-ep":
        one |= {"parallelism": {"tensor": 1, "data": 16}, "groupSize": 2}
    if feature.path == "scale-to-zero":
        one["replicas"] = {"min": 0, "max": 2}
    variants = [{**one, "role": role, **({"name": role} if role != "both" else {})} for role in roles]
    return PoolSpec.from_document(
        {
            "model": _MODEL.name,
            "cluster": "main",
            "namespace": "serving",
            "engine": {"args": ["--max-model-len=16384"]},
            "variants": variants,
            **declare,
        }
    )


def rendered(feature: Feature, release: str) -> tuple[Manifest, ...]:
    """The objects of a feature's pool. Raises PlanRefused where a release cannot do it."""
    spec = spec_of(feature)
    families, edges = latency_grid()
    inputs = Inputs(
        replicas={v.name: v.replicas.min for v in spec.variants},
        accelerators=accelerators(),
        latency_edges=edges,
        latency_families=families,
        kinds=_KINDS,
        tiers=plan_of(spec.offload, None),
    )
    return render(_POOL, spec, _MODEL, inputs, dialect(release))


_INTRODUCTION = f"""# Features

What llm-d's releases name as capabilities, and what Lamplight makes of each: the declaration, the objects that are
rendered from it, how they are proved, and what cannot be shown without hardware that is not here. This page is
generated (`python manage.py features_page`); a test holds it fresh and renders every declaration.

Proof: every manifest of every path, with the pairs of path, llm-d release, accelerator, option and way in, is held to
the OpenAPI schemas of Kubernetes, to the CRDs' own schemas and CEL rules, to vLLM's flags (0.14, 0.25, 0.32, 0.33), and
to the parameters of each plugin of the picker ([{PROOF}](../{PROOF})). What must hold of each path is on
[a page of its own](concepts/paths.md). In the columns of the releases: what the picker filters and scores by.

| feature | declared by | objects beside the usual | llm-d 0.5 | llm-d current | shown | lacks here | tests |
|---|---|---|---|---|---|---|---|
"""


def page(rows: Iterable[Feature]) -> str:
    """The page of features as Markdown."""
    return _INTRODUCTION + "".join(f"{_line(row)}\n" for row in rows)


def paths_page() -> str:
    """The page of paths and options with what must hold of each, as Markdown."""
    lines = [
        "# Paths, options and what must hold of them",
        "",
        "A pool names one path (`spec.path`); options go with every path. Before anything is applied each of the",
        "checks below is made; one that does not hold refuses the document or the plan with a sentence that says what",
        "is wrong and how to mend it. The name is the reason of the refusal. Generated: `manage.py features_page`.",
    ]
    for path in PATHS.values():
        lines += ["", f"## {path.title} (`{path.name}`)", "", path.about, ""]
        lines += _table(path.invariants)
    for option in OPTIONS:
        lines += [
            "",
            f"## Option: {option.title.lower() if option.title[1].islower() else option.title}",
            "",
            option.about,
            "",
        ]
        lines += _table(option.invariants)
    lines += ["", "## Every pool", ""]
    lines += _table(EVERY_POOL)
    return "\n".join(lines) + "\n"


def _table(invariants: Iterable[Invariant]) -> list[str]:
    rows = [f"| `{i.name}` | {i.holds} | `{i.at}` |" for i in invariants]
    return ["| check | what must hold | about |", "|---|---|---|", *rows]


def _line(row: Feature) -> str:
    declared = f"`{row.command}`" if row.command else f"`{_flow(row)}`"
    cells = dict.fromkeys(DIALECTS, "—")
    objects = "—"
    if row.path is not None:
        kinds: set[str] = set()
        for release in DIALECTS:
            try:
                found = rendered(row, release)
            except PlanRefused as refused:
                cells[release] = f"refused: {refused.reason}"
                continue
            cells[release] = _plugins(found)
            kinds |= {obj["kind"] for obj in found} - _USUAL
        objects = ", ".join(sorted(kinds))
    tests = [*([PROOF] if row.path is not None else []), *row.tests]
    shown = ", ".join(f"[{_short(test)}](../{test.partition('::')[0]})" for test in tests)
    return (
        f"| {row.title} | {declared} | {objects} | {cells['0.5']} | {cells['current']} | {_RUNS[row.runs]} "
        f"| {row.lacks or '—'} | {shown} |"
    )


def _flow(row: Feature) -> str:
    declared: dict[str, Any] = dict(row.declare or {})
    if row.accelerator != "nvidia-h200" or row.variant:
        extra = {"accelerator": row.accelerator, **(row.variant or {})}
        declared = {**declared, "variants": [extra]}
    return (
        yaml.safe_dump(declared, default_flow_style=True, sort_keys=False, width=10000)
        .strip()
        .removeprefix("{")
        .removesuffix("}")
    )


def _plugins(objects: tuple[Manifest, ...]) -> str:
    """The scheduling that is rendered: filters, scorers and what else the profiles name."""
    for obj in objects:
        text = (obj.get("data") or {}).get("config.yaml")
        if text:
            document = yaml.safe_load(text)
            names = {ref["pluginRef"] for profile in document["schedulingProfiles"] for ref in profile["plugins"]}
            return ", ".join(f"`{name}`" for name in sorted(names) if not name.endswith("-picker")) or "`random-picker`"
    return "no picker"


def _short(test: str) -> str:
    return test.removeprefix("tests/").partition("::")[0].removesuffix(".py")
