"""Users, teams and HTTP clients for tests of the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpResponse
from django.test import Client

from apps.accounts import tokens
from apps.accounts.models import Membership, Team, User
from apps.core.domain.access import Role


@dataclass
class Api:
    """A client of /api/v1 with a bearer token, or without one."""

    token: str = ""

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """Send `body`: bytes or text as YAML, anything else as JSON; header names with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        content_type = sent.pop("content-type", "")
        if isinstance(body, str):
            body = body.encode()
        if body is None:
            data, kind = b"", "application/json"
        elif isinstance(body, bytes):
            data, kind = body, "application/yaml"
        else:
            data, kind = orjson.dumps(body), "application/json"
        return Client().generic(method, f"/api/v1/{path}", data, content_type or kind, headers=sent)

    def get(self, path: str, **headers: str) -> Any:
        """The JSON of a GET that must succeed."""
        response = self.send("GET", path, **headers)
        assert response.status_code == 200, response.content
        return orjson.loads(response.content)

    def apply(self, text: str | bytes, query: str = "") -> HttpResponse:
        return self.send("POST", f"apply{query}", text)


def team(name: str) -> Team:
    return Team.objects.get_or_create(name=name)[0]


def person(username: str, *, superuser: bool = False, password: str | None = None, **roles: Role) -> User:
    """A user with roles by team; the teams are made where missing."""
    user = User.objects.create_user(username, password, is_superuser=superuser)
    for name, role in roles.items():
        Membership.objects.create(user=user, team=team(name), role=role)
    return user


def api_of(user: User, *, read_only: bool = False) -> Api:
    return Api(tokens.issue(owner=user, name="test", read_only=read_only).secret)


def json_of(response: HttpResponse) -> Any:
    return orjson.loads(response.content)
