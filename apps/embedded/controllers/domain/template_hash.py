"""The pod-template-hash label: which ReplicaSet belongs to which pod template.

The same alphabet and width as Kubernetes' own (FNV-1a, 32 bits, then an alphabet without vowels), over canonical JSON
instead of a dump of Go structures: the value differs from a real cluster's, its use does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

HASH_LABEL = "pod-template-hash"
SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def fnv1a_32(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def safe_encode(text: str) -> str:
    """Map each character to one that cannot form a word by accident."""
    return "".join(SAFE_ALPHABET[ord(char) % len(SAFE_ALPHABET)] for char in text)


def template_hash(template: Mapping[str, Any], collision_count: int | None = None) -> str:
    """The hash of a pod template; ``collision_count`` moves on when the name was taken by another template."""
    canonical = json.dumps(template, sort_keys=True, separators=(",", ":"))
    if collision_count is not None:
        canonical += f"#{collision_count}"
    return safe_encode(str(fnv1a_32(canonical.encode())))


def same_template(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Equal but for the hash label."""
    return _unlabelled(one) == _unlabelled(other)


def _unlabelled(template: Mapping[str, Any]) -> dict[str, Any]:
    metadata = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    metadata.pop("labels", None)
    metadata.pop("creationTimestamp", None)
    if labels:
        metadata["labels"] = labels
    return {**template, "metadata": metadata}
