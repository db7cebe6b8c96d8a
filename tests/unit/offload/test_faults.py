"""What is wrong with a volume is told by its owner's page, and a tier that cannot be trusted is taken off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.evictor.metrics import Metrics
from apps.offload.domain.decide import decide
from apps.offload.domain.store import Fault, StorePage, fault_of, read_page, told
from apps.offload.domain.types import Configuration, Placed, State
from tests.unit.offload.pools import GIB, POLICY, signals

NOW = 1_000_000.0
BOTH = Configuration((Placed("host", 64 * GIB), Placed("filesystem", 512 * GIB, "kv", 600)))
GOOD = StorePage(up=True, used=9e9, quota=1e10, volume=1e12, free=5e11, canary_ok=True)


def test_the_page_is_read_as_the_evictor_writes_it() -> None:
    metrics = Metrics()
    for name, value in (
        ("up", 1),
        ("used_bytes", 9e9),
        ("quota_bytes", 1e10),
        ("volume_bytes", 1e12),
        ("canary_ok", 0),
    ):
        metrics.set(name, value)
    metrics.set("reuse_seconds", 40, quantile="0.95")
    metrics.add("removed_files_total", 3, reason="quota")
    metrics.add("removed_files_total", 4, reason="ttl")
    page = read_page(metrics.page())
    assert page is not None
    assert (page.reuse, page.removed, page.forced) == (40, 7, None), "of a counter all reasons together"
    assert (page.up, page.used, page.quota, page.volume, page.canary_ok) == (True, 9e9, 1e10, 1e12, False)
    # what it does not say is not zero
    assert (page.free, page.growth, page.blind) == (None, None, None)
    assert read_page("# HELP something_else x\nsomething_else 1\n") is None


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (StorePage(up=False), "VolumeUnreadable"),
        (replace(GOOD, canary_ok=False), "VolumeCorrupt"),
        (replace(GOOD, free=1e9), "VolumeFull"),
        (replace(GOOD, least_quota=2e10), "QuotaTooSmall"),
        (replace(GOOD, least_quota=5e9), None),
        (replace(GOOD, foreign_age=30.0, least_quota=2e10), "FolderShared"),
        (replace(GOOD, foreign_age=130.0), None),
        (replace(GOOD, volume=2e9, free=2e8), None),
        (replace(GOOD, free=None, canary_ok=None), None),
        (GOOD, None),
    ],
)
def test_what_is_wrong_with_a_volume(page: StorePage, reason: str | None) -> None:
    fault = fault_of(page, "kv-cache")
    assert (fault.reason if fault else None) == reason
    assert fault is None or "kv-cache" in fault.sentence


@pytest.mark.parametrize(
    ("page", "state", "words"),
    [
        (StorePage(up=False), "unreadable", "removes nothing"),
        (replace(GOOD, behind=True, blind=True), "behind", "faster than chunks can be removed"),
        (replace(GOOD, blind=True), "blind", "by their age"),
        (replace(GOOD, removed=7.0, forced=2.0, watched=False), "keeping", "7 chunks went since it began, 2 of them"),
        (GOOD, "keeping", "Nothing had to go yet."),
    ],
)
def test_how_the_owner_of_the_folder_stands_is_said(page: StorePage, state: str, words: str) -> None:
    evictor = told(page, None, "kv-cache")["evictor"]
    assert evictor["state"] == state
    assert words in evictor["sentence"]


def faulty(reason: str) -> dict[str, Fault]:
    return {"filesystem": Fault(reason, "Volume kv is bad.")}  # type: ignore[arg-type]


def test_a_volume_that_gives_back_other_bytes_is_taken_off_at_once_and_host_memory_stays() -> None:
    decision = decide(POLICY, signals(standing=BOTH, faults=faulty("VolumeCorrupt")), State(phase="steady"), NOW)
    assert (decision.verb, decision.binding, decision.canary) == ("roll-back", "fault", False)
    assert [tier.kind for tier in decision.plan.tiers] == ["host"]
    assert "Volume kv is bad" in decision.sentence


def test_a_vanished_mount_is_waited_for_and_then_taken_off_even_while_blind() -> None:
    seen = signals(standing=BOTH, faults=faulty("VolumeUnreadable"), blind="No engine publishes KV events.")
    first = decide(POLICY, seen, State(phase="steady"), NOW)
    assert first.plan == BOTH
    later = decide(POLICY, seen, first.state, NOW + 299)
    assert later.plan == BOTH
    gone = decide(POLICY, seen, later.state, NOW + 301)
    assert [tier.kind for tier in gone.plan.tiers] == ["host"]
    # one that came back in between begins anew
    back = decide(POLICY, replace(seen, faults={}), first.state, NOW + 200)
    assert decide(POLICY, seen, back.state, NOW + 310).plan == BOTH


def test_a_full_volume_stays_and_loads_what_it_has() -> None:
    seen = signals(standing=BOTH, faults=faulty("VolumeFull"), rolling=True)
    assert decide(POLICY, seen, State(phase="steady"), NOW).plan == BOTH


def test_a_tier_with_a_fault_is_not_proposed() -> None:
    fast = {kind: replace(b, load=50e9, store=50e9) for kind, b in signals().bandwidths.items()}
    seen = signals(fast, faults=faulty("VolumeCorrupt"))
    first = decide(POLICY, seen, State(), NOW)
    decision = decide(POLICY, seen, first.state, NOW + 30)
    assert [tier.kind for tier in decision.plan.tiers] == ["host"]


def test_what_a_canary_alone_had_is_not_given_to_all_when_its_volume_is_bad() -> None:
    fault = fault_of(replace(GOOD, canary_ok=False), "kv")
    assert fault is not None
    seen = signals(standing=BOTH, canaried=True, faults={"filesystem": fault})
    for phase in ("canary", "leaving"):
        back = decide(POLICY, seen, State(phase=phase, since=NOW, trial=BOTH), NOW + 10)  # type: ignore[arg-type]
        assert (back.verb, back.plan.tiers, back.canary, back.state.phase) == ("roll-back", (), False, "steady")
    kept = decide(POLICY, replace(seen, canaried=False), State(phase="steady"), NOW + 10)
    assert [tier.kind for tier in kept.plan.tiers] == ["host"]
