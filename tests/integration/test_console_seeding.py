"""The seeded week: made by the real services, so it must hold what they promise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from apps.core import clock
from apps.core.domain.access import Role
from apps.pools.models import Pool
from tests.support.people import api_of, person

END = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)


@pytest.mark.django_db
def test_a_seeded_day_reads_as_one_that_was_lived(capsys: pytest.CaptureFixture[str]) -> None:
    api = api_of(person("ada", superuser=True, default=Role.ADMIN))
    call_command("seed_week", "--by", "ada", "--end", END.isoformat(), "--days", "1", "--pools", "30")
    assert '"pools": 36' in capsys.readouterr().out
    with clock.frozen(END + timedelta(seconds=5)):
        fleet = {row["name"]: row for row in api.get("fleet")["items"]}
        assert len(fleet) == 36
        assert fleet["summaries"]["slo"][0]["state"] == "Breached"
        assert fleet["vision"]["health"] == "Degraded" and fleet["vision"]["ttftP95"] is None
        assert fleet["chat"]["dataState"] == "ok" and fleet["pool-0001"]["requestsPerSecond"] > 0
        alerts = api.get("alerts?state=firing")["items"]
        assert "summaries" in {alert["pool"] for alert in alerts} <= {"summaries", "chat"}
        decided = api.get("teams/default/pools/chat/decisions?limit=200")["items"]
        assert any(one["verb"] == "up" for one in decided)
        for one in decided:
            assert api.get(f"teams/default/pools/chat/decisions/{one['id']}/replay")["equal"] is True
        tiers = api.get("teams/default/pools/code/offload/decisions")["items"]
        assert [(one["verb"], one["actuation"]) for one in tiers] == [
            ("hold", None), ("canary", "Plan written."), ("hold", None),
        ], tiers  # fmt: skip
        for one in tiers:
            assert api.get(f"teams/default/pools/code/offload/decisions/{one['id']}/replay")["equal"] is True
        told = api.get("timeline?name=code&source=change")["items"]
        assert {line["reason"] for line in told} >= {"more sequences at once", "the platform's first pools"}
        for panel in ("ttft", "replicas", "prompt_tokens_by_source", "cost"):
            drawn = api.get(f"teams/default/pools/chat/panels/{panel}")
            assert drawn["state"] == "ok" and len(drawn["series"][0]["points"]) > 50, panel
        tried, beside = (
            api.get(f"teams/default/pools/code/panels/ttft?track={track}") for track in ("canary", "stable")
        )
        assert tried["state"] == beside["state"] == "ok"
        assert tried["series"][1]["points"][-1][1] < beside["series"][1]["points"][-1][1]
        loads = api.get("teams/search/pools/summaries/loads")["items"]
        assert [one["status"] for one in loads] == ["done", "failed", "lost", "done"]
        compared = api.get(f"teams/search/pools/summaries/loads/{loads[3]['id']}/compare/{loads[0]['id']}")
        assert compared["comparable"] and "TTFT p95 fell" in compared["sentence"]
        calendar = api.get("teams/search/slos/summaries-latency/attainment")["items"][0]["steps"]
        assert "breached" in {step["state"] for step in calendar}
    with pytest.raises(CommandError, match="pools already"):
        call_command("seed_week", "--by", "ada")
    assert Pool.objects.count() == 36
