"""The timeline over HTTP: one list of changes and events."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from apps.audit import services
from apps.core import clock
from apps.core.domain.access import Role
from apps.pools.services import Wanted, set_replica_targets
from tests.support.people import Api, api_of, person, team
from tests.support.pools import cluster_document, declare, model_document, pool, pool_document

pytestmark = pytest.mark.django_db
UID = UUID("11111111-2222-3333-4444-555555555555")
MODEL = """
apiVersion: lamplight.dev/v1
kind: Model
metadata: {name: llama}
spec:
  source: hf://example/llama
  shape: {layers: 32, kvHeads: 8, headDim: 128, dtype: bfloat16}
"""


def happened(message: str, *, type: str = "Normal", where: str = "default") -> None:
    services.record_event(
        kind="Pool", uid=UID, team=where, name="chat", type=type, reason="Ready", message=message, source="test"
    )


@pytest.fixture()
def editor() -> Api:
    return api_of(person("erin", default=Role.EDITOR))


def test_a_change_says_who_what_and_why(editor: Api):
    assert editor.apply(MODEL, "?team=default").status_code == 200
    assert editor.apply(MODEL.replace("headDim: 128", "headDim: 64"), "?team=default&reason=smaller").status_code == 200
    newest, first = editor.get("timeline?kind=Model")["items"]
    assert (newest["source"], newest["title"], newest["actor"], newest["reason"]) == (
        "change",
        "update",
        "erin",
        "smaller",
    )
    assert newest["parts"] == [{"pointer": "/spec/shape/headDim", "before": 128, "after": 64}]
    assert (first["title"], first["parts"]) == ("create", [])


def test_pages_hold_every_line_once_whatever_its_source(editor: Api):
    start = clock.now()
    for i in range(7):
        with clock.frozen(start + timedelta(seconds=i // 2)):
            happened(f"event {i}")
            editor.apply(MODEL.replace("name: llama", f"name: llama-{i}"), "?team=default")
    seen, path = [], "timeline?limit=3"
    while True:
        page = editor.get(path)
        seen += [(line["at"], line["source"], line["id"]) for line in page["items"]]
        if page["next"] is None:
            break
        path = f"timeline?limit=3&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 14
    assert [at for at, _, _ in seen] == sorted((at for at, _, _ in seen), reverse=True)


def test_it_is_narrowed_by_source_type_and_time(editor: Api):
    start = clock.now()
    with clock.frozen(start - timedelta(hours=2)):
        happened("old")
    happened("new")
    happened("bad", type="Warning")
    editor.apply(MODEL, "?team=default")
    since = int(start.timestamp()) - 60
    assert [line["message"] for line in editor.get(f"timeline?source=event&from={since}")["items"]] == ["bad", "new"]
    assert [line["message"] for line in editor.get(f"timeline?to={since}")["items"]] == ["old"]
    assert [line["message"] for line in editor.get("timeline?type=Warning")["items"]] == ["bad"]
    assert {line["source"] for line in editor.get("timeline?source=change")["items"]} == {"change"}


def test_a_move_of_replicas_is_told_once_by_its_change(editor: Api):
    declare(cluster_document("/none"), model_document(), pool_document())
    wanted = [Wanted("h200", 3, "autoscaler", "more is expected")]
    set_replica_targets(pool=pool(), wanted=wanted, actor="system:autoscaler")
    together = editor.get("timeline?kind=Pool")["items"][:-1]
    assert [(line["source"], line["actor"], line["reason"]) for line in together] == [
        ("change", "system:autoscaler", "more is expected")
    ]
    assert together[0]["parts"] == [{"pointer": "/targets/h200", "before": 2, "after": 3}]
    sentence = "h200 3 → 4: more is expected"
    set_replica_targets(pool=pool(), wanted=[Wanted("h200", 4, "autoscaler", sentence)], actor="system:autoscaler")
    told = editor.get("timeline?kind=Pool&source=event")["items"]
    assert [(line["title"], line["message"]) for line in told] == [
        ("TargetSet", sentence),
        ("TargetSet", "h200: 2 → 3 replicas (more is expected)"),
    ]


def test_other_teams_are_not_seen(editor: Api):
    team("elsewhere")
    happened("hidden", where="elsewhere")
    assert editor.get("timeline")["items"] == []
    assert editor.send("GET", "timeline?team=elsewhere").status_code == 404


@pytest.mark.parametrize("query", ["from=yesterday", "to=99999999999999", "source=moon", "cursor=bm9wZQ", "limit=0"])
def test_nonsense_is_refused_with_a_sentence(editor: Api, query: str):
    answer = editor.send("GET", f"timeline?{query}")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
