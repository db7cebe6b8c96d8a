"""Who acts, and what they may do: roles by team."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

# holds what all teams share (the embedded cluster): everybody may read it
SHARED_TEAM = "platform"


class Role(IntEnum):
    """What a member may do in a team; a higher role may all that a lower one may."""

    VIEWER = 1
    EDITOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that asks for a change.

    `id` is opaque (`user:<uuid>`, `system`): it goes into change records and says nothing about a person.
    `read_only` is set for credentials that may not write whatever the role of their owner.
    """

    id: str
    roles: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))
    everything: bool = False
    read_only: bool = False

    def role(self, team: str) -> Role | None:
        """The role in a team, None for a stranger to it."""
        role = Role.ADMIN if self.everything else self.roles.get(team)
        if role is None and team == SHARED_TEAM and self.id:
            role = Role.VIEWER
        return Role.VIEWER if role is not None and self.read_only else role

    def may_read(self, team: str) -> bool:
        return self.role(team) is not None

    def may_write(self, team: str) -> bool:
        role = self.role(team)
        return role is not None and role >= Role.EDITOR

    def may_administer(self, team: str) -> bool:
        return self.role(team) == Role.ADMIN

    def visible_teams(self) -> frozenset[str] | None:
        """Teams whose objects may be seen; None means all of them."""
        return None if self.everything else frozenset(self.roles) | ({SHARED_TEAM} if self.id else frozenset())


NOBODY = Actor(id="")
SYSTEM = Actor(id="system", everything=True)
