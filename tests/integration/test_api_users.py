"""Users are made, changed and shut out by administrators: what that does to sessions, tokens and records."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client

from apps.audit.models import ChangeRecord
from apps.core.domain.access import Role
from tests.support.people import Api, api_of, json_of, person, team

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def root() -> Api:
    team("search")
    return api_of(person("root", superuser=True))


def logged_in(username: str, password: str = PASSWORD) -> Client | None:
    client = Client()
    answer = client.post(
        "/api/v1/session", {"username": username, "password": password}, content_type="application/json"
    )
    return client if answer.status_code == 200 else None


def test_a_person_is_made_gets_a_role_and_is_shut_out(root: Api) -> None:
    made = root.send("POST", "users", {"username": "ada", "password": PASSWORD})
    assert made.status_code == 201, made.content
    assert PASSWORD.encode() not in made.content
    assert root.send("POST", "users", {"username": "ada"}).status_code == 409
    assert root.send("PUT", "teams/search/members/ada", {"role": "editor"}).status_code == 200
    listed = {user["username"]: user for user in root.get("users")["items"]}
    assert listed["ada"]["teams"] == [{"name": "search", "role": "editor"}]
    assert (listed["ada"]["administrator"], listed["root"]["administrator"]) == (False, True)

    browser = logged_in("ada")
    assert browser is not None
    assert browser.get("/api/v1/pools").status_code == 200
    token = Api(json_of(browser.post("/api/v1/tokens", {"name": "x"}, content_type="application/json"))["token"])
    assert root.send("PATCH", "users/ada", {"active": False}).status_code == 200
    assert browser.get("/api/v1/pools").status_code == 401
    assert token.send("GET", "pools").status_code == 401
    assert logged_in("ada") is None
    assert root.send("PATCH", "users/ada", {"active": True}).status_code == 200
    assert token.send("GET", "pools").status_code == 200

    records = ChangeRecord.objects.filter(kind="User").order_by("id")
    assert [(r.action, r.after["active"]) for r in records] == [
        ("create", True),
        ("update", False),
        ("update", True),
    ]
    stored = json.dumps([(r.name, r.before, r.after) for r in records])
    # as a word: a uid may have these letters in it
    assert not re.search(r"\bada\b", stored)
    assert PASSWORD not in stored
    assert len(root.get("changes?kind=User")["items"]) == 3
    assert api_of(person("bob", search=Role.ADMIN)).get("changes?kind=User")["items"] == []


def test_a_robot_has_a_token_and_no_password(root: Api) -> None:
    assert root.send("POST", "users", {"username": "ci"}).status_code == 201
    made = json_of(root.send("POST", "users/ci/tokens", {"name": "ci", "lifetime": "90d", "readOnly": True}))
    assert Api(made["token"]).get("session")["user"] == {"username": "ci", "superuser": False}
    person("ada", password=PASSWORD)
    refused = root.send("POST", "users/ada/tokens", {"name": "hers"})
    assert refused.status_code == 403
    assert "ada can log in and make tokens" in json_of(refused)["detail"]


def test_somebody_is_left_who_may_administer(root: Api) -> None:
    for wish in ({"active": False}, {"administrator": False}):
        refused = root.send("PATCH", "users/root", wish)
        assert refused.status_code == 409
        assert "the only administrator who is left" in json_of(refused)["detail"]
    person("other", superuser=True)
    assert root.send("PATCH", "users/root", {"administrator": False}).status_code == 200
    assert root.send("GET", "users").status_code == 403


def test_a_new_password_ends_all_other_sessions() -> None:
    person("ada", password=PASSWORD)
    here, there = logged_in("ada"), logged_in("ada")
    assert here is not None and there is not None

    def change(current: str, new: str) -> int:
        body = {"current": current, "new": new}
        return here.put("/api/v1/session/password", body, content_type="application/json").status_code

    assert change("a guess", "another long one") == 422
    assert change(PASSWORD, "short") == 422
    assert change(PASSWORD, "another long one") == 204
    assert here.get("/api/v1/session").status_code == 200
    assert there.get("/api/v1/session").status_code == 401
    assert logged_in("ada") is None
    assert logged_in("ada", "another long one") is not None


def test_pages_of_users(root: Api) -> None:
    for n in range(4):
        person(f"user-{n}")
    seen, cursor = [], ""
    while cursor is not None:
        page = root.get(f"users?limit=2{cursor and '&cursor=' + cursor}")
        seen += [user["username"] for user in page["items"]]
        cursor = page["next"]
    assert seen == ["root", "user-0", "user-1", "user-2", "user-3"]
