"""What the condition `Offload` of a Pool may say."""

from __future__ import annotations

from apps.core.domain.reasons import ConditionType, Reason

CONDITION = "Offload"
_POOL = "Pool"
TYPES = (ConditionType(_POOL, CONDITION, None, "are the tiers of its KV cache measured, and do they work?"),)
REASONS = tuple(
    Reason(_POOL, CONDITION, reason, meaning, do_next)
    for reason, meaning, do_next in (
        ("Decided", "Its tiers are as measured benefit has them.", ""),
        ("Declared", "Its tiers are as declared (mode fixed), and nothing is wrong with their volume.", ""),
        ("Learning", "Too few KV events have been seen yet.", ""),
        ("Trying", "One replica has tiers on trial, or all have and it is judged whether that is better.", ""),
        (
            "Blind",
            "No KV events arrive: nothing is decided, what stands stays.",
            "The message says what is missing: the collector, the engines' flag, or a network between them.",
        ),
        (
            "VolumeUnreadable",
            "The folder on the volume cannot be read. Engines compute what they cannot load; after five minutes the "
            "tier is taken off.",
            "See whether the claim is bound and its storage there; the tier is tried again by itself.",
        ),
        (
            "VolumeCorrupt",
            "The volume gives back other bytes than were written: the tier is taken off at once.",
            "Replace the volume, or empty it.",
        ),
        (
            "VolumeFull",
            "The volume has no room left: nothing new is stored, what is there is loaded.",
            "Lower the tier's bytes or enlarge the volume.",
        ),
        (
            "FolderShared",
            "Engines that are not this pool's write into its folder, where other weights and engines have folders of "
            "their own: nothing wrong is read, and the quota is shared.",
            "Find who was given this pool's directory (a connector written by hand, a copied manifest), and give them "
            "another.",
        ),
        (
            "QuotaTooSmall",
            "Engines write the quota's bytes faster than they can be noticed and removed: it may be overrun.",
            "Raise the tier's bytes, or leave room on the volume beside it; concepts/kv-store.md has the formula.",
        ),
        (
            "StoreUnwatched",
            "The evictor of the pool's folder does not answer: its quota is not kept.",
            "See the pod NAME-kv-evictor; engines and chunks are unharmed, it goes on where it was.",
        ),
        ("PlanRefused", "What was decided was not taken over.", "The message says why."),
    )
)
