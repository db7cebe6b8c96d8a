"""The `Cluster` document: where it is, how to get in, what may be put there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from apps.core.domain.documents import Name, Spec
from apps.core.domain.units import MoneyRate

Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class ClusterCredentials(Spec):
    """Exactly one of a kubeconfig file (on the machines that run the workers) and the pod's own service account."""

    kubeconfig: Annotated[str, StringConstraints(pattern=r"^/", max_length=4096)] | None = None
    context: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    in_cluster: bool = False

    @model_validator(mode="after")
    def _one_way_in(self) -> ClusterCredentials:
        if self.in_cluster == (self.kubeconfig is not None):
            raise ValueError("give exactly one of kubeconfig (the absolute path of a file) and inCluster: true")
        if self.in_cluster and self.context is not None:
            raise ValueError("context names an entry of a kubeconfig, and inCluster uses none: leave context out")
        return self


class ClusterSpec(Spec):
    """What `spec` of a Cluster says.

    `namespaces`: where pools may live; empty means anywhere. `prices`: of one accelerator per hour, by its name.
    `read_only`: nothing is ever written to the cluster.
    """

    credentials: ClusterCredentials
    namespaces: Annotated[tuple[Namespace, ...], Field(max_length=1000)] = ()
    dialect: Literal["current", "0.5"] = "current"
    prices: Annotated[dict[Name, MoneyRate], Field(max_length=200)] = {}
    read_only: bool = False
