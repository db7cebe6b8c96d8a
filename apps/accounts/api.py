"""Session, tokens, teams and their members."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.authentication import CSRFCheck
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import selectors, services, throttle, tokens
from apps.accounts.bodies import Login, MemberWish, PasswordChange, TeamWish, TokenWish, read_body
from apps.accounts.models import ApiToken, Membership, Team, User
from apps.accounts.shapes import MOST_TOKENS, NULLABLE, STRING, TOKEN, body_of, component, listed, token_row
from apps.core import access
from apps.core.api import schema
from apps.core.api.base import ApiView, actor_of, by
from apps.core.domain.access import Role
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Fault, Forbidden, Invalid, Missing, Refusal


class _LoginRefused(Refusal):
    status = 401
    type = "login-refused"
    title = "You are not logged in"


_SESSION = component(
    "Session",
    user=component("User", username=STRING, superuser={"type": "boolean"}),
    teams={"type": "array", "items": component("TeamRole", name=STRING, role=STRING)},
)
_TEAM = component("Team", name=STRING, role=NULLABLE, createdAt=STRING)
_MEMBER = component("Member", username=STRING, role=STRING)


@method_decorator(ensure_csrf_cookie, name="dispatch")
class SessionView(ApiView):
    """Who is asking; logging in and out of the console."""

    permission_classes = [AllowAny]

    @extend_schema(operation_id="session_get", responses={200: _SESSION, **schema.problem_responses(401)})
    def get(self, request: Request) -> Response:
        if not request.user.is_authenticated:
            raise NotAuthenticated("Nobody is logged in.")
        return Response(_session(request))

    @extend_schema(
        operation_id="session_login",
        request=body_of(Login),
        responses={200: _SESSION, **schema.problem_responses(401, 429)},
    )
    @method_decorator(sensitive_variables("body"))
    def post(self, request: Request) -> Response:
        _check_csrf(request)
        body = read_body(request, Login)
        address = str(request.META.get("REMOTE_ADDR", ""))
        throttle.check(body.username, address)
        user = authenticate(request, username=body.username, password=body.password)
        if user is None:
            throttle.failed(body.username, address)
            raise _LoginRefused("The name or the password is wrong.")
        throttle.succeeded(body.username)
        login(request._request, user)
        request.user = user
        return Response(_session(request))

    @extend_schema(operation_id="session_logout", responses={204: OpenApiResponse(description="Logged out.")})
    def delete(self, request: Request) -> Response:
        logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordView(ApiView):
    """One's own password."""

    @extend_schema(
        operation_id="password_change",
        request=body_of(PasswordChange),
        responses={204: OpenApiResponse(description="Changed."), **schema.problem_responses(401, 403, 429)},
    )
    @method_decorator(sensitive_variables("body"))
    def put(self, request: Request) -> Response:
        actor = actor_of(request)
        if actor.read_only:
            raise Forbidden("A read-only token cannot change passwords.")
        body, user = read_body(request, PasswordChange), cast(User, request.user)
        address = str(request.META.get("REMOTE_ADDR", ""))
        throttle.check(user.username, address)
        if not user.check_password(body.current):
            throttle.failed(user.username, address)
            raise Invalid.of([Fault("/current", "this is not your present password")])
        throttle.succeeded(user.username)
        changed = services.change_user(username=user.username, password=body.new, by=by(request))
        if request.auth is None:
            # all sessions end with the old password, but for the one that this came by
            update_session_auth_hash(request._request, changed)
        return Response(status=204)


