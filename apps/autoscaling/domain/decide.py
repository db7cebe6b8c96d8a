"""`decide`: signals, policy and memory to replica targets; for one pool or for thousands in one call.

The arithmetic runs on all pools of a call at once (`decide_many`); `decide` is a call with one pool, and gives the same
bits. What is particular to a pool (bounds, schedules, money, zero, the mix of its variants) follows pool by pool in
`finish`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain import demand, learning, sizing, window
from apps.autoscaling.domain.arrays import clipped
from apps.autoscaling.domain.capacity import Curve, Traffic, curve_of, inverse
from apps.autoscaling.domain.draft import Group, Need
from apps.autoscaling.domain.extract import FIRST_PROMPT, Fleet, fleet_of, prior_shares
from apps.autoscaling.domain.finish import finish
from apps.autoscaling.domain.memory import LONGEST_HOLD, OUTPUT_EDGES, PROMPT_EDGES, Memory
from apps.autoscaling.domain.types import Decision, Policy, Signals, State

__all__ = ["decide", "decide_many"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_PROMPT_CENTERS: Floats = np.exp2(np.arange(FIRST_PROMPT, FIRST_PROMPT + PROMPT_EDGES, dtype=np.float64))
_OUTPUT_CENTERS: Floats = np.exp2(np.arange(OUTPUT_EDGES, dtype=np.float64))
# lengths are forgotten after as many requests, within these seconds: quickly where many come
_MIX_REQUESTS, _MIX_SHORTEST, _MIX_LONGEST = 250.0, 50.0, 600.0
# a shift of lengths: ticks in a row whose mean is so many deviations, and so many times, above what was remembered; the
# share of the memory that stays then, in which the first of these ticks is
_SHIFT_TICKS, _SHIFT_DEVIATIONS, _SHIFT_LEAST, _AFTER_SHIFT = 2, 4.0, 1.3, 0.1
_PRIOR_REQUESTS = 4.0
# a lower need must last this many start-ups at least
_HOLD_STARTS = 1.0
# a new replica has to pay for its start within this time
_AMORTISED = 900.0
_MOST_DISPERSION = 40.0
# of a replica's load, all that it can do
_ALL = 0.95
_BLOCK = 400
# more replicas than this are not kept for the SLO alone beyond what is cheapest
_MOST_KEPT = 32


def decide(policy: Policy, signals: Signals, state: State, now: float) -> Decision:
    """The decision of one pool at `now` (Unix seconds). Pure: the same arguments give the same bits."""
    return decide_many([policy], [signals], [state], [now])[0]


def decide_many(
    policies: Sequence[Policy], signals: Sequence[Signals], states: Sequence[State], nows: Sequence[float]
) -> list[Decision]:
    """As `decide` for each pool. In blocks, whose arrays stay in the processor's cache."""
    decisions: list[Decision] = []
    for at in range(0, len(policies), _BLOCK):
        block = slice(at, at + _BLOCK)
        decisions += _decide(policies[block], signals[block], states[block], nows[block])
    return decisions


def _decide(
    policies: Sequence[Policy], signals: Sequence[Signals], states: Sequence[State], nows: Sequence[float]
) -> list[Decision]:
    memory = Memory.of(policies, states)
    fleet = fleet_of(policies, signals, memory)
    now = np.array(nows, dtype=np.float64)
    known = np.isfinite(fleet.arrived)
    _observe_mix(memory, fleet)
    traffic, reference = _traffic(memory, fleet)
    nominal = _nominal_work(fleet, reference)
    arrivals = np.where(known, fleet.arrived, 0.0) / fleet.seconds
    life = _life(fleet, reference)
    startup = _startups(memory, fleet, policies, signals)
    groups = _groups(policies, fleet)
    first = np.array([group.rows[0] for group in groups])
    of_pool = np.array([group.pool for group in groups])
    horizon_of_group = startup[first] + np.array([policies[p].tick for p in of_pool])
    horizon = np.zeros(len(policies))
    np.maximum.at(horizon, of_pool, horizon_of_group)
    demand.observe(memory, arrivals, fleet.seconds, known, life, horizon)
    memory["known_at"] = np.where(known, now, memory["known_at"])
    coming = demand.forecast(memory, fleet.season, now, horizon, known, life).in_work(nominal)
    ready_of_pool = _per_pool(fleet, fleet.ready[:, None])[:, 0]
    window.observe(memory, arrivals * nominal, ready_of_pool, coming.ripple, fleet.seconds, known)

    ready = np.maximum(fleet.ready, 1.0)
    group_ready = np.zeros(len(groups))
    group_of_row = np.zeros(len(fleet.pool), dtype=np.int64)
    for index, group in enumerate(groups):
        for row in group.rows:
            group_of_row[row] = index
    np.add.at(group_ready, group_of_row, fleet.ready)
    traffic = _spread(traffic, memory, fleet, np.maximum(group_ready, 1.0)[group_of_row])
    share = fleet.ready / np.maximum(group_ready, 1.0)[group_of_row]
    learning.learn_step_time(
        memory,
        fleet.engines,
        traffic,
        np.nan_to_num(fleet.running) / ready,
        arrivals[fleet.pool] * share / ready,
        np.where(fleet.ready > 0, fleet.between, np.nan),
        fleet.seconds[fleet.pool],
    )
    curve = curve_of(fleet.engines, traffic, fleet.goals)
    need = _need(policies, memory, fleet, curve, coming, nominal, groups, group_ready, startup, horizon, traffic, now)
    return finish(policies, signals, nows, fleet, groups, need)


