"""Tables of the pools room."""

from __future__ import annotations

from django.db import models

from apps.core.models import DeclaredObject


class Pool(DeclaredObject):
    """A model served in one namespace of one cluster.

    `cluster_uid` and `namespace` are bound when the pool is declared and never change: a cluster of the same name that
    comes later is another one.
    """

    kind = "Pool"

    cluster_uid = models.UUIDField(null=True, db_index=True)
    namespace = models.CharField(max_length=63, default="")

    class Meta(DeclaredObject.Meta):
        db_table = "pools_pool"


class PoolRevision(models.Model):
    """One accepted spec of a pool: what, who (opaque id), when, why. `rendered_hash`: of the objects it became."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="revisions")
    generation = models.PositiveBigIntegerField()
    spec = models.JSONField()
    accepted_at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    reason = models.TextField(default="", blank=True)
    rendered_hash = models.CharField(max_length=64, default="", blank=True)

    class Meta:
        db_table = "pools_revision"
        constraints = [models.UniqueConstraint(fields=["pool", "generation"], name="pools_revision_generation")]

    def __str__(self) -> str:
        return f"{self.pool_id} generation {self.generation}"


class ReplicaTarget(models.Model):
    """How many replicas of a variant somebody wants: a person, a schedule, the autoscaler. No part of the spec."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="targets")
    variant = models.CharField(max_length=50)
    desired = models.PositiveIntegerField()
    source = models.CharField(max_length=50)
    reason = models.TextField(default="", blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "pools_replica_target"
        constraints = [models.UniqueConstraint(fields=["pool", "variant"], name="pools_replica_target_variant")]

    def __str__(self) -> str:
        return f"{self.pool_id} {self.variant}: {self.desired}"
