"""Tables of the what-if room."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models


class Simulation(models.Model):
    """One simulation of a pool. `request`: as it was sent, a trace replaced by its size and hash; `trace`: its text,
    compressed, until it was played. `touched_at`: when its worker last said that it lives."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pool = models.UUIDField()
    team = models.CharField(max_length=50)
    name = models.CharField(max_length=50)
    label = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=10, default="queued")
    progress = models.FloatField(default=0.0)
    message = models.TextField(blank=True)
    request: Any = models.JSONField()
    trace = models.BinaryField(null=True)
    result: Any = models.JSONField(null=True)
    created_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    touched_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["pool", "-created_at"], name="whatif_of_pool"),
            models.Index(
                fields=["status", "created_at"],
                name="whatif_unfinished",
                condition=models.Q(status__in=["queued", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team}/{self.name} {self.label or self.id} ({self.status})"