# --- what requests are like -----------------------------------------------------------------------------------------


def _observe_mix(memory: Memory, fleet: Fleet) -> None:
    rate = memory["fast"] / np.maximum(memory["weight_fast"], 0.1)
    reach = clipped(_MIX_REQUESTS / np.maximum(rate, 1e-3), _MIX_SHORTEST, _MIX_LONGEST)
    keep = np.exp(-fleet.seconds / reach) * np.where(_longer_requests(memory, fleet), _AFTER_SHIFT, 1.0)
    memory["prompts"] = keep[:, None] * memory["prompts"] + fleet.prompts
    memory["outputs"] = keep[:, None] * memory["outputs"] + fleet.outputs
    sums = _per_pool(fleet, np.stack([fleet.prompt_tokens, fleet.cached_tokens, fleet.generated, fleet.finished], 1))
    prompt, cached, generated, finished = sums.T
    arrived = np.where(np.isfinite(fleet.arrived), fleet.arrived, finished)
    # engines count tokens when they compute them, not when requests come or end: of a backlog that is worked off they
    # tell more than of what comes, so that sums over counted requests are the better mean
    counted, ended = fleet.prompted > 0, fleet.answered > 0
    for name, count in (
        ("prompt_tokens", prompt),
        ("cached_tokens", cached),
        ("prompt_sum", np.where(counted, fleet.prompt_sum, prompt)),
        ("prompted", np.where(counted, fleet.prompted, np.where(prompt > 0, arrived, 0.0))),
        ("output_sum", np.where(ended, fleet.output_sum, generated)),
        ("answered", np.where(ended, fleet.answered, finished)),
    ):
        memory[name] = keep * memory[name] + count
    judged, most, least = fleet.judged, fleet.missed_most, fleet.missed_least
    for name, count, time in (
        ("missed", most, 1800.0),
        ("missed_least", least, 1800.0),
        ("served", judged, 1800.0),
    ):
        memory[name] = np.exp(-fleet.seconds / time) * memory[name] + count


def _longer_requests(memory: Memory, fleet: Fleet) -> Bools:
    """Whether requests have just become longer, prompts or outputs: some ticks in a row whose mean is far above that of
    before. What was remembered of lengths says nothing any more then."""
    far: Bools = np.zeros(len(fleet.seconds), dtype=np.bool_)
    for name, counted, centers in (
        ("prompts", fleet.prompts, _PROMPT_CENTERS),
        ("outputs", fleet.outputs, _OUTPUT_CENTERS),
    ):
        before, requests = memory[name], counted.sum(axis=1)
        share = before / np.maximum(before.sum(axis=1), 1e-9)[:, None]
        mean = (share * centers).sum(axis=1)
        deviation = np.sqrt(np.maximum((share * centers * centers).sum(axis=1) - mean * mean, 0.0))
        newest = (counted * centers).sum(axis=1) / np.maximum(requests, 1e-9)
        off = (newest - mean) * np.sqrt(requests)
        enough = (requests >= 5) & (before.sum(axis=1) >= 100)
        far |= enough & (off > _SHIFT_DEVIATIONS * deviation) & (newest > _SHIFT_LEAST * mean)
    memory["longer"] = np.where(
        far, memory["longer"] + 1, np.where(fleet.prompts.sum(axis=1) > 0, 0.0, memory["longer"])
    )
    shifted = memory["longer"] >= _SHIFT_TICKS
    memory["longer"] = np.where(shifted, 0.0, memory["longer"])
    return np.asarray(shifted, dtype=np.bool_)


