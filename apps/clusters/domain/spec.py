"""The `Cluster` document: where it is, how to get in, what may be put there."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from apps.core.domain.documents import Name, Spec
from apps.core.domain.units import Duration, MoneyRate

Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class ClusterCredentials(Spec):
    """Exactly one of a kubeconfig file (on the machines that run the workers) and the pod's own service account."""

    kubeconfig: Annotated[str, StringConstraints(pattern=r"^/", max_length=4096)] | None = Field(
        default=None, examples=["/etc/lamplight/clusters/eu-west/kubeconfig"]
    )
    context: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    in_cluster: bool = False

    @model_validator(mode="after")
    def _one_way_in(self) -> ClusterCredentials:
        if self.in_cluster == (self.kubeconfig is not None):
            raise ValueError("give exactly one of kubeconfig (the absolute path of a file) and inCluster: true")
        if self.in_cluster and self.context is not None:
            raise ValueError("context names an entry of a kubeconfig, and inCluster uses none: leave context out")
        return self


Label = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,127}$")]
File = Annotated[str, StringConstraints(pattern=r"^/", max_length=4096)]


class PrometheusCredentials(Spec):
    """Files on the machines that run the workers: a bearer token, authorities to trust, a client certificate."""

    bearer_token_file: File | None = None
    ca_file: File | None = None
    certificate_file: File | None = None
    key_file: File | None = None

    @model_validator(mode="after")
    def _certificate_has_key(self) -> PrometheusCredentials:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("give certificateFile and keyFile together, or neither of them")
        return self


class PrometheusLabels(Spec):
    """The labels by which Prometheus knows whose page a series is from."""

    pod: Label = "pod"
    namespace: Label = "namespace"


class PrometheusSpec(Spec):
    """Where the cluster's engines are already scraped: Lamplight then reads them there instead of scraping them itself.

    `matchers`: labels that tell this cluster's series from others in a store of many clusters.
    """

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$", max_length=2048)] = Field(
        examples=["https://prometheus.example.com"]
    )
    credentials: PrometheusCredentials = PrometheusCredentials()
    labels: PrometheusLabels = PrometheusLabels()
    matchers: Annotated[dict[Label, Annotated[str, StringConstraints(max_length=253)]], Field(max_length=20)] = {}


class ClusterLimits(Spec):
    """What one API server is asked of at once.

    `concurrency`: pools that are worked on together, by all workers. `deadline`: the longest wait for one answer.
    """

    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    deadline: Duration = timedelta(seconds=15)

    @field_validator("deadline")
    @classmethod
    def _sensible(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(seconds=60):
            raise ValueError("is between 1s and 60s: a lease on a key lasts no longer than that")
        return value


class ClusterSpec(Spec):
    """What `spec` of a Cluster says.

    `namespaces`: where pools may live; empty means anywhere. `prices`: of one accelerator per hour, by its name.
    `read_only`: nothing is ever written to the cluster. `prometheus`: read metrics there, not from the pods.
    `provisioning`: how long its cluster-autoscaler or Karpenter takes to bring a node with accelerators; left out: what
    is there is all that there is.
    """

    credentials: ClusterCredentials
    namespaces: Annotated[tuple[Namespace, ...], Field(max_length=1000)] = ()
    dialect: Literal["current", "0.5"] = "current"
    prices: Annotated[dict[Name, MoneyRate], Field(max_length=200)] = {}
    read_only: bool = False
    prometheus: PrometheusSpec | None = None
    limits: ClusterLimits = ClusterLimits()
    provisioning: Duration | None = None

    @field_validator("provisioning")
    @classmethod
    def _plausible(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and not timedelta(seconds=1) <= value <= timedelta(hours=2):
            raise ValueError("is how long a new node takes, between 1s and 2h")
        return value
