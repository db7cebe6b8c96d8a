"""Consumer keys: one file a key, whose name is the key's and whose content is the SHA-256 of it: in hex, or as the
policies of Gateways read it (`{"keyHash": "sha256:<hex>", ...}`)."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from pathlib import Path

_AGAIN_S = 5.0


def digest_of(entry: str) -> str:
    """The SHA-256 in hex that an entry of the Secret says; "" where it says none, which is nobody's key."""
    text = entry.strip()
    if not text.startswith("{"):
        return text.lower()
    try:
        said = str(json.loads(text).get("keyHash", ""))
    except ValueError:
        return ""
    return said.removeprefix("sha256:").lower() if said.startswith("sha256:") else ""


class Keys:
    """The keys of a mounted Secret, read again now and then; without a folder everybody may ask."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, str] = {}
        self._read_at = float("-inf")

    @property
    def wanted(self) -> bool:
        """Whether a key must be shown."""
        return self._folder is not None and self._folder.is_dir()

    def name_of(self, header: str) -> str | None:
        """The name of the key in an Authorization header; None where it is none of ours."""
        scheme, _, key = header.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return None
        digest = hashlib.sha256(key.strip().encode()).hexdigest()
        found = None
        for name, known in self._keys().items():
            # all are compared, so that time tells nothing
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def _keys(self) -> dict[str, str]:
        now = time.monotonic()
        if self._folder is not None and now - self._read_at > _AGAIN_S:
            self._read_at = now
            self._known = {
                path.name: digest_of(path.read_text(encoding="utf-8"))
                for path in sorted(self._folder.iterdir())
                if path.is_file() and not path.name.startswith(".")
            }
        return self._known