def _per_pool(fleet: Fleet, values: Floats) -> Floats:
    """Sums of row values (rows, k) by pool, what is not known left out."""
    return np.asarray(np.add.reduceat(np.nan_to_num(values), fleet.first_row, axis=0), dtype=np.float64)


def _traffic(memory: Memory, fleet: Fleet) -> tuple[Traffic, Traffic]:
    """Of rows, and of pools."""
    prompt_share = _shares(memory["prompts"], prior_shares(fleet.prior_prompt, FIRST_PROMPT, PROMPT_EDGES))
    output_share = _shares(memory["outputs"], prior_shares(fleet.prior_output, 0, OUTPUT_EDGES))
    prompt = _scaled(
        _PROMPT_CENTERS,
        prompt_share,
        memory["prompt_sum"],
        memory["prompted"],
        memory["prompts"],
        fleet.prior_prompt,
    )
    output = _scaled(
        _OUTPUT_CENTERS,
        output_share,
        memory["output_sum"],
        memory["answered"],
        memory["outputs"],
        fleet.prior_output,
    )
    tokens = memory["prompt_tokens"]
    weight = tokens / (tokens + _PRIOR_REQUESTS * 1000.0)
    measured = memory["cached_tokens"] / np.maximum(tokens, 1.0)
    cached = clipped(weight * measured + (1 - weight) * fleet.prior_cached, 0.0, 0.95)
    dispersion = clipped(memory["dispersion"], 1.0, _MOST_DISPERSION)
    pools = Traffic(prompt, prompt_share, output, output_share, cached, dispersion)
    of = fleet.pool
    rows = Traffic(prompt[of], prompt_share[of], output[of], output_share[of], cached[of], dispersion[of])
    return rows, pools


def _shares(counts: Floats, prior: Floats) -> Floats:
    total = counts + _PRIOR_REQUESTS * prior
    return np.asarray(total / total.sum(axis=1, keepdims=True), dtype=np.float64)


def _scaled(centers: Floats, share: Floats, tokens: Floats, requests: Floats, counted: Floats, prior: Floats) -> Floats:
    """The middles of buckets, moved so that their mean is the measured one (of the prior where nothing is)."""
    inside = (share * centers[None, :]).sum(axis=1)
    known = requests >= 1.0
    weight = np.minimum(requests / (requests + _PRIOR_REQUESTS), 1.0)
    mean = np.where(known, weight * tokens / np.maximum(requests, 1.0) + (1 - weight) * prior, prior)
    # with lengths counted the mean only corrects the width of buckets; without, it carries everything
    seen = counted.sum(axis=1) > 10
    factor = np.maximum(mean, 1.0) / np.maximum(inside, 1e-9)
    factor = np.where(seen, clipped(factor, 0.6, 1.6), clipped(factor, 0.02, 50.0))
    return np.asarray(np.maximum(centers[None, :] * factor[:, None], 1.0), dtype=np.float64)


def _spread(traffic: Traffic, memory: Memory, fleet: Fleet, replicas: Floats) -> Traffic:
    """The dispersion of one replica's arrivals: a router spreads what comes in a heap over all of them."""
    pool = clipped(memory["dispersion"], 1.0, _MOST_DISPERSION)[fleet.pool]
    return Traffic(
        traffic.prompt,
        traffic.prompt_share,
        traffic.output,
        traffic.output_share,
        traffic.cached,
        1 + (pool - 1) / replicas,
    )


def _nominal_work(fleet: Fleet, pools: Traffic) -> Floats:
    """Replica-seconds of a request by the prior of each pool's first variant: the unit that demand is kept in."""
    engines, at = fleet.engines, fleet.first_row
    fresh = 1 - pools.cached
    n = pools.prompt * fresh[:, None]
    pairs = n * (pools.prompt * pools.cached[:, None] + n / 2)
    own = (
        engines.compute_token[at, None] * n
        + engines.prefill_request[at, None]
        + engines.attention_pair[at, None] * pairs
    )
    output = (pools.output_share * pools.output).sum(axis=1)
    second = (pools.output_share * pools.output**2).sum(axis=1)
    context = (pools.prompt_share * pools.prompt).sum(axis=1) + second / np.maximum(output, 1.0) / 2
    decode = output * (engines.read_token[at] + engines.kv_token[at] * context)
    return np.asarray((pools.prompt_share * own).sum(axis=1) + decode, dtype=np.float64)


