"""Tables of the room: what is known of reuse, the loop's memory, its decisions, measured bandwidths."""

from __future__ import annotations

from django.db import models


class ReuseState(models.Model):
    """What the collector knows of one pool, written anew every ten seconds.

    window: seconds of events that the faded sketches stand for. sketches: {"replica" | "pool": {class: Sketch}}.
    engines: {pod uid/rank: {pod, sequence, blocks, tiers, heard_at, problem}}. counters: what came, and what was lost.
    """

    pool = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    window = models.FloatField(default=0.0)
    sketches = models.JSONField(default=dict)
    engines = models.JSONField(default=dict)
    counters = models.JSONField(default=dict)
    rate = models.FloatField(default=1.0)
    samples = models.IntegerField(default=0)
    one_hit = models.FloatField(null=True)

    class Meta:
        db_table = "offload_reuse"

    def __str__(self) -> str:
        return f"{self.pool} at {self.at:%H:%M:%S}"


class PoolState(models.Model):
    """The memory of one pool between ticks. state: domain State; counts: faded sums of counters, in the seconds of
    `window`; baseline: totals of each engine when a canary became ready; decision: the row that the next hold
    lengthens, key: what it must be equal in; store: what the owner of the pool's folder on a volume said, as REST
    shows it, {} where nobody answers."""

    pool = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    row_at = models.DateTimeField(null=True)
    state = models.JSONField(default=dict)
    window = models.FloatField(default=0.0)
    counts = models.JSONField(default=dict)
    baseline = models.JSONField(default=dict)
    decision = models.BigIntegerField(null=True)
    key = models.TextField(default="", blank=True)
    store = models.JSONField(default=dict)

    class Meta:
        db_table = "offload_pool_state"

    def __str__(self) -> str:
        return f"{self.pool} at {self.at:%H:%M:%S}"


class OffloadDecision(models.Model):
    """One decision, or a run of equal holds from `first_at` to `last_at`. record: domain Decision without its state;
    policy, signals, state: what it was made from, so that it can be made again."""

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
    sentence = models.TextField()
    actuation = models.TextField(default="", blank=True)
    record = models.JSONField()
    policy = models.JSONField()
    signals = models.JSONField()
    state = models.JSONField()

    class Meta:
        db_table = "offload_decision"
        indexes = [
            models.Index(fields=["pool", "-id"], name="offload_decision_of_pool"),
            models.Index(fields=["last_at"], name="offload_decision_age"),
        ]

    def __str__(self) -> str:
        return f"{self.team}/{self.name} {self.first_at:%H:%M:%S} {self.verb}"


class Probe(models.Model):
    """The newest measurement of a tier's bandwidth by a Job, by pool and tier. state: asked, running, done, failed.
    claim: what was measured: a volume's claim, or the address of a bucket. result: bytes per second {load, store} and
    seconds {latency}."""

    pool = models.UUIDField()
    kind = models.CharField(max_length=20)
    claim = models.CharField(max_length=600, default="", blank=True)
    state = models.CharField(max_length=10, default="asked")
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    job = models.CharField(max_length=63, default="", blank=True)
    result = models.JSONField(default=dict)
    problem = models.TextField(default="", blank=True)

    class Meta:
        db_table = "offload_probe"
        constraints = [models.UniqueConstraint(fields=["pool", "kind"], name="offload_probe_of_tier")]

    def __str__(self) -> str:
        return f"{self.pool} {self.kind}: {self.state}"
