"""Tables of the room."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models


class Verification(models.Model):
    """One self-test of a pool. status: queued, running, passed, failed, unknown. trigger: person or rollout."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pool = models.UUIDField()
    team = models.CharField(max_length=50)
    name = models.CharField(max_length=50)
    generation = models.PositiveBigIntegerField()
    status = models.CharField(max_length=10, default="queued")
    trigger = models.CharField(max_length=10)
    created_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    checks: Any = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["pool", "-created_at"], name="gateways_verified")]
        constraints = [
            # the tick that follows a roll-out may run twice; its test runs once
            models.UniqueConstraint(
                fields=["pool", "generation"], condition=models.Q(trigger="rollout"), name="gateways_once_a_rollout"
            )
        ]

    def __str__(self) -> str:
        return f"{self.team}/{self.name}: {self.status}"
