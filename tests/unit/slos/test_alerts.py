"""When alerts begin and end, and how messages are signed."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.domain.refusals import Invalid
from apps.slos.domain.alerts import AlertKey, transitions
from apps.slos.domain.attainment import Span
from apps.slos.domain.slo import Objective
from apps.slos.domain.standing import Standing, stand, windows_of
from apps.slos.domain.tally import Tally
from apps.slos.domain.webhook import WebhookSpec, longest_wait, signature, wants

OBJECTIVE = Objective.from_document({"metric": "ttft", "threshold": "500ms", "fraction": "95%", "window": "28d"})
FAST = AlertKey("ttft-500ms-28d", "5m/1h")


def standing(bad: dict[float, float], known: float = 1.0, rate: float = 1.0) -> Standing:
    """One event per second; the share `bad` by window (0.1 % where not named)."""
    spans = {}
    for w in windows_of(OBJECTIVE):
        good = rate * w * (1 - bad.get(w, 0.001))
        spans[w] = Span(w, Tally(rate * w, good, good, w * known))
    return stand(OBJECTIVE, spans)


def test_a_fast_burn_begins_and_ends_an_alert() -> None:
    burning = [standing({300.0: 0.9, 3600.0: 0.9})]
    fired, resolved = transitions(burning, [])
    assert [one.key for one in fired] == [FAST]
    assert resolved == []
    assert fired[0].severity == "page"
    assert (
        "burns 18 times too fast over the last 5 min and 18 times over the last 1 h; "
        "the alert is for 13.4 times and more. 99.9 % against" in fired[0].reason
    )
    # still burning: nothing new
    assert transitions(burning, [FAST]) == ([], [])
    fired, resolved = transitions([standing({3600.0: 0.9})], [FAST])
    assert fired == []
    assert resolved[0].key == FAST
    assert resolved[0].reason.startswith("The burn rate fell to 0.02.")


def test_a_hair_below_the_factor_is_no_end() -> None:
    assert transitions([standing({300.0: 0.65, 3600.0: 0.65})], [FAST]) == ([], [])


def test_silence_is_no_recovery() -> None:
    assert transitions([standing({300.0: 0.9, 3600.0: 0.9}, known=0.1)], [FAST]) == ([], [])


def test_no_traffic_ends_an_alert() -> None:
    spans = {w: Span(w, Tally(0, 0, 0, w, w)) for w in windows_of(OBJECTIVE)}
    _, resolved = transitions([stand(OBJECTIVE, spans)], [FAST])
    assert resolved[0].reason.startswith("Nothing was asked in the last 5 min.")


def test_an_objective_that_is_gone_ends_its_alerts() -> None:
    other = AlertKey("itl-40ms-28d", "30m/6h")
    _, resolved = transitions([standing({})], [other])
    assert "no longer declared" in resolved[0].reason


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.sampled_from([0.0, 0.3, 1.0])), max_size=12))
def test_an_alert_never_begins_twice_nor_ends_unbegun(history: list[tuple[float, float, float]]) -> None:
    running: set[AlertKey] = set()
    for short, long, known in history:
        fired, resolved = transitions([standing({300.0: short, 3600.0: long}, known=known)], running)
        begun, ended = {one.key for one in fired}, {one.key for one in resolved}
        assert not begun & running
        assert ended <= running
        running = (running | begun) - ended


def test_the_signature_is_that_of_standard_webhooks() -> None:
    secret, body = b"k" * 32, b'{"a":1}'
    expected = base64.b64encode(hmac.new(secret, b"msg_1.1700000000." + body, hashlib.sha256).digest()).decode()
    assert signature(secret, "msg_1", 1_700_000_000, body) == f"v1,{expected}"
    assert signature(secret, "msg_2", 1_700_000_000, body) != f"v1,{expected}"


def test_waits_grow_and_stay_bounded() -> None:
    waits = [longest_wait(n) for n in range(1, 40)]
    assert waits[:3] == [10, 20, 40]
    assert waits == sorted(waits)
    assert waits[-1] == 3600


def test_whom_a_webhook_tells() -> None:
    all_of_them = WebhookSpec.from_document({"url": "https://hooks.example.com/x"})
    assert wants(all_of_them, slo="fast", severity="ticket")
    some = WebhookSpec.from_document({"url": "https://hooks.example.com/x", "severities": ["page"], "slos": ["fast"]})
    assert wants(some, slo="fast", severity="page")
    assert not wants(some, slo="fast", severity="ticket")
    assert not wants(some, slo="slow", severity="page")
    off = WebhookSpec.from_document({"url": "https://hooks.example.com/x", "enabled": False})
    assert not wants(off, slo="fast", severity="page")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "https://",
        "https://me:secret@example.com/",
        "hooks.example.com",
        "https://exa mple.com/",
        "https://a:b/",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(Invalid):
        WebhookSpec.from_document({"url": url})