def _life(fleet: Fleet, pools: Traffic) -> Floats:
    """Seconds that a request is served, about: its tokens in steps half as long again as empty ones."""
    engines, at = fleet.engines, fleet.first_row
    output = (pools.output_share * pools.output).sum(axis=1)
    return np.asarray(output * 1.5 * np.maximum(engines.read, engines.compute)[at], dtype=np.float64)


# --- groups: variants that can stand in for each other --------------------------------------------------------------


def _groups(policies: Sequence[Policy], fleet: Fleet) -> list[Group]:
    groups: list[Group] = []
    at = 0
    for index, policy in enumerate(policies):
        if len(policy.variants) == 1:
            groups.append(Group(index, policy.variants[0].role, (at,)))
            at += 1
            continue
        roles: dict[str, list[int]] = {}
        for variant in policy.variants:
            roles.setdefault(variant.role, []).append(at)
            at += 1
        groups += [Group(index, role, tuple(rows)) for role, rows in roles.items()]
    return groups


def _startups(memory: Memory, fleet: Fleet, policies: Sequence[Policy], signals: Sequence[Signals]) -> Floats:
    learned = memory.row("startup")
    at = 0
    for policy, seen in zip(policies, signals, strict=True):
        for found in seen.variants:
            if found.startups:
                for offset, variant in enumerate(policy.variants):
                    if variant.name == found.name:
                        learned[at + offset] = learning.learn_startup(
                            float(learned[at + offset]), variant.startup, found.startups
                        )
        at += len(policy.variants)
    return np.where(learned >= 0, learned, fleet.startup_prior)


# --- what is needed -------------------------------------------------------------------------------------------------


