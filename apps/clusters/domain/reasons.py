"""What a cluster's conditions may say."""

from __future__ import annotations

from apps.core.domain.reasons import ConditionType, Reason

_CLUSTER = "Cluster"

TYPES = (
    ConditionType(_CLUSTER, "Ready", None, "can pools live there?"),
    ConditionType(_CLUSTER, "Reachable", "Ready", "does the API server answer?"),
    ConditionType(_CLUSTER, "VersionSupported", "Ready", "is it new enough?"),
    ConditionType(_CLUSTER, "KindsServed", "Ready", "does it know the kinds that pools are made of?"),
    ConditionType(_CLUSTER, "RightsGranted", "Ready", "may Lamplight do there what it has to?"),
    ConditionType(_CLUSTER, "AcceleratorsFound", None, "are there accelerators?"),
    ConditionType(_CLUSTER, "Watched", None, "do the informers keep up with it?"),
)

_ROWS = (
    ("Ready", "Ready", "Pools can live there.", ""),
    ("Reachable", "Answers", "The API server answers.", ""),
    ("Reachable", "Unreachable", "There is no answer within the deadline.", "Look at its API server and the network."),
    ("Reachable", "BadCredentials", "The credentials cannot be used or are refused.", "Renew the kubeconfig."),
    ("Reachable", "Forbidden", "Not even the version may be read.", "Grant the rights that preflight lists."),
    ("Reachable", "NotFound", "What answers is no Kubernetes API.", "Correct the server's address."),
    ("Reachable", "Invalid", "The server refuses the question.", "Correct the server's address."),
    ("Reachable", "Conflict", "The server answered with a conflict.", "Nothing: it is asked again."),
    ("Reachable", "Gone", "A list came apart while it was read.", "Nothing: it is asked again."),
    ("Reachable", "Throttled", "The server asks to come back later.", "Nothing: it is asked again."),
    ("Reachable", "ServerFault", "The server failed.", "Look at its API server."),
    ("Reachable", "NotServed", "The server lacks a kind that every Kubernetes has.", "Correct the server's address."),
    ("VersionSupported", "Supported", "Server-side apply is there.", ""),
    ("VersionSupported", "VersionTooOld", "Server-side apply is not there.", "Upgrade the cluster."),
    ("VersionSupported", "VersionUnknown", "The server's version cannot be read.", ""),
    ("KindsServed", "AllKinds", "Every kind that pools may have is served.", ""),
    ("KindsServed", "SomeKindsMissing", "Pools can live there without what the message says.", "Install the CRDs."),
    ("KindsServed", "KindsMissing", "A kind that every pool needs is not served.", "Pools cannot live there."),
    ("KindsServed", "KindsUnknown", "The kinds cannot be read.", ""),
    ("RightsGranted", "AllRights", "Every right is granted.", ""),
    ("RightsGranted", "SomeRightsMissing", "Pools can live there without what the message says.", "Grant them."),
    ("RightsGranted", "RightsMissing", "A right is missing without which pools cannot be kept.", "Grant it."),
    ("RightsGranted", "RightsUnknown", "The cluster does not say which rights there are.", ""),
    ("AcceleratorsFound", "Found", "There are accelerators.", ""),
    ("AcceleratorsFound", "NoAccelerators", "No node offers accelerators.", "Install the vendor's device plugin."),
    ("AcceleratorsFound", "NodesUnreadable", "Nodes cannot be read.", "Grant list on nodes."),
    ("Watched", "InSync", "Changes are seen as they happen.", ""),
    (
        "Watched",
        "NotInSync",
        "Pools are looked at every few seconds instead.",
        "Look at the informer process; right after a start this passes by itself.",
    ),
)
REASONS = (
    *(Reason(_CLUSTER, *row) for row in _ROWS),
    *(
        Reason(_CLUSTER, entry.type, "NotReached", "Not looked at: the cluster does not answer.")
        for entry in TYPES
        if entry.type not in ("Ready", "Reachable")
    ),
)
