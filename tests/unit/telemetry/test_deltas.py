"""Counter deltas: restarts, vanished and new pods never make a spike or a negative, and nothing is counted twice."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.telemetry.domain.deltas import MAX_GAP, carry, delta, restarted, supplement
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.domain.signals import Reading, combine

EDGES = (0.1, 0.5, math.inf)


def reading(
    requests: float, *, started: float | None = None, latencies: tuple[int, int, int] = (0, 0, 0)
) -> PageReading:
    total, cumulative = 0, {}
    for edge, count in zip(EDGES, latencies, strict=True):
        total += count
        cumulative[edge] = float(total)
    return PageReading(
        counters={"requests": requests}, cumulative={"ttft": cumulative}, gauges={"running": 0.0}, started=started
    )


# One engine's life, tick by tick: requests served, and what the scrape at the end of the tick finds.
ticks = st.lists(
    st.tuples(
        st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)),
        st.sampled_from(["ok", "ok", "ok", "fail", "restart"]),
    ),
    min_size=1,
    max_size=25,
)


class Life:
    """An engine that really counts, and the oracle: what a scraper may know of it."""

    def __init__(self, born: int, *, tells_start: bool) -> None:
        self.buckets = [0, 0, 0]
        self.started = float(born)
        self.tells_start = tells_start
        self.unread = [0, 0, 0]
        self.seen = False

    def serve(self, buckets: tuple[int, int, int]) -> None:
        for index, count in enumerate(buckets):
            self.buckets[index] += count
            self.unread[index] += count

    def restart(self, now: int) -> None:
        self.buckets = [0, 0, 0]
        self.unread = [0, 0, 0]
        self.started = float(now)

    def scrape(self) -> tuple[PageReading, list[int]]:
        """The page, and the observations that are new to a scraper (none at first sight)."""
        new = self.unread if self.seen else [0, 0, 0]
        self.unread, self.seen = [0, 0, 0], True
        page = reading(
            sum(self.buckets),
            started=self.started if self.tells_start else None,
            latencies=(*self.buckets,),  # type: ignore[arg-type]
        )
        return page, new


@given(st.lists(st.tuples(st.integers(0, 6), ticks), min_size=1, max_size=4))
def test_a_pool_counts_exactly_what_its_scrapes_could_see(lives: list[tuple[int, list]]) -> None:
    """Pods appear at different ticks, fail to answer, restart, and vanish at the end of their list."""
    engines = [(born, Life(born * 10, tells_start=True), script) for born, script in lives]
    previous: dict[int, tuple[int, PageReading]] = {}
    for tick in range(max(born + len(script) for born, _, script in engines)):
        readings, expected, served_rate = [], [0, 0, 0], 0.0
        for index, (born, life, script) in enumerate(engines):
            if not born <= tick < born + len(script):
                previous.pop(index, None)
                continue
            served, outcome = script[tick - born]
            if outcome == "restart":
                life.restart(tick * 10)
            life.serve(served)
            if outcome == "fail":
                readings.append(Reading(None, reason="timeout"))
                continue
            page, new = life.scrape()
            at, before = previous.get(index, (tick, None))
            change = delta(before, page, (tick - at) * 10.0)
            previous[index] = (tick, carry(before, page, (tick - at) * 10.0))
            readings.append(Reading(page, change))
            expected = [a + b for a, b in zip(expected, new, strict=True)]
            served_rate += sum(new) / ((tick - at) * 10.0) if before is not None else 0.0
        row = combine(tick * 10.0, 10.0, readings, {})
        histogram = row.histograms.get("ttft")
        got = [
            histogram.counts.get((low, high), 0) if histogram else 0
            for low, high in ((0.0, 0.1), (0.1, 0.5), (0.5, math.inf))
        ]
        assert got == expected
        assert row.counts.get("requests", 0) == sum(expected)
        assert row.rates.get("requests", 0) == pytest.approx(served_rate)
        assert row.scraped + sum(r.reading is None for r in readings) == row.targets


@given(ticks)
def test_without_start_times_counts_are_never_negative_nor_more_than_happened(script: list) -> None:
    life, before, counted, served_all = Life(0, tells_start=False), None, 0.0, 0
    for served, outcome in script:
        if outcome == "restart":
            life.restart(0)
        life.serve(served)
        served_all += sum(served)
        if outcome == "fail":
            continue
        page, _ = life.scrape()
        change = delta(before, page, 10.0)
        before = carry(before, page, 10.0)
        if change is not None:
            assert all(count >= 0 for count in change.counts.values())
            assert all(count > 0 for h in change.histograms.values() for count in h.counts.values())
            counted += change.counts["requests"]
    assert counted <= served_all


def test_the_first_reading_is_a_baseline() -> None:
    assert delta(None, reading(1_000_000), 10.0) is None


def test_a_reading_after_a_long_silence_is_a_baseline() -> None:
    assert delta(reading(10), reading(1_000_000), MAX_GAP + 1) is None


def test_a_restart_is_seen_by_start_time_even_when_counters_grew() -> None:
    change = delta(reading(10, started=100.0), reading(25, started=130.0), 10.0)
    assert change is not None
    assert change.counts["requests"] == 25


def test_start_times_printed_with_less_precision_are_no_restart() -> None:
    assert not restarted(reading(10, started=1795403126.75), reading(11, started=1795403127.0))


def test_a_series_missing_from_one_page_makes_no_spike() -> None:
    first, partial, third = reading(1_000), PageReading(gauges={"running": 1.0}), reading(1_003)
    kept = carry(carry(None, first, 10.0), partial, 10.0)
    change = delta(kept, third, 10.0)
    assert change is not None
    assert change.counts == {"requests": 3}


def test_a_new_bucket_grid_without_a_restart_is_not_compared() -> None:
    before = PageReading(counters={"requests": 5}, cumulative={"ttft": {0.3: 5.0, math.inf: 5.0}})
    after = PageReading(counters={"requests": 9}, cumulative={"ttft": {0.1: 4.0, 0.3: 9.0, math.inf: 9.0}})
    change = delta(before, after, 10.0)
    assert change is not None
    assert "ttft" not in change.histograms
    assert change.counts["requests"] == 4


def test_state_survives_json() -> None:
    before = reading(7, started=5.0, latencies=(1, 2, 3))
    again = PageReading.from_state(before.state())
    assert (again.counters, again.cumulative, again.started) == (before.counters, before.cumulative, before.started)


def test_what_comes_after_pages_without_a_series_is_divided_by_all_of_that_time() -> None:
    before, kept = reading(1_000, latencies=(10, 0, 0)), None
    kept = carry(kept, before, 10.0)
    for _ in range(5):
        kept = carry(kept, PageReading(gauges={"running": 1.0}, unreadable=frozenset({"requests", "ttft"})), 10.0)
    change = delta(kept, reading(1_060, latencies=(70, 0, 0)), 10.0)
    assert change is not None
    assert change.counts["requests"] == 60
    assert change.rate("requests") == pytest.approx(1.0)
    assert change.histograms["ttft"].total == 60
    row = combine(60.0, 10.0, [Reading(reading(1_060), change)], {})
    assert row.rates["requests"] == pytest.approx(1.0)


def test_no_number_at_first_sight_is_no_zero_to_count_from() -> None:
    first = PageReading(gauges={"running": 0.0}, unreadable=frozenset({"gateway.requests", "gateway.ttft"}))
    grid = {0.1: 5e6, math.inf: 5e6}
    now = PageReading(counters={"gateway.requests": 5e6, "gateway.errors": 2}, cumulative={"gateway.ttft": grid})
    change = delta(carry(None, first, 10.0), now, 10.0)
    assert change is not None
    # a picker's series appear with their first event
    assert change.counts == {"gateway.errors": 2}
    assert change.histograms == {}


def test_a_series_of_an_engine_that_appears_late_is_a_baseline() -> None:
    change = delta(PageReading(counters={"requests": 1}), reading(3, latencies=(1_000_000, 0, 0)), 10.0)
    assert change is not None
    assert (change.counts, change.histograms) == ({"requests": 2}, {})


def test_a_total_that_shrinks_in_a_process_that_goes_on_is_unknown_until_it_is_stable() -> None:
    whole, partial = reading(1_000_000, started=5.0), reading(400_000, started=5.0)
    kept = carry(None, whole, 10.0)
    change = delta(kept, partial, 10.0)
    assert change is not None
    assert change.counts == {}
    kept = carry(kept, partial, 10.0)
    change = delta(kept, reading(1_000_010, started=5.0), 10.0)
    assert change is not None
    assert change.counts == {}
    kept = carry(kept, reading(1_000_010, started=5.0), 10.0)
    change = delta(kept, reading(1_000_013, started=5.0), 10.0)
    assert change is not None
    assert change.counts == {"requests": 3}


faults = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["ok", "ok", "ok", "fail", "missing", "nan", "restart", "half"])),
    min_size=1,
    max_size=40,
)


@given(faults, st.integers(1, 10**7), st.booleans())
def test_nothing_that_can_happen_to_a_page_makes_a_spike(script: list, head_start: int, tells_start: bool) -> None:
    """An engine with a long life behind it: no tick may show more per second than was ever served per second."""
    total, started, kept, last_at, ever, whole = head_start, 1.0, None, 0, 0, False
    for tick, (served, outcome) in enumerate(script, start=1):
        ever += served
        if outcome == "restart":
            total, started = 0, tick * 10.0
        total += served
        if outcome == "fail":
            continue
        # half a total that is not between two whole ones, without start times, or no lower than the last one, is what
        # an honest page may show: what it hides comes with the next page, at no false rate but a late one
        if outcome == "half" and not (tells_start and whole and kept and total // 2 < kept.counters["requests"]):
            continue
        whole = outcome == "ok"
        shown = {"missing": {}, "nan": {}, "half": {"requests": float(total // 2)}}.get(
            outcome, {"requests": float(total)}
        )
        now = PageReading(
            counters=shown,
            gauges={"running": 0.0},
            started=started if tells_start else None,
            unreadable=frozenset({"requests"}) if outcome == "nan" else frozenset(),
        )
        gap = (tick - last_at) * 10.0
        change = delta(kept, now, gap)
        kept, last_at = carry(kept, now, gap), tick
        if change is not None and "requests" in change.counts:
            assert 0 <= change.counts["requests"] <= ever
            assert change.rate("requests") <= 20 / 10.0 + 1e-9


def _page(at: float, requests: int, *, whole: bool) -> PageReading:
    families = {"ttft": {0.5: float(requests), math.inf: float(requests)}}
    if whole:
        families["prefill"] = {0.5: float(requests // 2), math.inf: float(requests)}
    counters = {"requests": float(requests), **{f"{family}_sum": at for family in families}}
    return PageReading(counters=counters, cumulative=families, started=1.0)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=20),
    st.integers(1, 4),
)
def test_families_that_are_asked_for_now_and_then_count_once(ticks: list[tuple[int, bool]], every: int) -> None:
    """Ticks of ten seconds; `every`: of so many, one meets a page that has been scraped since the last. The very
    arithmetic of a tick: a new page is a delta, a known one only a supplement."""
    served, kept, read_at, counted = 0, _page(0.0, 0, whole=True), 0.0, {"ttft": 0.0, "prefill": 0.0}
    page = 0, 0.0
    for number, (more, whole) in enumerate([*ticks, (3, True), (0, True)], start=1):
        served += more
        if number % every == 0:
            page = served, 10.0 * number
        now = _page(page[1], page[0], whole=whole)
        gap = page[1] - read_at
        if gap > 0:
            change = delta(kept, now, gap)
            kept, read_at = carry(kept, now, gap), page[1]
        else:
            added = supplement(kept, now, gap)
            kept, change = added if added is not None else (kept, None)
        for family, histogram in (change.histograms if change is not None else {}).items():
            counted[family] += histogram.total
        assert change is None or all(change.rate(name) < 1e6 for name in change.counts)
    # all that was scraped is counted, of both families alike, whenever they were asked for
    assert counted == {"ttft": page[0], "prefill": page[0]}
