"""The timeline and the change records, through their services and over HTTP."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from apps.audit import services
from apps.audit.models import Event
from apps.core import clock, outbox
from apps.core.domain.access import Role
from apps.core.models import OutboxEvent
from tests.support.people import api_of, person, team

pytestmark = pytest.mark.django_db
UID = UUID("11111111-2222-3333-4444-555555555555")


def happened(
    message: str = "Pod chat-1 is ready.", *, uid: UUID = UID, name: str = "chat", where: str = "default"
) -> Event:
    return services.record_event(
        kind="Pool", uid=uid, team=where, name=name, type="Normal", reason="Ready", message=message, source="test"
    )


def test_repeats_are_counted_until_a_pause_of_ten_minutes() -> None:
    start = clock.now()
    for minutes in (0, 9, 18, 30):
        with clock.frozen(start + timedelta(minutes=minutes)):
            happened()
    happened("Something else.")
    events = list(Event.objects.order_by("id"))
    assert [(e.count, e.last_at - e.first_at) for e in events[:2]] == [
        (3, timedelta(minutes=18)),
        (1, timedelta(0)),
    ]
    assert len(events) == 3


def test_an_event_is_told_to_the_stream() -> None:
    happened()
    happened()
    assert list(OutboxEvent.objects.values_list("verb", "name")) == [("event", "chat")] * 2


def test_events_are_listed_newest_first_narrowed_and_paged() -> None:
    viewer = api_of(person("vera", default=Role.VIEWER))
    team("elsewhere")
    start = clock.now()
    for i in range(5):
        with clock.frozen(start + timedelta(seconds=i)):
            happened(f"number {i}", uid=uuid4(), name="chat" if i % 2 else "other")
    happened("hidden", where="elsewhere")
    messages, path = [], "events?limit=2"
    while True:
        page = viewer.get(path)
        messages += [e["message"] for e in page["items"]]
        if not page["next"]:
            break
        path = f"events?limit=2&cursor={page['next']}"
    assert messages == [f"number {i}" for i in (4, 3, 2, 1, 0)]
    narrowed = viewer.get("events?kind=Pool&team=default&name=chat")["items"]
    assert [e["message"] for e in narrowed] == ["number 3", "number 1"]
    assert ",".join(narrowed[0]) == "id,kind,uid,team,name,type,reason,message,source,count,firstSeen,lastSeen"


def test_changes_are_listed_with_who_and_why() -> None:
    user = person("ada", default=Role.EDITOR)
    api = api_of(user)
    model = "apiVersion: lamplight.dev/v1\nkind: Model\nmetadata: {name: m}\nspec: {source: hf://a/b}\n"
    api.apply(model, "?reason=first")
    api.apply(model.replace("a/b", "a/c"), "?reason=second")
    newest, oldest = api.get("changes?team=default")["items"]
    assert (newest["reason"], newest["action"], newest["generation"]) == ("second", "update", 2)
    assert (newest["before"]["spec"]["source"], newest["after"]["spec"]["source"]) == ("hf://a/b", "hf://a/c")
    assert newest["actor"] == f"user:{user.uid}"
    assert (oldest["before"], oldest["reason"]) == (None, "first")
    page = api.get("changes?limit=1")
    assert [c["reason"] for c in api.get(f"changes?limit=1&cursor={page['next']}")["items"]] == ["first"]


def test_old_lines_are_trimmed_and_fresh_ones_stay() -> None:
    with clock.frozen(clock.now() - timedelta(days=15)):
        happened("old")
    happened("new")
    assert services.trim_events() == 1
    assert [e.message for e in Event.objects.all()] == ["new"]
    assert outbox.trim() == 1
    assert OutboxEvent.objects.count() == 1
