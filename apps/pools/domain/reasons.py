"""What a pool's conditions may say. A new reason is a line here: a test holds the code to this table."""

from __future__ import annotations

from apps.core.domain.reasons import ConditionType, Reason
from apps.pools.domain.paths import every_invariant

_POOL = "Pool"

TYPES = (
    ConditionType(_POOL, "Ready", None, "is the declaration live, and does it serve?"),
    ConditionType(_POOL, "Synced", "Ready", "does the cluster hold what is declared?"),
    ConditionType(_POOL, "Reachable", "Synced", "can the cluster be asked?"),
    ConditionType(_POOL, "Rendered", "Synced", "do the declaration and the cluster's kinds make objects?"),
    ConditionType(_POOL, "Owned", "Synced", "are the declared fields ours to write?"),
    ConditionType(_POOL, "Applied", "Synced", "are the objects as they were rendered?"),
    ConditionType(_POOL, "Healthy", "Ready", "can requests be served?"),
    ConditionType(_POOL, "EnginesReady", "Healthy", "are the replicas of all variants ready?"),
    ConditionType(_POOL, "RoutingReady", "Healthy", "does what picks a replica for each request run?"),
    ConditionType(_POOL, "Progressing", None, "is a change on its way to the replicas?"),
    ConditionType(_POOL, "Approved", None, "may the newest spec be live? (of pools whose specs wait for approval)"),
    ConditionType(_POOL, "Drifted", None, "did somebody change what was applied?"),
    ConditionType(_POOL, "ReplicasOwner", None, "have the replicas the writer that is declared?"),
    ConditionType(_POOL, "WeightsReady", None, "are the weights on the pool's volume? (of pools with a modelCache)"),
    ConditionType(_POOL, "Standby", None, "do the engines sleep that are to sleep? (of pools with idle: standby)"),
)

_CLUSTER = "Look at the cluster's page (`lamp preflight cluster`) and at its API server; what runs keeps running."
_LOGS = "Read the container's log (`lamp logs pool NAME`); correct the declaration or roll back."

_APPROVE = "Look at the plan and approve it: `lamp approve pool/NAME --plan N`."
_CONSENT = "Approve a plan with consent to recreate, or take the change of the immutable field back."
_DRIFT = "Undo it there, declare it, or let it be healed (policies.drift: heal)."
_SCALER = "Delete it, or set autoscaling.mode to external."
_IMAGE = "Correct engine.image, or give the namespace the right to pull it (imagePullSecrets of its service account)."
_PODS = (
    ("ImagePullBackOff", "An image cannot be pulled; the cluster tries again, ever more seldom.", _IMAGE),
    ("ErrImagePull", "An image could not be pulled.", _IMAGE),
    ("InvalidImageName", "The image's name is no image name.", "Correct engine.image."),
    ("CrashLoopBackOff", "A container ends again and again; the message has its exit code and last line.", _LOGS),
    ("Error", "A container ended with an error.", _LOGS),
    (
        "OOMKilled",
        "A container used more memory than its limit.",
        "Raise the variant's resources.memory, or let the engine keep less (--max-model-len).",
    ),
    (
        "CreateContainerConfigError",
        "A container cannot be made: mostly a Secret or ConfigMap is missing.",
        "Create what the message names.",
    ),
    ("CreateContainerError", "The node could not make a container.", "Look at the node and at the message."),
    ("RunContainerError", "The node could not start a container.", "Look at the node and at the message."),
    ("ContainerCannotRun", "The container's command cannot be run.", "Correct engine.image."),
    ("Evicted", "The node threw the pod out: it was short of something.", "Look at the node's memory and disk."),
)
_UNSEEN = (
    ("ClusterMissing", "The Cluster document is gone.", "Declare the cluster again, or delete the pool."),
    ("ClusterUnreachable", "The API server does not answer.", _CLUSTER),
    ("BadCredentials", "The credentials cannot be used or are refused.", "Renew the cluster's kubeconfig."),
)
_INVARIANT = "Correct the declaration as the message says (docs/concepts/paths.md)."
_NO_ROOM = (
    "Unschedulable",
    "No node has room for a pod: the message has the scheduler's words.",
    "Free accelerators, add nodes, lower replicas.min, or let replicas be replaced one by one (rollout.maxSurge: 0).",
)
_NOT_PLACED = (
    _NO_ROOM,
    (
        "NoScheduler",
        "No scheduler has looked at a pod; the message has the name of the one that it waits for.",
        "Look whether that scheduler runs in the cluster.",
    ),
    (
        "SchedulingGated",
        "A pod may not be scheduled before somebody takes its gates away; the message names them.",
        "Look at who put them there, mostly Kueue: its queue may be full.",
    ),
)
_LATE = (
    "ProgressDeadlineExceeded",
    "The newest spec was not ready within rollout.progressDeadline.",
    "Abort the roll-out (`lamp rollout abort`) or correct the declaration.",
)


def _rows(type_: str, rows: tuple[tuple[str, ...], ...]) -> tuple[Reason, ...]:
    return tuple(Reason(_POOL, type_, *row) for row in rows)