def _need(
    policies: Sequence[Policy],
    memory: Memory,
    fleet: Fleet,
    curve: Curve,
    coming: demand.Forecast,
    nominal: Floats,
    groups: Sequence[Group],
    group_ready: Floats,
    startup: Floats,
    horizon: Floats,
    traffic: Traffic,
    now: Floats,
) -> Need:
    rows = np.array([group.rows[0] for group in groups])
    pool = np.array([group.pool for group in groups])
    miss, work, floor = curve.miss[rows], curve.work[rows], curve.floor[rows]
    target = fleet.allowed[pool]
    # what can be spent on load: never less than a quarter, so that a hopeless objective does not ask for everything
    allowed = np.minimum(floor + np.maximum(target - floor, target / 4), 0.9)
    per_work = work / np.maximum(nominal[pool], 1e-12)
    load_now = coming.now[pool] * per_work
    live = np.maximum(group_ready, 1.0)

    waiting = _per_pool(fleet, fleet.waiting[:, None])[:, 0] + np.nan_to_num(fleet.queued)
    queued = waiting[pool] * work
    is_first = np.array([g == 0 or groups[g - 1].pool != groups[g].pool for g in range(len(groups))])
    one = np.flatnonzero(is_first)
    # what comes is more than what is ready can do, or as much waits already as half a second of it
    short = (load_now * memory["crowding"][pool] > _ALL * group_ready) | (queued > 0.5 * live)
    evidence = learning.weigh(memory, np.logical_or.reduceat(short, one), fleet, now, horizon)
    learning.learn_gain(memory, fleet.allowed, floor[one], fleet.seconds, evidence)
    shape = coming.shape()
    points_now = shape[pool] * load_now[:, None]
    learning.learn_crowding(memory, miss[one], points_now[one], live[one], evidence, fleet.seconds)
    crowding, gain = memory["crowding"][pool], memory["gain"][pool]

    points = coming.points()[pool] * per_work[:, None]
    # what misses at a mean load, as the load comes in waves of seconds; all that a replica carries is read from it
    uneven = sizing.rippled(curve.miss, shape[fleet.pool])
    carries, slope = inverse(uneven[rows], allowed)
    value = gain * crowding / np.maximum(carries * carries * slope, 1e-9)
    carries = carries / crowding
    backlog = _backlog(fleet, groups, queued, load_now, carries, startup[rows], horizon[pool])
    peak = shape[pool] * (memory["peak"] * nominal)[pool, None] * per_work[:, None]
    hold = _hold(fleet, groups, miss, peak, crowding, value, horizon[pool])
    memory["hold"] = np.maximum.reduceat(hold, one)
    drain = clipped(
        np.sqrt(backlog * hold / np.maximum(carries * value * np.maximum(load_now, 1e-3), 1e-9)), 20.0, 300.0
    )
    pressed = points + (backlog / drain)[:, None]
    price_up = 1.0 + np.minimum(startup[rows] / _AMORTISED, 0.5)
    least = sizing.fewest(miss, coming.quantile(0.0)[pool] * per_work + backlog / drain, crowding, gain, allowed, floor)
    # prefixes that a leaving replica takes along have to be computed again
    hit = clipped(_cached(memory), 0.0, 0.9)[pool]
    again = curve.prefill[rows] / np.maximum(work, 1e-12) * hit / (1 - hit) / live
    steady = np.log(np.maximum.reduce([coming.quantile(0.0), coming.now, 1e-9 * np.ones(len(policies))]))
    lift = np.minimum(np.exp(steady - coming.mean)[pool], 1.5) * (1 + np.minimum(again, 0.5))
    worth = sizing.Worth(miss, carries, crowding, value, _most(policies, groups))
    up, kept, plain = _cheapest(worth, points, pressed, pressed * lift[:, None], price_up)
    kept = np.maximum(kept, up)
    # nothing goes as long as the model says that fewer would not meet the SLO at the load to come
    for _ in range(_MOST_KEPT):
        short_of = sizing.missing(miss, points, crowding, kept) > allowed
        if not short_of.any():
            break
        kept = np.where(short_of, kept + 1, kept)
    # or over a flat window that has seen such loads: what met the SLO over it is enough
    up, kept = _as_the_window_has_it(memory, fleet, groups, up, kept, miss, per_work, allowed, coming, horizon)
    up = np.maximum(up, least)
    kept = np.maximum(kept, up)
    return Need(
        up=up,
        kept=kept,
        least=least,
        plain=plain,
        fast=np.ceil(load_now / np.maximum(carries, 1e-6)),
        carries=_row_carries(fleet, curve, uneven, memory, groups, allowed),
        reference=carries / np.maximum(work, 1e-12),
        work=work,
        backlog=backlog,
        drain=drain,
        points=points,
        miss=miss,
        floor=floor,
        allowed=allowed,
        crowding=crowding,
        curve=curve,
        rows=rows,
        horizon=horizon,
        hold=hold,
        memory=memory,
        startup=startup,
        weights=coming.weights,
        load_now=load_now,
        long_prompt=_long_prompt(traffic.prompt_share[rows], curve.ttft_alone[rows]),
    )


def _as_the_window_has_it(
    memory: Memory,
    fleet: Fleet,
    groups: Sequence[Group],
    up: Floats,
    kept: Floats,
    miss: Floats,
    per_work: Floats,
    allowed: Floats,
    coming: demand.Forecast,
    horizon: Floats,
) -> tuple[Floats, Floats]:
    """What to go up to and what to keep (groups,), no more than what is there, or one fewer, where that would have met
    the SLO over the last half hour, and no load is forecast that it has not seen."""
    pool = np.array([group.pool for group in groups])
    alone = np.array([len(group.rows) == 1 for group in groups])
    there = np.nan_to_num(fleet.desired)[[group.rows[0] for group in groups]]
    asked = alone & window.familiar(memory, coming.quantile(0.0), horizon)[pool] & (there >= 1) & (kept >= there)
    at = np.flatnonzero(asked)
    if not len(at):
        return up, kept
    up, kept = up.copy(), kept.copy()
    usual = replace(coming, ripple=memory["usual_ripple"]).shape()
    miss = sizing.rippled(miss[at], usual[pool[at]])
    for fewer in (0.0, 1.0):
        replicas = there[at] - fewer
        met = (replicas >= 1) & (window.share_missed(memory, pool[at], miss, per_work[at], replicas) <= allowed[at])
        at, miss, replicas = at[met], miss[met], replicas[met]
        up[at], kept[at] = np.minimum(up[at], replicas), np.minimum(kept[at], replicas)
    return up, kept


