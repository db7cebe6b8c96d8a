"""The work queue's tables."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.reconcile.domain.priority import Priority


class QueueItem(models.Model):
    """One key waiting for its controller, or being worked on. All times are the database's."""

    kind = models.CharField(max_length=63)
    uid = models.UUIDField()
    # keys of one shard (a cluster) share a concurrency limit and a circuit breaker
    shard = models.CharField(max_length=100, default="", blank=True)
    priority = models.SmallIntegerField(default=Priority.RESYNC)
    due_at = models.DateTimeField(db_default=Now())
    enqueued_at = models.DateTimeField(db_default=Now())
    attempts = models.IntegerField(default=0)
    # the fencing token: grows with every claim of any key; a holder with an older one writes nothing
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=200, default="", blank=True)
    dirty = models.BooleanField(default=False)
    last_error = models.TextField(default="", blank=True)

    class Meta:
        db_table = "reconcile_queue"
        constraints = [models.UniqueConstraint(fields=["kind", "uid"], name="reconcile_queue_key")]
        indexes = [
            models.Index(fields=["shard", "priority", "due_at"], name="reconcile_queue_due"),
            models.Index(fields=["shard"], condition=Q(lease_until__isnull=False), name="reconcile_queue_leased"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}/{self.uid}"


class Shard(models.Model):
    """Circuit breaker of one shard; no row: closed."""

    name = models.CharField(max_length=100, primary_key=True)
    failures = models.IntegerField(default=0)
    open_until = models.DateTimeField(db_default=Now())
    last_error = models.TextField(default="", blank=True)

    class Meta:
        db_table = "reconcile_shard"

    def __str__(self) -> str:
        return self.name


class ShardLimit(models.Model):
    """How many keys of a shard are worked on at once; no row: as many as the queue's own limit."""

    name = models.CharField(max_length=100, primary_key=True)
    concurrency = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "reconcile_shard_limit"

    def __str__(self) -> str:
        return f"{self.name}: {self.concurrency}"
