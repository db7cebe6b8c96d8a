"""Users of the installation, for its administrators. Shut out, never deleted: change records name them."""

from __future__ import annotations

from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import services, tokens
from apps.accounts.bodies import TokenWish, UserChange, UserWish, read_body
from apps.accounts.models import ApiToken, User
from apps.accounts.shapes import MOST_TOKENS, STRING, TOKEN, body_of, component, listed, token_row
from apps.core import access
from apps.core.api import schema
from apps.core.api.base import ApiView, actor_of, by
from apps.core.api.paging import decode_cursor, encode_cursor, limit_of
from apps.core.domain.access import Role
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Forbidden, Missing

_FLAG = {"type": "boolean"}
_ROLE = component("TeamRole", name=STRING, role=STRING)
_USER = component(
    "UserAccount",
    username=STRING,
    active=_FLAG,
    administrator=_FLAG,
    robot={**_FLAG, "description": "It has no password, so nobody can log in as it; tokens work."},
    createdAt=STRING,
    teams={"type": "array", "items": _ROLE},
)


class UsersView(ApiView):
    """Everybody who may log in or has tokens."""

    @extend_schema(operation_id="users_list", parameters=[schema.LIMIT, schema.CURSOR], responses={200: listed(_USER)})
    def get(self, request: Request) -> Response:
        access.require_administrator(actor_of(request))
        rows, limit = User.objects.order_by("username").prefetch_related("memberships__team"), limit_of(request)
        if cursor := request.query_params.get("cursor"):
            rows = rows.filter(username__gt=decode_cursor(cursor, str)[0])
        found = list(rows[: limit + 1])
        following = encode_cursor(found[limit - 1].username) if len(found) > limit else None
        return Response({"items": [_user(user) for user in found[:limit]], "next": following})

    @extend_schema(
        operation_id="users_create",
        request=body_of(UserWish),
        responses={201: _USER, **schema.problem_responses(403, 409)},
    )
    @method_decorator(sensitive_variables("wish"))
    def post(self, request: Request) -> Response:
        access.require_administrator(actor_of(request))
        wish = read_body(request, UserWish)
        user = services.create_user(
            username=wish.username, password=wish.password, administrator=wish.administrator, by=by(request)
        )
        return Response(_user(user), status=201)


class UserView(ApiView):
    """One of them. Who is no longer active has no sessions, and their tokens are worth nothing."""

    @extend_schema(operation_id="users_get", responses={200: _USER, **schema.problem_responses(403, 404)})
    def get(self, request: Request, username: str) -> Response:
        access.require_administrator(actor_of(request))
        return Response(_user(_found(username)))

    @extend_schema(
        operation_id="users_change",
        request=body_of(UserChange),
        responses={200: _USER, **schema.problem_responses(403, 404, 409)},
    )
    @method_decorator(sensitive_variables("wish"))
    def patch(self, request: Request, username: str) -> Response:
        access.require_administrator(actor_of(request))
        wish = read_body(request, UserChange)
        user = services.change_user(
            username=username,
            password=wish.password,
            active=wish.active,
            administrator=wish.administrator,
            by=by(request),
        )
        return Response(_user(user))


class UserTokensView(ApiView):
    """A token for somebody else: robots cannot log in to make theirs."""

    @extend_schema(operation_id="users_token", request=body_of(TokenWish), responses={201: TOKEN})
    def post(self, request: Request, username: str) -> Response:
        access.require_administrator(actor_of(request))
        wish, owner = read_body(request, TokenWish), _found(username)
        if owner.has_usable_password():
            raise Forbidden(f"{username} can log in and make tokens; this is for users without a password.")
        if ApiToken.objects.filter(owner=owner).count() >= MOST_TOKENS:
            raise Forbidden(f"{username} has {MOST_TOKENS} tokens: make another user.")
        new = tokens.issue(owner=owner, name=wish.name, lifetime=wish.lifetime, read_only=wish.read_only)
        return Response({**token_row(new.token), "token": new.secret}, status=201)


def _found(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise Missing(f"There is no user {username}.")
    return user


def _user(user: User) -> dict[str, Any]:
    teams = sorted((m.team.name, Role(m.role).name.lower()) for m in user.memberships.all())
    return {
        "username": user.username,
        "active": user.is_active,
        "administrator": user.is_superuser,
        "robot": not user.has_usable_password(),
        "createdAt": format_time(user.created_at),
        "teams": [{"name": name, "role": role} for name, role in teams],
    }
