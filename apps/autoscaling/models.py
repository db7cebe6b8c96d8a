"""Tables of the room: what each pool's scaler remembers, and every decision it took."""

from __future__ import annotations

from django.db import models


class PoolState(models.Model):
    """The memory of one pool between ticks. `row_at`: the newest signals taken in; `state`: domain State as JSON;
    `starting`: when the replicas that are not ready yet were asked for, Unix seconds by variant; `ready`: by variant at
    the last tick; `decision`: the row that the next hold lengthens, `key`: what it must be equal in."""

    pool = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    row_at = models.DateTimeField(null=True)
    state = models.JSONField(default=dict)
    starting = models.JSONField(default=dict)
    ready = models.JSONField(default=dict)
    decision = models.BigIntegerField(null=True)
    key = models.TextField(default="", blank=True)

    def __str__(self) -> str:
        return f"{self.pool} at {self.at:%H:%M:%S}"


class Decision(models.Model):
    """One decision, or a run of equal ones that moved nothing (holds, standing advice) from `first_at` to `last_at`
    (`count` of them; the record is of the newest but a minute).

    `record`: domain Decision without its state; `policy`, `signals`, `state`: what it was made from, so that it can be
    made again. `mode`: active acts, advisory only says. `actuation`: what became of the targets.
    """

    id = models.BigAutoField(primary_key=True)
    pool = models.UUIDField()
    team = models.CharField(max_length=50)
    name = models.CharField(max_length=50)
    mode = models.CharField(max_length=10)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)
    verb = models.CharField(max_length=12)
    binding = models.CharField(max_length=20)
    before = models.JSONField(default=list)
    targets = models.JSONField(default=list)
    cost = models.FloatField()
    currency = models.CharField(max_length=3)
    sentence = models.TextField()
    actuation = models.TextField(default="", blank=True)
    record = models.JSONField()
    policy = models.JSONField()
    signals = models.JSONField()
    state = models.JSONField()

    class Meta:
        indexes = [
            models.Index(fields=["pool", "-id"]),
            models.Index(fields=["team", "-id"]),
            models.Index(fields=["last_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.team}/{self.name} {self.first_at:%H:%M:%S} {self.verb}"
