"""Well-lit path `optimized-baseline`: aggregated vLLM replicas behind an endpoint picker that scores queue, KV-cache
usage and prefix affinity (llm-d: inference scheduling, section B.1 of the reference)."""

from __future__ import annotations

from apps.pools.domain.paths.path import BOTH_ROLES, ONE_POD, Path, load_and_prefix

PATH = Path(
    name="optimized-baseline",
    title="Intelligent inference scheduling",
    about="Each request goes to the replica with the best sum of short queue, free KV cache and cached prefix.",
    scheduling=load_and_prefix,
    invariants=(BOTH_ROLES, ONE_POD),
)