def _cheapest(
    worth: sizing.Worth, points: Floats, pressed: Floats, lifted: Floats, price_up: Floats
) -> tuple[Floats, Floats, Floats]:
    """What to go up to, what not to go below, and what the forecast alone would have (groups,): one search for all
    three. `points`: the forecast (groups, nodes), `pressed` with the backlog, `lifted` with what a start later costs;
    price_up: of a replica that has to start."""
    each = np.arange(len(points))
    # without a backlog the forecast alone would have the same
    behind = np.flatnonzero((pressed != points).any(axis=1))
    found = sizing.optimum(
        worth,
        np.concatenate([each, each, behind]),
        np.concatenate([pressed, lifted, points[behind]]),
        np.concatenate([price_up, np.ones(len(each)), price_up[behind]]),
    )
    up, kept = found[: len(each)], found[len(each) : 2 * len(each)]
    plain = up.copy()
    plain[behind] = found[2 * len(each) :]
    return up, kept, plain


def _most(policies: Sequence[Policy], groups: Sequence[Group]) -> Floats:
    """Twice what the bounds allow, in replicas of each group: enough to see that the bounds hold a pool back."""
    most = []
    for group in groups:
        variants = policies[group.pool].variants
        several = len(group.rows) > 1
        most.append(2.0 * sum(v.maximum for v in variants if v.role == group.role) * (8.0 if several else 1.0) + 2.0)
    return np.array(most)


def _cached(memory: Memory) -> Floats:
    return np.asarray(memory["cached_tokens"] / np.maximum(memory["prompt_tokens"], 1.0), dtype=np.float64)


def _backlog(
    fleet: Fleet,
    groups: Sequence[Group],
    queued: Floats,
    load: Floats,
    carries: Floats,
    startup: Floats,
    horizon: Floats,
) -> Floats:
    """Work that will still wait one start-up ahead, if what is ready and coming works it off until then."""
    there, on_their_way = fleet.ready.tolist(), fleet.coming.tolist()
    ready = np.array([sum([there[row] for row in group.rows]) for group in groups])
    coming = np.array([sum([on_their_way[row] for row in group.rows]) for group in groups])
    # with work waiting a replica does all that it can, objectives or not
    # replicas on their way join half-way through the horizon on average
    done = (ready * horizon + coming * horizon / 2) * _ALL
    left = np.maximum(queued + load * horizon - done, 0.0)
    return np.where(queued > 0.05 * np.maximum(ready, 1.0), np.minimum(left, queued + load * horizon), 0.0)


def _row_carries(
    fleet: Fleet, curve: Curve, uneven: Floats, memory: Memory, groups: Sequence[Group], allowed: Floats
) -> Floats:
    """Requests/s that a replica of each row carries within the objectives (rows,)."""
    limit = np.zeros(len(fleet.pool))
    for index, group in enumerate(groups):
        limit[list(group.rows)] = allowed[index]
    load, _ = inverse(uneven, np.maximum(limit, np.minimum(curve.floor + 0.01, 0.9)))
    return np.asarray(load / memory["crowding"][fleet.pool] / np.maximum(curve.work, 1e-12), dtype=np.float64)


def _hold(
    fleet: Fleet,
    groups: Sequence[Group],
    miss: Floats,
    peak: Floats,
    crowding: Floats,
    value: Floats,
    horizon: Floats,
) -> Floats:
    """Seconds that a lower need must last before replicas go (groups,): the ski rental rule, level by level.

    To have let a replica go when the recent peak (groups, nodes) comes back costs what misses until another is ready;
    to keep it costs its price. It is kept for as long as that comes to the same: at most twice as dear as to know.
    """
    desired = np.nan_to_num(fleet.desired).tolist()
    standing = np.array([sum([desired[row] for row in group.rows]) for group in groups])
    left = np.maximum(standing - np.maximum(np.floor(standing / 4), 1.0), 1.0)
    lost = value * sizing.saved(miss, peak, crowding, left)
    return np.asarray(clipped(horizon * lost, _HOLD_STARTS * horizon, LONGEST_HOLD), dtype=np.float64)


def _long_prompt(share: Floats, seconds: Floats) -> Floats:
    """Seconds that the prompt at the 95th percentile takes alone (rows,)."""
    at = np.minimum((np.cumsum(share, axis=1) < 0.95).sum(axis=1), share.shape[1] - 1)
    return np.asarray(np.take_along_axis(seconds, at[:, None], 1)[:, 0], dtype=np.float64)