REASONS = (
    *_rows(
        "Synced",
        (
            ("Deleting", "The pool is being taken out of its cluster."),
            (
                "DeletionRefused",
                "The cluster does not let an object of a deleted pool go; the message has its words, and the right "
                "that is missing.",
                "Grant it, or change the policy that refuses; or forget the pool (`lamp delete --cascade=orphan`).",
            ),
        ),
    ),
    *_rows(
        "Reachable",
        (
            ("Answers", "The cluster answers."),
            *_UNSEEN,
            ("Throttled", "The API server asks to come back later.", "Nothing: it is tried again when it said."),
            ("ServerFault", "The API server failed (5xx).", "Nothing at first: it is tried again, backing off."),
        ),
    ),
    *_rows(
        "Rendered",
        (
            ("Rendered", "The declaration makes objects."),
            ("ModelMissing", "The pool's model is not declared.", "Declare it, or name another one."),
            ("UnknownAccelerator", "A variant names an accelerator that is not in the catalogue.", "Correct it."),
            ("UnknownModelSource", "The model's source has a scheme that nothing serves from.", "Correct the Model."),
            ("ClaimsMissing", "The cluster does not know ResourceClaims.", "Enable them, or write standby: reserved."),
            (
                "NotShareable",
                "The accelerator has no device class for a claim that pools share.",
                "Write standby: reserved.",
            ),
            ("ClaimDiffers", "The group's ResourceClaim is not what it needs.", "Delete it, or name another group."),
            ("KedaMissing", "The cluster does not know ScaledObjects.", "Install KEDA, or hand over to hpa."),
            ("PrometheusMissing", "KEDA would have no Prometheus to ask.", "Name the Cluster's Prometheus."),
            ("GatewayNotAvailable", "The cluster lacks the kinds that a gateway needs.", "Install them there."),
            (
                "PickerConfigInvalid",
                "The picker would not read its configuration as meant.",
                "Correct routing.scheduler.",
            ),
            ("EnvironmentTaken", "A variable that Lamplight sets is in engine.env too.", "Leave it out of engine.env."),
            ("CanaryNotPossible", "Tiers cannot be tried on one replica of this pool.", "Look at its variants."),
            (
                "TierSpansPods",
                "A tier cannot follow a replica over several pods.",
                "Set groupSize to 1, or leave tiers out.",
            ),
            (
                "TierNeedsPrefixCache",
                "Tiers need the engine's prefix cache.",
                "Leave the argument that turns it off out.",
            ),
            ("TierNotOnAccelerator", "vLLM has no such tier on the accelerator.", "Use another, or leave tiers out."),
            ("TierNotInConnector", "The connector has no such tier.", "Use offload.connector native, or other tiers."),
            ("TierNotInRelease", "The llm-d release has no such tier.", "Use dialect current, or other tiers."),
            ("TierArgumentTaken", "An engine argument says what tiers are rendered from.", "Leave it out."),
            *((i.name, f"This does not hold: {i.holds}", _INVARIANT) for i in every_invariant()),
            (
                "SelectorMismatch",
                "The InferencePool would miss engines of the pool, or catch pods that are none.",
                "Take the labels off that the message names.",
            ),
            ("NameClash", "A name is taken by an object that is not ours.", "Delete it, or rename the pool."),
        ),
    ),
    *_rows(
        "Owned",
        (
            ("OwnedByUs", "Nobody else owns fields that the pool declares."),
            (
                "OwnershipConflict",
                "Somebody else took fields that the pool declares; the message names them.",
                "Undo it there, or allow it to be taken back with the annotation that the message names.",
            ),
        ),
    ),
    *_rows(
        "Applied",
        (
            (
                "WaitsForWeights",
                "New replicas wait until the weights are on the volume.",
                "See the condition WeightsReady; a fetch that failed is begun anew every five minutes.",
            ),
            ("Applied", "The objects are as declared."),
            ("WaitingForApproval", "The newest spec waits for approval; an older one is live.", _APPROVE),
            ("WaitsForItsTurn", "Engines change when it is the pool's turn on the accelerators that it shares."),
            ("RecreateNeedsConsent", "An object has to be deleted and made anew, which needs consent.", _CONSENT),
            ("Drifted", "Somebody changed what was applied; Drifted says what.", _DRIFT),
            ("ReadOnlyCluster", "The cluster is declared readOnly, and differs.", "Apply by hand, or lift readOnly."),
            ("KindMissing", "The cluster lacks a kind that the pool needs.", "Install it there."),
            ("ForbiddenAnswer", "Lamplight lacks a right there.", "Grant it: `lamp preflight cluster` lists them."),
            ("InvalidAnswer", "The cluster does not accept an object.", "Correct what the message names."),
            ("ConflictAnswer", "An object kept changing while it was written.", "Look who else writes it."),
            ("NotFoundAnswer", "Something went away while it was written.", "Nothing: it is tried again."),
            ("GoneAnswer", "A long list came apart while it was read.", "Nothing: it is tried again."),
            ("KubeErrorAnswer", "The cluster refused in a way that has no name here.", "Read the message."),
        ),
    ),
    *_rows(
        "Healthy",
        (
            ("NotSeen", "Nobody has looked yet."),
            ("Deleting", "The pool is being taken out of its cluster."),
            *_UNSEEN,
            ("NothingDeployed", "Nothing of the pool is in the cluster yet."),
        ),
    ),
    *_rows(
        "EnginesReady",
        (
            ("AllReplicasReady", "All replicas are ready."),
            ("AllReplicasAsleep", "All replicas are in warm standby; the first request wakes one."),
            ("ScaledToZero", "Every variant is scaled to zero.", "Scale up, if requests are to be served."),
            ("ReplicasStarting", "Replicas are starting."),
            ("ReplicasStopping", "Replicas that are not wanted any more are leaving."),
            ("RollingOut", "All replicas are ready, but not all of the newest spec."),
            *_NOT_PLACED,
            _LATE,
            *_PODS,
        ),
    ),
    *_rows(
        "RoutingReady",
        (
            ("EndpointPickerReady", "The endpoint picker is ready."),
            ("NoEndpointPicker", "None is declared, or the cluster cannot have one: the Service spreads requests."),
            ("EndpointPickerStarting", "The endpoint picker is starting."),
            *_NOT_PLACED,
            _LATE,
            *_PODS,
        ),
    ),
    *_rows(
        "Progressing",
        (
            ("NotSeen", "Nobody can look now."),
            ("Settled", "Nothing is on its way."),
            ("Moving", "A change is on its way; Healthy says where it is."),
            ("RolloutPaused", "A person paused the roll-out.", "`lamp rollout resume pool NAME`, or abort."),
            (
                "RolloutStopped",
                "The roll-out stopped by itself: new replicas do not become ready, and those of the older spec stay.",
                "Correct the declaration, `lamp rollout abort pool NAME`, or resume when the fault has passed.",
            ),
        ),
    ),
    *_rows(
        "Approved",
        (
            ("Approved", "The newest spec may be live."),
            ("WaitingForApproval", "The newest spec waits for approval.", _APPROVE),
        ),
    ),
    *_rows(
        "ReplicasOwner",
        (
            ("Lamplight", "Lamplight alone writes the replicas."),
            ("External", "Another scaler writes the replicas, as declared."),
            ("HorizontalPodAutoscaler", "A HorizontalPodAutoscaler writes the replicas; Lamplight does not.", _SCALER),
            ("ScaledObject", "KEDA writes the replicas; Lamplight does not.", _SCALER),
            ("ScaledByHand", "A person wrote the replicas; Lamplight does not.", "`lamp scale` takes them back."),
            ("OtherManager", "Another manager writes the replicas; Lamplight does not.", _SCALER),
        ),
    ),
    *_rows(
        "Standby",
        (
            ("Awake", "No engine is to sleep, or it is the pool's turn on the accelerators that it shares."),
            ("Asleep", "As many engines sleep as are to; the first request wakes one."),
            ("FallingAsleep", "An engine leaves the routing, ends its work, and is put to sleep."),
            ("Waking", "An engine is being woken."),
            ("StateUnread", "An engine does not tell whether it sleeps.", _LOGS),
        ),
    ),
    *_rows(
        "WeightsReady",
        (
            ("Fetched", "The weights are on the volume; the message has their commit."),
            ("NotKept", "The pool keeps no weights: each replica reads them where they are."),
            ("FetchStarting", "The Job that fetches them is about to begin."),
            ("Fetching", "They are being fetched; new replicas wait."),
            ("FetchWaits", "The Job's pod cannot run yet.", "Look at the volume claim and at the message."),
            ("HubRefused", "The hub refused the token.", "Renew the Secret that the message names."),
            ("VolumeFull", "The volume has no room for them.", "Raise modelCache.size, or clear the claim."),
            ("DigestMismatch", "What was fetched is not what its digests say.", "Look at the volume's storage."),
            ("RevisionMissing", "The repository has no such revision.", "Correct the Model's revision."),
            ("RepositoryMissing", "The hub does not know the repository.", "Correct the Model's source."),
            (
                "HubUnreachable",
                "The hub cannot be reached from the namespace.",
                "Look at its network policy and proxy.",
            ),
            ("FetchTooSlow", "The Job ran out of time.", "Look at bandwidth to the hub and of the volume."),
            ("FetchFailed", "The Job failed for another reason; the message has its last words.", _LOGS),
        ),
    ),
    *_rows(
        "Drifted",
        (
            ("NoDrift", "The live objects are as they were applied."),
            ("Reported", "Somebody changed them, and the pool only reports it.", _DRIFT),
            ("Healing", "Somebody changed them; they are put right."),
            ("GaveUp", "They were put right again and again, and changed again.", "Find out who writes them."),
        ),
    ),
    *(
        Reason(_POOL, entry.type, "NotReached", "Not looked at: something before it does not hold.")
        for entry in TYPES
        if entry.type in ("Rendered", "Owned", "Applied", "EnginesReady", "RoutingReady")
    ),
)
