"""Tables that every room builds on: the declared object and the outbox."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, NamedTuple

from django.db import models

from apps.core.domain.conditions import Condition


class ObjectKey(NamedTuple):
    """The address of an object among people: kind, team and name."""

    kind: str
    team: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.team}/{self.name}"


class DeclaredQuerySet(models.QuerySet[Any]):
    def visible_to(self, teams: frozenset[str] | None) -> DeclaredQuerySet:
        """Objects of these teams; None means of all."""
        return self if teams is None else self.filter(team__in=teams)

    def named(self, team: str, name: str) -> DeclaredQuerySet:
        return self.filter(team=team, name=name)

    def living(self) -> DeclaredQuerySet:
        """Objects whose deletion nobody has asked for."""
        return self.filter(deletion_requested_at=None)


class DeclaredObject(models.Model):
    """What people declared of one object, and what the loops found out about it.

    `spec` is the normalised document (camelCase JSON). `generation` counts changes of the spec, `version` every
    declared change (spec, labels, annotations, request for deletion); status changes move neither. `conditions` and
    `status` are written by controllers only, with update(), guarded by generation and lease.
    """

    kind: ClassVar[str]

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.SlugField(max_length=50)
    name = models.SlugField(max_length=50)
    labels = models.JSONField(default=dict)
    annotations = models.JSONField(default=dict)
    spec = models.JSONField()
    generation = models.PositiveBigIntegerField(default=1)
    version = models.PositiveBigIntegerField(default=1)
    conditions = models.JSONField(default=list)
    status = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deletion_requested_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = DeclaredQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ("team", "name")
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="%(app_label)s_%(class)s_team_name"),
        ]

    def __str__(self) -> str:
        return str(self.key)

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.kind, self.team, self.name)

    @property
    def etag(self) -> str:
        """The strong entity tag of the declaration (status is not covered), with its quotes."""
        return f'"{self.uid}:{self.version}"'

    def condition(self, type_: str) -> Condition | None:
        """The stored condition of a type, or None."""
        found = next((stored for stored in self.conditions if stored["type"] == type_), None)
        return Condition.from_json(found) if found is not None else None


class OutboxEvent(models.Model):
    """One line of the stream: an object changed. Ids grow in the order of commits (`outbox.publish` sees to it)."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    uid = models.UUIDField()
    team = models.CharField(max_length=50)
    name = models.CharField(max_length=50)
    verb = models.CharField(max_length=20)
    generation = models.PositiveBigIntegerField(null=True)
    fields = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"{self.id} {self.verb} {self.kind} {self.team}/{self.name}"
