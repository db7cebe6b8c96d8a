"""What a volume has brought is counted: tokens loaded, against computing them, loading and rent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.offload.domain.benefit import recompute_seconds
from apps.offload.domain.types import TierPolicy
from apps.offload.domain.worth import Moved, worth_of
from tests.unit.offload.pools import GIB, POLICY

PAID = replace(POLICY, tiers=(TierPolicy("filesystem", 500 * GIB, gib_hour=0.0002, claim="kv"),))
# half an hour in which a million tokens were loaded at 5 GB/s
LOADED = Moved(1800.0, 1e6 * 131_072, 1e6 * 131_072 / 5e9, 4000.0, 1000.0)


def test_a_volume_is_worth_what_was_loaded_from_it_less_loading_and_rent() -> None:
    worth = worth_of(PAID, "filesystem", 500 * GIB, LOADED, 8192.0)
    assert worth is not None
    assert worth.tokens == pytest.approx(2e6)
    assert worth.loading == pytest.approx(52.4, rel=0.01)
    computing = 2e6 * recompute_seconds(PAID, 8192.0) / 8192.0
    assert worth.gpu_seconds == pytest.approx(computing - worth.loading)
    assert (worth.rent, worth.hit_rate) == (pytest.approx(0.1), 0.25)
    assert worth.net == pytest.approx(worth.gpu_seconds / 3600 * 3.2 - 0.1)
    assert worth.sentence.startswith("Engines load 2,000,000 tokens an hour from it: computing them would take ")
    assert worth.sentence.endswith(", and the storage costs 0.10 USD/h.")


def test_a_volume_that_loads_slower_than_engines_compute_is_worth_less_than_nothing() -> None:
    worth = worth_of(PAID, "filesystem", 500 * GIB, replace(LOADED, loading=LOADED.loading * 10), 8192.0)
    assert worth is not None
    assert worth.gpu_seconds < 0


def test_what_nobody_counts_is_not_nothing() -> None:
    assert worth_of(PAID, "filesystem", GIB, replace(LOADED, seconds=0.0), 8192.0) is None
    silent = worth_of(PAID, "filesystem", GIB, Moved(1800.0, 0.0, 0.0), 8192.0)
    assert silent is not None
    assert (silent.tokens, silent.hit_rate) == (0.0, None)
    assert silent.sentence.startswith("Engines have loaded nothing from it")
