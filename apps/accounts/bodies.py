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


class Login(Spec):
    username: Annotated[str, StringConstraints(min_length=1, max_length=150)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class TokenWish(Spec):
    """`lifetime` None: until it is deleted."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    lifetime: Duration | None = None
    read_only: bool = Field(default=False)


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
