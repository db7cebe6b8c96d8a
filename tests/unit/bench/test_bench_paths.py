"""The paths benchmark's parts: the traffic is the published one, and a small run comes out in the expected order."""

from __future__ import annotations

import numpy as np
import pytest

from apps.physics.routing import read_config
from bench.paths import configs, disaggregated
from bench.paths.play import KV_TOKENS, closed, play, staged, variant
from bench.paths.published import FIGURES, LADDER, SCHEDULINGS
from bench.paths.rendering import rendering_ms
from bench.paths.workload import BLOCK, Shape, poisson, prompts, trace

SMALL = Shape(groups=24, users=2, prefix=1920, question=256, output=40)


def test_the_working_set_is_the_published_share_of_the_caches() -> None:
    assert Shape().working_set / (8 * KV_TOKENS) == pytest.approx(0.73, abs=0.005)
    assert (LADDER[0][0], LADDER[-1][0]) == (3, 60)
    for told in FIGURES.values():
        stages = [speed for speed, _ in told.stages]
        assert len(stages) == len(LADDER)
        assert sum(stages) / len(stages) == pytest.approx(told.tokens_per_second, rel=1e-3)


def test_groups_share_their_prefix_and_nothing_else() -> None:
    found = prompts(SMALL, np.random.default_rng(1))
    shared = SMALL.prefix // BLOCK
    assert len(found) == 48
    assert len({each[:shared] for each in found}) == 24
    assert len({each[shared] for each in found}) == 48
    assert all(len(each) == SMALL.prompt // BLOCK for each in found)


def test_arrivals_follow_the_stages() -> None:
    times = poisson([(5, 100), (50, 100)], np.random.default_rng(1))
    assert times == sorted(times)
    first = sum(at < 100 for at in times)
    assert 440 < first < 560
    assert 4700 < len(times) - first < 5300


@pytest.mark.parametrize("name", [*SCHEDULINGS, "no-hit", "predicted", "tiers", "now"])
def test_every_configuration_is_one_of_its_release(name: str) -> None:
    more = {
        "no-hit": configs.no_hit_lru,
        "predicted": configs.predicted_latency,
        "tiers": lambda: configs.tiers(cpu_blocks=100),
        "now": lambda: configs.precise_now(filtered=False),
    }
    assert read_config((SCHEDULINGS | more)[name]()).release in ("0.5", "current")


def test_knowing_the_caches_beats_chance() -> None:
    """Four small replicas, of which each holds a quarter of the prompts."""
    arrivals = trace(SMALL, [(8, 10), (24, 20)], seed=1)
    kind = variant(24_000, events=True, max_model_len=4096)
    rows = {
        name: play(name, SCHEDULINGS[name](), arrivals, replicas=4, skip=10.0, kind=kind)
        for name in ("precise", "approximate", "random")
    }
    assert rows["precise"].hit > 0.9 > rows["random"].hit + 0.2
    assert rows["precise"].ttft_p90 < rows["random"].ttft_p90
    assert rows["approximate"].ttft_p90 < rows["random"].ttft_p90
    assert play("again", SCHEDULINGS["precise"](), arrivals, replicas=4, skip=10.0, kind=kind).ttft_mean == (
        rows["precise"].ttft_mean
    )


def test_a_stage_begins_when_the_one_before_it_is_answered() -> None:
    kind = variant(24_000, max_model_len=4096)
    row, stages = staged(
        "load", configs.load_aware(), SMALL, [(400, 0.2), (400, 0.2)], replicas=1, warm_up=(10, 1), kind=kind
    )
    assert [each.requests for each in stages] == [80, 80]
    # both come at once and wait for the same time: nothing of the first is left for the second
    assert row.ttft_p90 == pytest.approx(stages[0].ttft_p90, rel=0.3)
    assert stages[1].ttft_p90 == pytest.approx(stages[0].ttft_p90, rel=0.3)
    assert stages[0].waiting > 0
    assert row.requests == 160


def test_clients_that_wait_for_their_answers() -> None:
    kind = variant(24_000, max_model_len=4096)
    row = closed("load", configs.load_aware(), SMALL, replicas=2, clients=3, requests=12, skip=3, kind=kind)
    assert row.requests == 9
    assert row.e2e_mean > row.ttft_mean > 0


def test_prompts_of_others_stop_answers_only_where_prefill_is_not_apart() -> None:
    together, apart = (disaggregated.play(*kinds, clients=24, requests=60) for kinds in ((0, 2), (1, 1)))
    assert together.gap_p99 > 2 * apart.gap_p99
    assert apart.tokens_per_second > 0
    assert apart.ttft > 0


def test_rendering_is_measured() -> None:
    assert rendering_ms() > 0
