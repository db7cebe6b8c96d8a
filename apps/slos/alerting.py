"""Alerts in Postgres: begun and ended in the transaction of the tick that saw it, with the messages that tell of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.audit.services import record_event
from apps.core.domain.conditions import format_time
from apps.slos.domain.alerts import AlertKey, Resolved, transitions
from apps.slos.domain.slo import SLOSpec
from apps.slos.domain.standing import Standing
from apps.slos.domain.webhook import WebhookSpec, payload, wants
from apps.slos.models import SLO, Alert, Delivery, Webhook

__all__ = ["KEPT", "alert_json", "forget", "update_alerts"]

KEPT = timedelta(days=400)


def update_alerts(judged: Sequence[tuple[Any, Sequence[Standing]]], now: datetime) -> None:
    """Begin and end alerts for (SLO, how its objectives stand). Call it last in the transaction: it publishes."""
    running: dict[UUID, dict[AlertKey, Alert]] = {}
    for alert in Alert.objects.filter(state=Alert.FIRING).order_by("id"):
        running.setdefault(alert.slo, {})[AlertKey(alert.objective, alert.pair)] = alert
    begun: list[Alert] = []
    ended: list[Alert] = []
    for slo, standings in judged:
        mine = running.pop(slo.uid, {})
        fired, resolved = transitions(standings, mine)
        spec = SLOSpec.from_document(slo.spec)
        begun += [
            Alert(
                slo=slo.uid,
                team=slo.team,
                slo_name=slo.name,
                target_kind=spec.target_ref.kind,
                target_name=spec.target_ref.name,
                traffic=spec.traffic_key,
                objective=one.key.objective,
                promise=one.promise,
                pair=one.key.pair,
                severity=one.severity,
                state=Alert.FIRING,
                factor=one.factor,
                burn_short=one.burn_short,
                burn_long=one.burn_long,
                reason=one.reason,
                started_at=now,
            )
            for one in fired
        ]
        ended += [_end(mine[one.key], one, now) for one in resolved]
    # what is left belongs to SLOs that are not judged any more
    there = set(SLO.objects.living().filter(uid__in=running).values_list("uid", flat=True))
    for uid, alerts in running.items():
        why = "What the SLO is about is gone." if uid in there else "The SLO was deleted."
        ended += [_end(alert, Resolved(key, why), now) for key, alert in alerts.items()]
    if not begun and not ended:
        return
    Alert.objects.bulk_create(begun)
    Alert.objects.bulk_update(ended, ["state", "resolved_at", "resolution"])
    _tell(begun, ended, now)
    for alert in begun:
        _note(alert, "Warning", "BurnRateHigh", alert.reason)
    for alert in ended:
        _note(alert, "Normal", "BurnRateResolved", f"{alert.pair}: {alert.resolution}")


def _end(alert: Alert, resolved: Resolved, now: datetime) -> Alert:
    alert.state, alert.resolved_at, alert.resolution = Alert.RESOLVED, now, resolved.reason
    return alert


def _tell(begun: Iterable[Alert], ended: Iterable[Alert], now: datetime) -> None:
    changed = [*begun, *ended]
    hooks = [
        (hook, WebhookSpec.from_document(hook.spec))
        for hook in Webhook.objects.living().filter(team__in={alert.team for alert in changed})
    ]
    messages = []
    for alert in changed:
        firing = alert.state == Alert.FIRING
        body = payload("alert.firing" if firing else "alert.resolved", alert_json(alert), format_time(now))
        messages += [
            Delivery(webhook=hook, event=body["type"], payload=body, created_at=now, due_at=now)
            for hook, spec in hooks
            if hook.team == alert.team and wants(spec, slo=alert.slo_name, severity=alert.severity)
        ]
    Delivery.objects.bulk_create(messages, batch_size=500)


def _note(alert: Alert, type_: Any, reason: str, message: str) -> None:
    record_event(
        kind="SLO",
        uid=alert.slo,
        team=alert.team,
        name=alert.slo_name,
        type=type_,
        reason=reason,
        message=message,
        source="slos",
    )


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert over REST and in messages."""
    return {
        "id": alert.pk,
        "team": alert.team,
        "slo": alert.slo_name,
        "target": {"kind": alert.target_kind, "name": alert.target_name},
        "pool": alert.target_name if alert.target_kind == "Pool" else "",
        "traffic": alert.traffic,
        "objective": alert.objective,
        "promise": alert.promise,
        "pair": alert.pair,
        "severity": alert.severity,
        "state": alert.state,
        "reason": alert.reason,
        "factor": alert.factor,
        "burnShort": alert.burn_short,
        "burnLong": alert.burn_long,
        "startedAt": format_time(alert.started_at),
        "resolvedAt": format_time(alert.resolved_at) if alert.resolved_at else None,
        "resolution": alert.resolution,
    }


def forget(now: datetime) -> None:
    """Delete alerts that ended long ago, and messages a week after their end."""
    Alert.objects.filter(state=Alert.RESOLVED, resolved_at__lt=now - KEPT).delete()
    Delivery.objects.filter(ended_at__lt=now - timedelta(days=7)).delete()
