"""Options that go with every path: one file each, and one line here."""

from __future__ import annotations

from apps.pools.domain.options import adapters, cold_spread, compute_domain, model_cache, rewrites, speculative
from apps.pools.domain.options.option import Option

OPTIONS: tuple[Option, ...] = (
    adapters.OPTION,
    speculative.OPTION,
    model_cache.OPTION,
    rewrites.OPTION,
    cold_spread.OPTION,
    compute_domain.OPTION,
)
