"""Tables of the pools room."""

from __future__ import annotations

from django.db import models

from apps.core.models import DeclaredObject
from apps.pools.domain.turns import FALL_ASLEEP


class Pool(DeclaredObject):
    """A model served in one namespace of one cluster.

    `cluster_uid` and `namespace` are bound when the pool is declared and never change: a cluster of the same name that
    comes later is another one. `first_token_within`: seconds that its SLOs give a request that waited when somebody
    last waited for the pool's turn on shared accelerators; null without one.
    """

    kind = "Pool"

    cluster_uid = models.UUIDField(null=True, db_index=True)
    namespace = models.CharField(max_length=63, default="")
    first_token_within = models.FloatField(null=True, blank=True)

    class Meta(DeclaredObject.Meta):
        db_table = "pools_pool"


class PoolRevision(models.Model):
    """One accepted spec of a pool: what, who (opaque id), when, why. `rendered_hash`: of the objects it became.

    `approved_at`: since when it may go live, null while it waits; `approved_by`: who said so, "" where the policy did.
    """

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="revisions")
    generation = models.PositiveBigIntegerField()
    spec = models.JSONField()
    accepted_at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    reason = models.TextField(default="", blank=True)
    rendered_hash = models.CharField(max_length=64, default="", blank=True)
    approved_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=200, default="", blank=True)
    # when all of it was live and serving for the first time: an abort may come back to it
    healthy_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "pools_revision"
        constraints = [models.UniqueConstraint(fields=["pool", "generation"], name="pools_revision_generation")]

    def __str__(self) -> str:
        return f"{self.pool_id} generation {self.generation}"


class ReplicaTarget(models.Model):
    """How many replicas of a variant somebody wants: a person, a schedule, the autoscaler. No part of the spec.

    `desired` of them serve; `asleep` more are there in warm standby.
    """

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="targets")
    variant = models.CharField(max_length=50)
    desired = models.PositiveIntegerField()
    asleep = models.PositiveIntegerField(default=0)
    source = models.CharField(max_length=50)
    reason = models.TextField(default="", blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "pools_replica_target"
        constraints = [models.UniqueConstraint(fields=["pool", "variant"], name="pools_replica_target_variant")]

    def __str__(self) -> str:
        return f"{self.pool_id} {self.variant}: {self.desired}"


class TierPlanRow(models.Model):
    """Which tiers below the device the offload loop wants a pool's engines to have (`plan`: domain TierPlan as JSON).
    No part of the spec."""

    pool = models.OneToOneField(Pool, on_delete=models.CASCADE, primary_key=True, related_name="tier_plan")
    plan = models.JSONField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "pools_tier_plan"

    def __str__(self) -> str:
        return f"{self.pool_id}: {len(self.plan.get('tiers', []))} tiers"


class SharedTurn(models.Model):
    """Whose turn it is on the accelerators that pools of a team share; one row a set of a group (`place`, from 0).

    `turn`: domain Turn as JSON; `version`: bumped by each change of it. `wanting`: by pool uid, whether it last said
    that it wants the turn; `busy_at`: when the holder last had work (Unix seconds); `ended`: the requests that had
    ended in its engines at the last look; `giving_way`: seconds that a holder takes to end what it began and to sleep.
    """

    team = models.SlugField(max_length=50)
    cluster_uid = models.UUIDField()
    namespace = models.CharField(max_length=63)
    group = models.SlugField(max_length=50)
    place = models.PositiveSmallIntegerField(default=0)
    turn = models.JSONField(default=dict)
    version = models.PositiveBigIntegerField(default=0)
    wanting = models.JSONField(default=dict)
    busy_at = models.FloatField(default=0.0)
    ended = models.FloatField(default=0.0)
    giving_way = models.FloatField(default=FALL_ASLEEP, db_default=FALL_ASLEEP)

    class Meta:
        db_table = "pools_shared_turn"
        constraints = [
            models.UniqueConstraint(
                fields=["team", "cluster_uid", "namespace", "group", "place"], name="pools_shared_turn_group"
            )
        ]

    def __str__(self) -> str:
        return f"{self.team}/{self.group}: {self.turn.get('holder', '')}"


class PoolPlan(models.Model):
    """What a change would do to a pool, as the cluster answered at one moment; masked. Decided at most once.

    `origin`: document (somebody proposes a declaration), declaration (what the present one would do now) or approval
    (an accepted declaration that waits). `state`: open, applied, superseded.
    `pool` is null while the pool is only proposed. `document` is the proposed declaration (labels, annotations, spec),
    null for a plan of the present one. `base` is what it was made on: uid, version and generation of the pool,
    `renderedHash`, and fingerprints of the live objects. `generation` is the one that it became or is about.
    """

    team = models.SlugField(max_length=50)
    name = models.SlugField(max_length=50)
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="plans", null=True)
    origin = models.CharField(max_length=20)
    state = models.CharField(max_length=20, default="open")
    created_at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    reason = models.TextField(default="", blank=True)
    document = models.JSONField(null=True)
    base = models.JSONField()
    content = models.JSONField()
    generation = models.PositiveBigIntegerField(null=True)
    consent = models.JSONField(default=list)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, default="", blank=True)
    carried_out_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "pools_plan"
        indexes = [models.Index(fields=["team", "name", "-id"], name="pools_plan_of_pool")]

    def __str__(self) -> str:
        return f"plan {self.pk} of {self.team}/{self.name}"


class Rollout(models.Model):
    """How a pool's newest pod templates (`template`: their hash) reach its replicas; one row a pool.

    `strategies`: [maxSurge, maxUnavailable] by variant, as they were chosen when it began.
    """

    pool = models.OneToOneField(Pool, on_delete=models.CASCADE, primary_key=True, related_name="rollout")
    template = models.CharField(max_length=64, default="", blank=True)
    generation = models.PositiveBigIntegerField(default=0)
    state = models.CharField(max_length=20, default="Idle")
    reason = models.CharField(max_length=100, default="", blank=True)
    message = models.TextField(default="", blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    resumed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=200, default="", blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    strategies = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "pools_rollout"

    def __str__(self) -> str:
        return f"{self.pool_id}: {self.state}"
