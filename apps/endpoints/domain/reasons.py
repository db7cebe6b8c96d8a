"""What an endpoint's conditions may say."""

from __future__ import annotations

from apps.core.domain.reasons import ConditionType, Reason

_KIND = "Endpoint"
TYPES = (ConditionType(_KIND, "Ready", None, "is what is declared in the cluster, and are its pools there?"),)
_CLUSTER = "Look at the cluster's page (`lamp preflight cluster`); what runs keeps running."
_DECLARE = "Correct the Endpoint: the message says what stands in the way."


def _row(reason: str, what: str, mend: str = "") -> Reason:
    return Reason(_KIND, "Ready", reason, what, mend)


REASONS = (
    _row("Routed", "Requests for the public names reach the pools."),
    _row("Pending", "It was accepted; the cluster has not been asked yet."),
    _row("PoolMissing", "A pool that it names is not there.", "Declare the pool, or take it out of spec.models."),
    _row("NoReplica", "No pool of one of its models has a ready replica.", "Look at the pools' conditions."),
    _row("DataPlaneStarting", "The endpoint's own data plane is not ready yet.", "Wait; look at its pods' events."),
    _row("GatewayNotAvailable", "The cluster lacks kinds of the Gateway API.", _DECLARE),
    _row("TooManyModels", "More models than a route can have rules.", _DECLARE),
    _row("FailoverNotInGateway", "A Gateway's routes cannot fail over.", _DECLARE),
    _row("KeysNotInGateway", "This kind of Gateway has no keys that could be rendered.", _DECLARE),
    _row("KeysNotHashed", "The Gateway would take the hashes of the keys for the keys.", _DECLARE),
    _row("LimitNotInGateway", "The Gateway cannot hold a key to this limit.", _DECLARE),
    _row("BandNotInGateway", "A Gateway cannot choose a band among several pools.", _DECLARE),
    _row("PoolElsewhere", "A Gateway's route does not reach a pool of another namespace or cluster.", _DECLARE),
    _row(
        "PoolNotOutside",
        "A pool of another cluster has no address outside it.",
        "Give that pool routing.gateway with hostnames.",
    ),
    _row("AdaptersShareAPool", "Two backends of a model are adapters of one pool.", _DECLARE),
    _row("NameClash", "An object of that name is not of this endpoint.", "Rename one of them."),
    _row("Deleting", "Its objects are being removed."),
    _row("ClusterMissing", "Its cluster is not declared any more.", "Declare the cluster again."),
    _row("ClusterUnreachable", "The cluster does not answer.", _CLUSTER),
    _row("ClusterRefused", "The cluster refused a write.", _CLUSTER),
    _row("ReadOnlyCluster", "The cluster is declared readOnly: nothing is written.", "Lift readOnly."),
)
