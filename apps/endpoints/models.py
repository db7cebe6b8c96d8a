"""Tables of the endpoints room."""

from __future__ import annotations

from django.db import models

from apps.core.models import DeclaredObject


class Endpoint(DeclaredObject):
    """Public model names in front of pools; its objects are in one namespace of one cluster (bound when declared)."""

    kind = "Endpoint"

    cluster_uid = models.UUIDField(null=True, db_index=True)
    namespace = models.CharField(max_length=63, default="")

    class Meta(DeclaredObject.Meta):
        db_table = "endpoints_endpoint"
