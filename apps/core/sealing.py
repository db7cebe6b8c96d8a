"""Secrets at rest: sealed with a key that follows from SECRET_KEY, so that a dump of the database alone tells none."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

__all__ = ["Unsealable", "seal", "unseal"]


class Unsealable(Exception):
    """The secret was sealed under another SECRET_KEY."""


def seal(secret: bytes, purpose: str) -> str:
    """`secret` as text that only `unseal` with the same purpose reads."""
    return _box(purpose).encrypt(secret).decode()


def unseal(sealed: str, purpose: str) -> bytes:
    """The inverse. Raises Unsealable."""
    try:
        return _box(purpose).decrypt(sealed.encode())
    except InvalidToken:
        raise Unsealable("the secret was sealed under another SECRET_KEY: make a new one") from None


def _box(purpose: str) -> Fernet:
    digest = hashlib.sha256(f"lamplight sealing {purpose}\0{settings.SECRET_KEY}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
