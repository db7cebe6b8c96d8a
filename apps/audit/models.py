"""The two records of what happened: change records (who, what, why; never edited) and the event timeline."""

from __future__ import annotations

import uuid

from django.db import models


class ChangeRecord(models.Model):
    """One mutation, chained to the one before it: `digest` covers the record and the previous digest.

    `actor` is an opaque id. `before` and `after` hold the declaration with secret-looking values masked.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    request_id = models.CharField(max_length=64)
    action = models.CharField(max_length=20)
    kind = models.CharField(max_length=40)
    uid = models.UUIDField()
    team = models.CharField(max_length=50)
    name = models.CharField(max_length=50)
    generation = models.PositiveBigIntegerField(null=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    previous_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        indexes = [models.Index(fields=["kind", "team", "name", "-id"]), models.Index(fields=["team", "-id"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.kind} {self.team}/{self.name}"


class Event(models.Model):
    """Something that happened to an object, as Kubernetes' events are: repeats are counted, not repeated."""

    NORMAL = "Normal"
    WARNING = "Warning"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40)
    uid = models.UUIDField(default=uuid.uuid4)
    team = models.CharField(max_length=50)
    name = models.CharField(max_length=50)
    type = models.CharField(max_length=10, choices=[(NORMAL, NORMAL), (WARNING, WARNING)])
    reason = models.CharField(max_length=80)
    message = models.TextField()
    source = models.CharField(max_length=80)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["uid", "-last_at"]),
            models.Index(fields=["team", "-last_at"]),
            models.Index(fields=["-last_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.reason} {self.kind} {self.team}/{self.name}"
