"""Who a request comes from. The accounts room answers; core only asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from apps.core.domain.access import NOBODY, Actor
from apps.core.domain.refusals import Forbidden, Missing

ActorOf = Callable[[Any, Any], Actor]
TeamExists = Callable[[str], bool]
_directory: dict[str, Any] = {}


def register_directory(*, actor_of: ActorOf, team_exists: TeamExists) -> None:
    """Called once at start-up by the room that knows users and teams."""
    _directory.update(actor_of=actor_of, team_exists=team_exists)


def actor_of(request: Any) -> Actor:
    """The actor behind a request (Django's or DRF's), looked up once per request."""
    plain = getattr(request, "_request", request)
    known = getattr(plain, "lamplight_actor", None)
    if known is None:
        resolve = cast(ActorOf, _directory["actor_of"]) if _directory else lambda _user, _credential: NOBODY
        known = resolve(request.user, getattr(request, "auth", None))
        plain.lamplight_actor = known
    return cast(Actor, known)


def require_read(actor: Actor, team: str) -> None:
    """Raises Missing for a team that the actor may not see or that there is not: the two must not be told apart."""
    if not actor.may_read(team) or not team_exists(team):
        raise Missing(f"There is no team {team}, or you are not a member of it.")


def require_write(actor: Actor, team: str) -> None:
    """As `require_read`; then raises Forbidden for those who may only look."""
    require_read(actor, team)
    if not actor.may_write(team):
        if actor.read_only:
            raise Forbidden("This token is read-only: use one that may write.")
        raise Forbidden(f"You may look at team {team} but not change it: ask one of its admins for the role editor.")


def require_admin(actor: Actor, team: str) -> None:
    """As `require_write`, for what only admins of the team may do."""
    require_write(actor, team)
    if not actor.may_administer(team):
        raise Forbidden(f"Only an admin of team {team} may do this.")


def require_administrator(actor: Actor) -> None:
    """Raises Forbidden for all but administrators of the installation, with a credential that may write."""
    if not actor.everything or actor.read_only:
        raise Forbidden("Only an administrator of the installation may do this.")


def team_exists(name: str) -> bool:
    return bool(_directory["team_exists"](name)) if _directory else False
