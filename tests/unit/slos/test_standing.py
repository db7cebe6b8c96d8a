"""Judging objectives: states, sentences, budget, burn, forecast."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.slos.domain.attainment import Span, budget_of, together, within
from apps.slos.domain.burn import Burn, Pair, burn_of, exhausted_in, holds, pairs_of
from apps.slos.domain.calendar import boundaries, cell
from apps.slos.domain.slo import Objective, SLOSpec, Traffic
from apps.slos.domain.standing import FIRST_MINUTES, met_condition, ready_condition, stand, status_of, windows_of
from apps.slos.domain.tally import Tally

DAY = 86_400.0
HOUR = 3600.0
WHOLE = (
    "99 % against the promise that 95 % of requests have TTFT within 500 ms over 28 d; "
    "80 % of the error budget is left."
)


def objective(**changes) -> Objective:
    values = {"metric": "ttft", "threshold": "500ms", "fraction": "95%", "window": "28d", **changes}
    return Objective.from_document({k: v for k, v in values.items() if v is not None})


def steady(rate: float, bad: float, *, known: float = 1.0, most: float | None = None):
    """Every window with `rate` events per second of which the share `bad` is bad (at least `most`, where given)."""

    def spans(one: Objective) -> dict[float, Span]:
        return {
            w: Span(
                w,
                Tally(
                    rate * w,
                    rate * w * (1 - bad),
                    rate * w * (1 - (bad if most is None else most)),
                    known * w,
                    0 if rate else w * known,
                ),
            )
            for w in windows_of(one)
        }

    return spans


@pytest.mark.parametrize(
    ("rate", "bad", "known", "state", "words"),
    [
        (1.0, 0.01, 1.0, "Met", WHOLE),
        (1.0, 0.048, 1.0, "AtRisk", "4 % of the error budget is left."),
        (1.0, 0.10, 1.0, "Breached", "the error budget is overspent 2.0 times"),
        (
            0.0,
            0.0,
            1.0,
            "NoTraffic",
            "Nothing was asked that the promise could be kept for: 95 % of requests have TTFT",
        ),
        (0.0, 0.0, 0.2, "NoData", "Nothing was measured that would tell whether 95 % of requests have TTFT"),
        (1.0, 0.01, 0.3, "NoData", "only 30 % of the time was measured"),
        (1.0, 0.10, 0.3, "Breached", "30 % of the time was measured"),
    ],
)
def test_states_and_their_sentences(rate: float, bad: float, known: float, state: str, words: str) -> None:
    one = objective()
    standing = stand(one, steady(rate, bad, known=known)(one))
    assert standing.state == state
    assert words in standing.sentence


def test_a_threshold_between_edges_may_leave_it_undecided() -> None:
    one = objective(threshold="450ms")
    standing = stand(one, steady(1.0, 0.08, most=0.02)(one), edges=(0.4, 0.5))
    assert standing.state == "Undecided"
    assert "92 % to 98 %" in standing.sentence
    assert "400 ms or 500 ms would be counted exactly" in standing.sentence


def test_a_fast_burn_is_at_risk_while_the_window_is_still_met() -> None:
    one = objective()
    spans = dict(steady(1.0, 0.001)(one))
    for seconds in (300.0, 3600.0):
        spans[seconds] = Span(seconds, Tally(seconds, seconds * 0.2, seconds * 0.2, seconds))
    standing = stand(one, spans)
    assert standing.state == "AtRisk"
    assert [pair.name for pair, fires in standing.alerts if fires] == ["5m/1h"]
    assert "burning at least 13.4 times too fast over the last 5 min and the last 1 h" in standing.sentence


def test_the_forecast_is_the_budget_left_over_the_burn() -> None:
    # half of the budget left, burning twice too fast: a quarter of the window
    budget = budget_of(Tally(1000, 975, 975, 1), 0.95)
    assert exhausted_in(budget, 28 * DAY, Burn("ok", 2.0, 2.0, 100)) == pytest.approx(7 * DAY)
    assert exhausted_in(budget, 28 * DAY, Burn("ok", 1.0, 1.0, 100)) is None
    assert exhausted_in(budget, 28 * DAY, Burn("no_traffic")) is None
    assert exhausted_in(budget_of(Tally(1000, 900, 900, 1), 0.95), 28 * DAY, Burn("ok", 0.5, 0.5, 9)) == 0.0


def test_pairs_follow_from_the_window() -> None:
    month = {pair.name: pair.factor for pair in pairs_of(30 * DAY)}
    assert month == pytest.approx({"5m/1h": 14.4, "30m/6h": 6.0, "6h/3d": 1.0})
    assert [pair.name for pair in pairs_of(DAY)] == ["5m/1h", "30m/6h"]
    (only,) = pairs_of(300.0)
    assert (only.short, only.long, only.factor) == (60.0, 300.0, 1.0)


PAIR = Pair("5m/1h", 300, 3600, 10.0, "page")


@pytest.mark.parametrize(
    ("short", "long", "expected"),
    [
        (Burn("ok", 20, 20, 50), Burn("ok", 12, 12, 500), True),
        (Burn("ok", 20, 20, 5), Burn("ok", 12, 12, 9), False),  # too few events
        (Burn("ok", 20, 20, 50), Burn("ok", 5, 5, 500), False),
        (Burn("ok", 2, 2, 50), Burn("ok", 12, 12, 500), False),
        (Burn("ok", 20, 2, 50), Burn("ok", 20, 2, 500), False),  # may, but need not be so
        (Burn("no_traffic"), Burn("ok", 12, 12, 500), False),
        (Burn("unknown"), Burn("ok", 12, 12, 500), None),
        (Burn("ok", 20, 20, 50), Burn("unknown"), None),
    ],
)
def test_when_a_pair_alerts(short: Burn, long: Burn, expected: bool | None) -> None:
    assert holds(PAIR, short, long) is expected


def test_a_window_half_unknown_has_no_burn_rate() -> None:
    assert burn_of(Tally(10, 0, 0, 149), 300, 0.95).state == "unknown"
    assert burn_of(Tally(10, 0, 0, 150), 300, 0.95).rate == pytest.approx(20)


@given(
    total=st.integers(1, 10**6),
    bad=st.floats(0, 1),
    slack=st.floats(0, 1),
    fraction=st.sampled_from([0.5, 0.9, 0.95, 0.999]),
)
def test_budget_attainment_and_burn_agree(total: int, bad: float, slack: float, fraction: float) -> None:
    good = total * (1 - bad)
    tally = Tally(total, good, good + (total - good) * slack, 3600)
    share, budget, burn = within(tally), budget_of(tally, fraction), burn_of(tally, 3600, fraction)
    assert share is not None
    assert 0 <= share.low <= share.high <= 1 + 1e-9
    # met exactly when the budget is not overspent; and a window's own burn rate is the share of its budget spent
    if abs(share.low - fraction) > 1e-9:
        assert (share.low >= fraction) == (budget.left >= 0)
    assert 1 - budget.left == pytest.approx(burn.rate, rel=1e-6, abs=1e-9)


def test_the_worst_objective_speaks_for_the_slo() -> None:
    good, bad = objective(), objective(metric="itl", threshold="40ms")
    standings = [stand(good, steady(1, 0.01)(good)), stand(bad, steady(1, 0.2)(bad))]
    condition = met_condition(standings, 3)
    assert (condition.type, condition.status, condition.reason) == ("Met", "False", "Breached")
    status = status_of(standings, source="engine", at=1_000_000.0)
    assert status["state"] == "Breached"
    assert status["summary"]["key"] == "itl-40ms-28d"
    assert [one["key"] for one in status["objectives"]] == ["ttft-500ms-28d", "itl-40ms-28d"]
    assert status["objectives"][0]["budget"]["left"] == pytest.approx(0.8)
    assert status["objectives"][0]["budget"]["exhaustedAt"] is None


def test_steps_of_a_calendar() -> None:
    assert boundaries(DAY + 5, 3 * DAY + 10, DAY) == [DAY, 2 * DAY, 3 * DAY, 3 * DAY + 10]
    assert boundaries(DAY, 2 * DAY, DAY) == [DAY, 2 * DAY]
    day = cell(0, DAY, Tally(100, 90, 90, DAY), 0.95, began=None)
    assert (day["state"], day["attained"], day["bad"]) == ("breached", 0.9, 10)
    assert cell(0, DAY, Tally(100, 99, 99, DAY / 4), 0.95, began=None)["state"] == "unknown"
    # the day on which measuring began is judged by what was measured
    assert cell(0, DAY, Tally(100, 99, 99, DAY / 4), 0.95, began=DAY * 3 / 4)["state"] == "met"
    assert cell(0, DAY, Tally(0, 0, 0, DAY, DAY), 0.95, began=None)["state"] == "no_traffic"
    assert cell(0, DAY, Tally(), 0.95, began=2 * DAY)["state"] == "unknown"


spans = st.builds(
    lambda seconds, known, idle, total, good, more: Span(
        seconds, Tally(total, total * good, total * (good + (1 - good) * more), known * seconds, idle * known * seconds)
    ),
    st.floats(0, DAY), st.floats(0, 1), st.floats(0, 1), st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1),
)  # fmt: skip


@given(st.lists(spans, min_size=1, max_size=6))
def test_pools_together_lose_no_event_and_invent_no_knowledge(several: list[Span]) -> None:
    whole = together(several)
    assert whole.tally.total == sum(span.tally.total for span in several)
    assert 0 <= whole.tally.known <= whole.seconds == max(span.seconds for span in several)
    # nobody's gap is made smaller by somebody else's knowledge
    for span in several:
        assert whole.seconds - whole.tally.known >= span.seconds - span.tally.known - 1e-6
    shares = [share for span in several if (share := within(span.tally)) is not None]
    found = within(whole.tally)
    if found is not None:
        assert min(share.low for share in shares) - 1e-9 <= found.low <= max(share.low for share in shares) + 1e-9


def test_whose_requests_they_are_is_in_every_sentence() -> None:
    one = objective(metric="e2e")
    standing = stand(one, steady(1.0, 0.1)(one), traffic=Traffic(tenant="acme"))
    assert standing.promise == "95 % of requests of tenant acme have E2E latency within 500 ms over 28 d"
    assert standing.sentence.startswith(f"90 % against the promise that {standing.promise}; ")


@pytest.mark.parametrize(
    ("age", "state", "reason"),
    [
        (60.0, "unknown", "TargetFound"),
        (FIRST_MINUTES, "unknown", "NotMeasured"),
        (FIRST_MINUTES, "no_traffic", "TargetFound"),
    ],
)
def test_a_new_slo_is_given_the_minutes_that_it_is_judged_by(age: float, state, reason: str) -> None:
    promised = {"metric": "ttft", "threshold": "500ms", "fraction": "95%", "window": "28d"}
    spec = SLOSpec.from_document({"targetRef": {"kind": "Pool", "name": "chat"}, "objectives": [promised]})
    assert ready_condition(spec, "engine", Burn(state), 1, age=age).reason == reason
