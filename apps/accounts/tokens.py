"""API tokens: made once, shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from apps.accounts.models import ApiToken, User
from apps.core import clock

PREFIX = "lamp_"
# a write for each request would make every reader a writer
_USED_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True)
class NewToken:
    """A token just made; `secret` exists only here."""

    token: ApiToken
    secret: str


def digest(secret: str) -> str:
    """What is stored of a token. A plain SHA-256 is enough: the secret has 256 random bits, nobody can guess it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def issue(*, owner: User, name: str, lifetime: timedelta | None = None, read_only: bool = False) -> NewToken:
    """Make a token of `owner`, valid for `lifetime` from now (None: until it is deleted)."""
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        owner=owner,
        name=name,
        prefix=secret[: len(PREFIX) + 6],
        digest=digest(secret),
        read_only=read_only,
        expires_at=clock.now() + lifetime if lifetime else None,
    )
    return NewToken(token, secret)


def find(secret: str) -> ApiToken | None:
    """The living token with this secret, of an active owner; None for an unknown or expired one."""
    if not secret.startswith(PREFIX):
        return None
    token = ApiToken.objects.select_related("owner").filter(digest=digest(secret), owner__is_active=True).first()
    if token is None or (token.expires_at is not None and token.expires_at <= clock.now()):
        return None
    return token


def touch(token: ApiToken) -> None:
    """Note that a token is in use, at most once a minute."""
    now = clock.now()
    if token.last_used_at is None or token.last_used_at < now - _USED_PRECISION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
