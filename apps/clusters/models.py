"""Tables of the clusters room."""

from __future__ import annotations

from apps.core.models import DeclaredObject


class Cluster(DeclaredObject):
    """A Kubernetes cluster that pools may live in. `status` holds version, kinds and accelerators as last seen."""

    kind = "Cluster"

    class Meta(DeclaredObject.Meta):
        db_table = "clusters_cluster"
