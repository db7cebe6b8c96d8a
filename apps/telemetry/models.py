"""Tables of the room: signals (partitioned by time), what scrapes are compared with, the newest figures."""

from __future__ import annotations

from django.db import models


class SignalColumns(models.Model):
    """One row of signals of a pool (variant "") or of one of its variants: apps.telemetry.domain.signals.Signals."""

    pk = models.CompositePrimaryKey("pool", "variant", "at")
    pool = models.UUIDField()
    variant = models.CharField(max_length=63, blank=True)
    at = models.DateTimeField()
    seconds = models.FloatField()
    targets = models.PositiveIntegerField()
    scraped = models.PositiveIntegerField()
    reason = models.TextField(blank=True)
    counts = models.JSONField(default=dict)
    rates = models.JSONField(default=dict)
    histograms = models.JSONField(default=dict)
    gauges = models.JSONField(default=dict)
    replicas = models.JSONField(default=dict)
    sources = models.JSONField(default=dict)

    class Meta:
        abstract = True


class Signal(SignalColumns):
    """A tick's row; `at` is the time of the tick. Partitioned by hour, kept for six hours."""

    class Meta:
        db_table = "telemetry_signal"

    def __str__(self) -> str:
        return f"{self.pool} {self.variant or '(pool)'} {self.at:%H:%M:%S}"


class SignalMinute(SignalColumns):
    """The rows of one minute merged; `at` is the end of the minute. Partitioned by day, kept for fourteen days."""

    class Meta:
        db_table = "telemetry_signal_minute"

    def __str__(self) -> str:
        return f"{self.pool} {self.variant or '(pool)'} {self.at:%Y-%m-%d %H:%M}"


class SignalTen(SignalColumns):
    """The minutes of ten merged; `at` is the end of the ten. Partitioned by day, kept for fourteen days: what charts of
    a day and more are drawn from."""

    class Meta:
        db_table = "telemetry_signal_ten"

    def __str__(self) -> str:
        return f"{self.pool} {self.variant or '(pool)'} {self.at:%Y-%m-%d %H:%M}"


class SignalHour(SignalColumns):
    """The tens of one hour merged; `at` is the end of the hour. Kept for 400 days."""

    class Meta:
        db_table = "telemetry_signal_hour"

    def __str__(self) -> str:
        return f"{self.pool} {self.variant or '(pool)'} {self.at:%Y-%m-%d %H}h"


class BlockColumns(models.Model):
    """Rows of a pool and its variants in (start, start + span], packed: apps.telemetry.domain.blocks."""

    pk = models.CompositePrimaryKey("pool", "start")
    pool = models.UUIDField()
    start = models.DateTimeField()
    data = models.BinaryField()

    class Meta:
        abstract = True


class BlockTick(BlockColumns):
    """Ticks of an hour. Partitioned by hour."""

    class Meta:
        db_table = "telemetry_block_tick"

    def __str__(self) -> str:
        return f"{self.pool} from {self.start:%Y-%m-%d %H:%M}"


class BlockMinute(BlockColumns):
    """Minutes of four hours. Partitioned by day."""

    class Meta:
        db_table = "telemetry_block_minute"

    def __str__(self) -> str:
        return f"{self.pool} from {self.start:%Y-%m-%d %H:%M}"


class BlockTen(BlockColumns):
    """Tens of minutes of four hours. Partitioned by day."""

    class Meta:
        db_table = "telemetry_block_ten"

    def __str__(self) -> str:
        return f"{self.pool} from {self.start:%Y-%m-%d}"


class BlockHour(BlockColumns):
    """Hours of four days. Partitioned by ten days."""

    class Meta:
        db_table = "telemetry_block_hour"

    def __str__(self) -> str:
        return f"{self.pool} from {self.start:%Y-%m-%d}"


class ScrapeState(models.Model):
    """The totals of one engine at its last scrape, which the next one is compared with."""

    target = models.CharField(max_length=100, primary_key=True)
    pool = models.UUIDField()
    at = models.DateTimeField()
    totals = models.JSONField()

    def __str__(self) -> str:
        return f"{self.target} at {self.at:%H:%M:%S}"


class ReplicaWindow(models.Model):
    """The last minutes of one engine, which it is compared with its peers by: apps.telemetry.domain.replicas.

    `at`: the last tick that meant to read it, `read_at`: the last one that could; `reason`: why this one could not.
    """

    target = models.CharField(max_length=100, primary_key=True)
    pool = models.UUIDField(db_index=True)
    variant = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=253)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    stretches = models.JSONField(default=list)
    gauges = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%H:%M:%S}"


class PoolSummary(models.Model):
    """The newest figures of a pool, for lists: one row to read where a window of signals would be many.

    `figures`: name -> {"value": number} | {"state": "no_traffic"} | {"state": "unknown", "reason": …};
    `hour`: family -> histogram of the sixty whole minutes before `hour_until`.
    """

    pool = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    last_sample_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    figures = models.JSONField(default=dict)
    hour = models.JSONField(default=dict)
    hour_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.pool} at {self.at:%H:%M:%S}"


class Outage(models.Model):
    """A time without ticks; `filled_at`: when it was filled from Prometheus or given up, `problem`: what went wrong."""

    since = models.DateTimeField(unique=True)
    until = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    filled_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%H:%M}"


class Progress(models.Model):
    """How far the ticks have come: the one row with id 1."""

    last_tick_at = models.DateTimeField(null=True)
    minutes_until = models.DateTimeField(null=True)
    tens_until = models.DateTimeField(null=True)
    hours_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"ticked at {self.last_tick_at}"
