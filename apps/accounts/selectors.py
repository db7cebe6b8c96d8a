"""Reads of the accounts room."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from apps.accounts.models import ApiToken, Membership, Team, User
from apps.core.domain.access import NOBODY, Actor, Role


def actor_of(user: Any, credential: Any = None) -> Actor:
    """What a user may do now; `credential` is the ApiToken that the request came with, if any."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return NOBODY
    roles = {
        name: Role(role)
        for name, role in Membership.objects.filter(user=user).values_list("team__name", "role").order_by("team__name")
    }
    read_only = isinstance(credential, ApiToken) and credential.read_only
    return Actor(id=user.actor_id, roles=roles, everything=user.is_superuser, read_only=read_only)


def team_exists(name: str) -> bool:
    return Team.objects.filter(name=name).exists()


def names_of_actors(actors: Iterable[str]) -> dict[str, str]:
    """User names by actor id, of those ids that are users'; for people, never stored."""
    uids = []
    for actor in actors:
        with contextlib.suppress(ValueError):
            uids.append(UUID(actor.removeprefix("user:")))
    return {user.actor_id: user.username for user in User.objects.filter(uid__in=uids).only("uid", "username")}
