"""The token that opens the development endpoints of a pool's engines to Lamplight, and to nobody else.

It is derived, not stored: whoever reads the cluster or the database sees its SHA-256 at most. It changes with the
control plane's secret key, and the engines of pools that sleep are then rolled.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.utils.crypto import salted_hmac

__all__ = ["HEADER", "digest", "token"]

HEADER = "X-Lamplight-Token"


def token(pool: UUID) -> str:
    """64 hex digits."""
    return salted_hmac("lamplight.pools.engine", str(pool), algorithm="sha256").hexdigest()


def digest(pool: UUID) -> str:
    """What an engine is given to know the token by."""
    return hashlib.sha256(token(pool).encode()).hexdigest()
