"""Tables of the SLOs room: documents, the ledger of what was counted, alerts and the messages that tell of them."""

from __future__ import annotations

import uuid

from django.db import models

from apps.core.models import DeclaredObject


class SLO(DeclaredObject):
    """A declared service level objective."""

    class Meta(DeclaredObject.Meta):
        abstract = False


class Series(models.Model):
    """What is counted of a pool for one promise; objectives that promise the same share it.

    `threshold_us` in microseconds, 0 for errors; `traffic`: the key of a class of requests, empty for all. `began_at`:
    from when on there is a count; `until`: how far it has come, with the sums up to there
    (apps.slos.domain.tally.Tally).
    """

    pool = models.UUIDField()
    source = models.CharField(max_length=10)
    metric = models.CharField(max_length=10)
    threshold_us = models.PositiveBigIntegerField()
    traffic = models.CharField(max_length=120, blank=True, default="")
    began_at = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    total = models.FloatField(default=0.0)
    good = models.FloatField(default=0.0)
    good_most = models.FloatField(default=0.0)
    known = models.FloatField(default=0.0)
    idle = models.FloatField(default=0.0)
    used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["pool", "source", "metric", "threshold_us", "traffic"], name="slos_series_promise"
            )
        ]

    def __str__(self) -> str:
        return f"{self.pool} {self.metric} {self.threshold_us} µs at the {self.source}"


class LedgerPoint(models.Model):
    """Sums of a series up to `at`; thinned out with age (services.thin)."""

    pk = models.CompositePrimaryKey("series_id", "at")
    series = models.ForeignKey(Series, on_delete=models.CASCADE, db_index=False)
    at = models.DateTimeField()
    total = models.FloatField()
    good = models.FloatField()
    good_most = models.FloatField()
    known = models.FloatField()
    idle = models.FloatField()

    class Meta:
        db_table = "slos_ledger"

    def __str__(self) -> str:
        return f"{self.series_id} at {self.at:%Y-%m-%d %H:%M}"


class IntegrityReport(models.Model):
    """What the last probe of a pool's pages found (apps.slos.integrity), and what the next is compared with."""

    pool = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    state = models.CharField(max_length=10)
    report = models.JSONField()
    memory = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.pool} {self.state} at {self.at:%H:%M:%S}"


class Alert(models.Model):
    """A burn-rate alert from its beginning to its end. `slo` is the uid; names are kept for when the SLO is gone.

    `target_kind`: Pool | Endpoint; `traffic`: the key of the class of requests, empty for all.
    """

    FIRING = "firing"
    RESOLVED = "resolved"

    slo = models.UUIDField()
    team = models.CharField(max_length=50)
    slo_name = models.CharField(max_length=50)
    target_kind = models.CharField(max_length=10, default="Pool")
    target_name = models.CharField(max_length=50)
    traffic = models.CharField(max_length=120, blank=True, default="")
    objective = models.CharField(max_length=80)
    promise = models.CharField(max_length=300)
    pair = models.CharField(max_length=20)
    severity = models.CharField(max_length=10)
    state = models.CharField(max_length=10, choices=[(FIRING, FIRING), (RESOLVED, RESOLVED)])
    factor = models.FloatField()
    burn_short = models.FloatField()
    burn_long = models.FloatField()
    reason = models.TextField()
    started_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["slo", "objective", "pair"], condition=models.Q(state="firing"), name="slos_alert_once"
            )
        ]
        indexes = [models.Index(fields=["team", "-started_at"]), models.Index(fields=["slo", "-started_at"])]

    def __str__(self) -> str:
        return f"{self.team}/{self.slo_name} {self.objective} {self.pair} {self.state}"


class Webhook(DeclaredObject):
    """Where a team wants to be told. `sealed`: its signing secret (apps.core.sealing), made here, shown once."""

    sealed = models.TextField(default="")
    secret_at = models.DateTimeField(null=True)

    class Meta(DeclaredObject.Meta):
        abstract = False


class Delivery(models.Model):
    """One message to one webhook, sent until it is taken: at least once. `due_at`: when to try (again)."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=30)
    payload = models.JSONField()
    state = models.CharField(max_length=10, default=WAITING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    answered = models.PositiveIntegerField(null=True)
    error = models.TextField(blank=True, default="")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(state="waiting"), name="slos_delivery_due"),
            models.Index(fields=["webhook", "-created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook_id}: {self.state}"