def _check_csrf(request: Request) -> None:
    """DRF exempts its views from Django's check and makes it for logged-in sessions only; a login needs it too."""

    def nothing(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    check = CSRFCheck(nothing)
    check.process_request(request._request)
    if check.process_view(request._request, nothing, (), {}) is not None:
        raise Forbidden("The CSRF token is missing or wrong: read /api/v1/session first and send its cookie's value.")


def _session(request: Request) -> dict[str, Any]:
    user = cast(User, request.user)
    actor = selectors.actor_of(user, request.auth)
    names = sorted(Team.objects.values_list("name", flat=True)[:1000]) if actor.everything else sorted(actor.roles)
    roles = [(name, actor.role(name)) for name in names]
    return {
        "user": {"username": user.username, "superuser": user.is_superuser},
        "teams": [{"name": name, "role": role.name.lower()} for name, role in roles if role is not None],
    }


class TokensView(ApiView):
    """One's own tokens."""

    @extend_schema(operation_id="tokens_list", responses={200: listed(TOKEN)})
    def get(self, request: Request) -> Response:
        held = ApiToken.objects.filter(owner=cast(User, request.user))[:MOST_TOKENS]
        return Response({"items": [token_row(token) for token in held], "next": None})

    @extend_schema(operation_id="tokens_create", request=body_of(TokenWish), responses={201: TOKEN})
    def post(self, request: Request) -> Response:
        if actor_of(request).read_only:
            raise Forbidden("A read-only token cannot make tokens.")
        wish = read_body(request, TokenWish)
        owner = cast(User, request.user)
        if ApiToken.objects.filter(owner=owner).count() >= MOST_TOKENS:
            raise Forbidden(f"You have {MOST_TOKENS} tokens: delete some that are no longer used.")
        new = tokens.issue(owner=owner, name=wish.name, lifetime=wish.lifetime, read_only=wish.read_only)
        return Response({**token_row(new.token), "token": new.secret}, status=201)


class TokenView(ApiView):
    """One of one's own tokens."""

    @extend_schema(operation_id="tokens_delete", responses={204: OpenApiResponse(description="It is gone.")})
    def delete(self, request: Request, uid: str) -> Response:
        if actor_of(request).read_only:
            raise Forbidden("A read-only token cannot delete tokens.")
        deleted, _ = ApiToken.objects.filter(owner=cast(User, request.user), uid=uid).delete()
        if not deleted:
            raise Missing("You have no such token.")
        return Response(status=204)


class TeamsView(ApiView):
    """Teams that one may see."""

    @extend_schema(operation_id="teams_list", responses={200: listed(_TEAM)})
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        teams = Team.objects.order_by("name")
        visible = actor.visible_teams()
        if visible is not None:
            teams = teams.filter(name__in=visible)
        return Response({"items": [_team(team, actor.role(team.name)) for team in teams[:1000]], "next": None})

    @extend_schema(operation_id="teams_create", request=body_of(TeamWish), responses={201: _TEAM})
    def post(self, request: Request) -> Response:
        access.require_administrator(actor_of(request))
        team = services.create_team(name=read_body(request, TeamWish).name, by=by(request))
        return Response(_team(team, actor_of(request).role(team.name)), status=201)


class TeamView(ApiView):
    """One team."""

    @extend_schema(operation_id="teams_get", responses={200: _TEAM, **schema.problem_responses(404)})
    def get(self, request: Request, team: str) -> Response:
        access.require_read(actor_of(request), team)
        return Response(_team(Team.objects.get(name=team), actor_of(request).role(team)))

    @extend_schema(operation_id="teams_delete", responses={204: OpenApiResponse(description="It is gone.")})
    def delete(self, request: Request, team: str) -> Response:
        access.require_read(actor_of(request), team)
        access.require_administrator(actor_of(request))
        services.delete_team(name=team, by=by(request))
        return Response(status=204)


class MembersView(ApiView):
    """Who belongs to a team; for its admins."""

    @extend_schema(operation_id="members_list", responses={200: listed(_MEMBER)})
    def get(self, request: Request, team: str) -> Response:
        access.require_admin(actor_of(request), team)
        held = Membership.objects.filter(team__name=team).select_related("user").order_by("user__username")[:1000]
        return Response({"items": [_member(m) for m in held], "next": None})


class MemberView(ApiView):
    """One member of a team; for its admins."""

    @extend_schema(operation_id="members_set", request=body_of(MemberWish), responses={200: _MEMBER})
    def put(self, request: Request, team: str, username: str) -> Response:
        access.require_admin(actor_of(request), team)
        role = Role[read_body(request, MemberWish).role.upper()]
        return Response(_member(services.set_membership(team=team, username=username, role=role, by=by(request))))

    @extend_schema(operation_id="members_remove", responses={204: OpenApiResponse(description="No longer a member.")})
    def delete(self, request: Request, team: str, username: str) -> Response:
        access.require_admin(actor_of(request), team)
        services.remove_membership(team=team, username=username, by=by(request))
        return Response(status=204)


def _team(team: Team, role: Role | None) -> dict[str, Any]:
    return {"name": team.name, "role": role.name.lower() if role else None, "createdAt": format_time(team.created_at)}


def _member(membership: Membership) -> dict[str, Any]:
    return {"username": membership.user.username, "role": Role(membership.role).name.lower()}
