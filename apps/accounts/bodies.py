"""Bodies of this room's requests."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints
from rest_framework.request import Request

from apps.core.api.parsers import only_document
from apps.core.domain.documents import Name, Spec
from apps.core.domain.refusals import Invalid
from apps.core.domain.units import Duration

Body = TypeVar("Body", bound=Spec)
MIN_PASSWORD = 8


class Login(Spec):
    username: Annotated[str, StringConstraints(min_length=1, max_length=150)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class TokenWish(Spec):
    """`lifetime` None: until it is deleted."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    lifetime: Duration | None = None
    read_only: bool = Field(default=False)


Password = Annotated[str, StringConstraints(min_length=MIN_PASSWORD, max_length=1000)]


class UserWish(Spec):
    """Without a password nobody can log in as it: a robot, which gets tokens."""

    username: Name
    password: Password | None = None
    administrator: bool = Field(default=False)


class UserChange(Spec):
    """What is left out stays as it is."""

    password: Password | None = None
    active: bool | None = None
    administrator: bool | None = None


class PasswordChange(Spec):
    current: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    new: Password


class TeamWish(Spec):
    name: Name


class MemberWish(Spec):
    role: Literal["viewer", "editor", "admin"]


def read_body(request: Request, model: type[Body]) -> Body:
    """The body as a model. Raises Malformed, Invalid with places."""
    document = only_document(request)
    try:
        return model.from_document(document.value, at="")
    except Invalid as refused:
        refused.faults = tuple(document.placed(fault) for fault in refused.faults)
        raise
