"""Tables of the SLOs room: the documents, and the ledger of what was counted."""

from __future__ import annotations

from django.db import models

from apps.core.models import DeclaredObject


class SLO(DeclaredObject):
    """A declared service level objective."""

    class Meta(DeclaredObject.Meta):
        abstract = False


class Series(models.Model):
    """What is counted of a pool for one promise; objectives that promise the same share it.

    `threshold_us` in microseconds, 0 for errors. `began_at`: from when on there is a count; `until`: how far it has
    come, with the sums up to there (apps.slos.domain.tally.Tally).
    """

    pool = models.UUIDField()
    source = models.CharField(max_length=10)
    metric = models.CharField(max_length=10)
    threshold_us = models.PositiveBigIntegerField()
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
            models.UniqueConstraint(fields=["pool", "source", "metric", "threshold_us"], name="slos_series_promise")
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
