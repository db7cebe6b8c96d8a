"""Tables of the clusters room."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.core.models import DeclaredObject


class Cluster(DeclaredObject):
    """A Kubernetes cluster that pools may live in. `status` holds version, kinds and accelerators as last seen."""

    kind = "Cluster"

    class Meta(DeclaredObject.Meta):
        db_table = "clusters_cluster"


class WatchSet(models.Model):
    """Which informer process watches a cluster. It writes to the cache only while its lease lasts (database time)."""

    cluster = models.UUIDField(primary_key=True)
    holder = models.CharField(max_length=200)
    lease_until = models.DateTimeField()

    class Meta:
        db_table = "clusters_watch_set"

    def __str__(self) -> str:
        return f"{self.cluster} watched by {self.holder}"


class Watch(models.Model):
    """One watch: a kind (`Deployment.apps`) in one namespace, or in all of them ("").

    `revision`: everything up to it is in the cache. `synced`: a whole list has been read and the stream goes on from
    it. `confirmed_at`: when that was last known to be so, by the database's clock.
    """

    cluster = models.UUIDField()
    kind = models.CharField(max_length=200)
    namespace = models.CharField(max_length=63, default="", blank=True)
    revision = models.BigIntegerField(default=0)
    synced = models.BooleanField(default=False)
    confirmed_at = models.DateTimeField(db_default=Now())
    error = models.TextField(default="", blank=True)

    class Meta:
        db_table = "clusters_watch"
        constraints = [models.UniqueConstraint(fields=["cluster", "kind", "namespace"], name="clusters_watch_scope")]

    def __str__(self) -> str:
        return f"{self.kind} in {self.namespace or 'all namespaces'} of {self.cluster}"


class CachedObject(models.Model):
    """A Kubernetes object as a watch saw it last. `owner`: the uid in the label of ours that selected it."""

    cluster = models.UUIDField()
    kind = models.CharField(max_length=200)
    namespace = models.CharField(max_length=63, default="", blank=True)
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    owner = models.UUIDField(null=True, blank=True)
    revision = models.BigIntegerField()
    # JSON, as text: nobody asks the database about its inside, and jsonb costs it twice as much to store
    body = models.TextField()

    class Meta:
        db_table = "clusters_cached_object"
        constraints = [
            models.UniqueConstraint(fields=["cluster", "kind", "namespace", "name"], name="clusters_cached_object_key")
        ]
        indexes = [models.Index(fields=["owner", "cluster"], name="clusters_cached_owner")]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"
