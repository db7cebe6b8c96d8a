"""Tables of the room."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models

QUEUED, RUNNING, DONE, STOPPED, FAILED, LOST = "queued", "running", "done", "stopped", "failed", "lost"
UNFINISHED = (QUEUED, RUNNING)


class LoadRun(models.Model):
    """One load that was sent to a pool. `request`: what was asked (domain LoadBody); `measured`: domain Tally as JSON;
    `promises`: objectives at the start. `touched_at`: when its worker last said that it lives."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pool = models.UUIDField()
    team = models.CharField(max_length=50)
    name = models.CharField(max_length=50)
    generation = models.PositiveBigIntegerField()
    label = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=10, default=QUEUED)
    message = models.TextField(blank=True)
    request: Any = models.JSONField()
    promises: Any = models.JSONField(default=list)
    measured: Any = models.JSONField(null=True)
    # replicas that were ready; null where that was not known
    ready_at_start = models.PositiveIntegerField(null=True)
    ready_at_end = models.PositiveIntegerField(null=True)
    created_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    touched_at = models.DateTimeField(null=True)
    stop_requested_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "benchmarks_load"
        indexes = [models.Index(fields=["pool", "-created_at"], name="benchmarks_of_pool")]
        constraints = [
            # two loads at once would each measure the other
            models.UniqueConstraint(
                fields=["pool"], condition=models.Q(status__in=UNFINISHED), name="benchmarks_one_a_pool"
            )
        ]

    def __str__(self) -> str:
        return f"{self.team}/{self.name} {self.label or self.id} ({self.status})"
