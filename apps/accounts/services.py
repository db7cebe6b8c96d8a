"""Writes of the accounts room: users, teams and memberships, each with its change record."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import IntegrityError, transaction

from apps.accounts.models import Membership, Team, User
from apps.core import kinds
from apps.core.changes import Action, Change, record
from apps.core.domain.access import SHARED_TEAM, Role
from apps.core.domain.refusals import Clash, Fault, Invalid, Missing
from apps.core.writes import By

_NAMESPACE = uuid.UUID("6c616d70-6c69-4768-8000-7465616d7300")


@transaction.atomic
def create_user(*, username: str, password: str | None, administrator: bool, by: By) -> User:
    """A new user without teams; without a password only tokens work. Raises Clash where the name is taken."""
    try:
        # asked of the database by inserting: of two who want one name at once, one gets it
        with transaction.atomic():
            user = User.objects.create_user(username, password, is_superuser=administrator)
    except IntegrityError as taken:
        fault = Fault("/username", f"the name {username} is taken")
        raise Clash(f"There is a user {username} already.", [fault]) from taken
    _record_user(by, "create", user, None, _rights(user))
    return user


@transaction.atomic
def change_user(
    *,
    username: str,
    by: By,
    password: str | None = None,
    active: bool | None = None,
    administrator: bool | None = None,
) -> User:
    """Give a user another password or other rights; None leaves as it is. Both end the sessions of what they take away.

    Raises Missing, and Clash where nobody would be left who may administer the installation.
    """
    # all administrators, in one order: two who demote each other at once wait for one another
    administrators = list(User.objects.select_for_update().filter(is_superuser=True, is_active=True).order_by("id"))
    user = User.objects.select_for_update().filter(username=username).first()
    if user is None:
        raise Missing(f"There is no user {username}.")
    before = _rights(user)
    user.is_active = user.is_active if active is None else active
    user.is_superuser = user.is_superuser if administrator is None else administrator
    if administrators == [user] and not (user.is_active and user.is_superuser):
        raise Clash(f"{username} is the only administrator who is left: make another one first.")
    if password is not None:
        user.set_password(password)
    user.save()
    _record_user(by, "update", user, before, {**_rights(user), **({"password": "set"} if password else {})})
    return user


@transaction.atomic
def create_team(*, name: str, by: By) -> Team:
    """A new team without members. Raises Clash where the name is taken."""
    team, created = Team.objects.get_or_create(name=name)
    if not created:
        raise Clash(f"There is a team {name} already.", [Fault("/name", f"the name {name} is taken")])
    _record(by, "create", name, None, {"team": name})
    return team


@transaction.atomic
def delete_team(*, name: str, by: By) -> None:
    """Remove an empty team. Raises Missing, Clash where it still has objects or everybody needs it."""
    team = Team.objects.select_for_update().filter(name=name).first()
    if team is None:
        raise Missing(f"There is no team {name}.")
    if name == SHARED_TEAM:
        raise Clash(f"Team {SHARED_TEAM} holds what all teams share; it stays.")
    held = [
        str(obj.key) for h in kinds.all_handlers() for obj in h.model.objects.filter(team=name).order_by("name")[:3]
    ]
    if held:
        raise Clash(f"Team {name} still has {', '.join(held[:5])}: delete its objects first.")
    team.delete()
    _record(by, "delete", name, {"team": name}, None)


@transaction.atomic
def set_membership(*, team: str, username: str, role: Role, by: By) -> Membership:
    """Give a user a role in a team. Raises Missing, Invalid for an unknown user."""
    membership, before = _membership(team, username)
    if membership is None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise Invalid.of([Fault("", f"there is no user {username}")])
        membership = Membership(team=Team.objects.get(name=team), user=user)
    membership.role = role
    membership.save()
    subject = {"member": membership.user.actor_id, "role": role.name.lower()}
    _record(by, "update", team, before, subject)
    return membership


@transaction.atomic
def remove_membership(*, team: str, username: str, by: By) -> None:
    """Take a user out of a team. Raises Missing where it is no member."""
    membership, before = _membership(team, username)
    if membership is None:
        raise Missing(f"{username} is not a member of team {team}.")
    membership.delete()
    _record(by, "update", team, before, None)


def _membership(team: str, username: str) -> tuple[Membership | None, dict[str, Any] | None]:
    rows = Membership.objects.select_for_update().select_related("user", "team")
    found = rows.filter(team__name=team, user__username=username).first()
    before = {"member": found.user.actor_id, "role": Role(found.role).name.lower()} if found else None
    return found, before


def _rights(user: User) -> dict[str, Any]:
    return {"active": user.is_active, "administrator": user.is_superuser}


def _record_user(by: By, action: Action, user: User, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    """Records tell of people by their ids only, and of no team: administrators read these."""
    record(
        Change(
            actor=by.actor.id,
            request_id=by.request_id,
            action=action,
            kind="User",
            uid=user.uid,
            team="",
            name=str(user.uid),
            generation=None,
            before=before,
            after=after,
            reason=by.reason,
        )
    )


def _record(by: By, action: Action, team: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
    record(
        Change(
            actor=by.actor.id,
            request_id=by.request_id,
            action=action,
            kind="Team",
            uid=uuid.uuid5(_NAMESPACE, team),
            team=team,
            name=team,
            generation=None,
            before=before,
            after=after,
            reason=by.reason,
        )
    )
