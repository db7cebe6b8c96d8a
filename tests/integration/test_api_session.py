"""Logging in and out, tokens, teams and members, through HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connections
from django.test import AsyncClient, Client

from apps.accounts import throttle, tokens
from apps.accounts.models import ApiToken, Membership, User
from apps.accounts.tasks import retention
from apps.audit.models import ChangeRecord
from apps.core import clock
from apps.core.domain.access import Role
from tests.support.people import Api, api_of, json_of, person, team

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def browser() -> Client:
    """A browser on the login page: it has the CSRF cookie."""
    person("ada", password=PASSWORD, default=Role.EDITOR)
    client = Client(enforce_csrf_checks=True)
    first = client.get("/api/v1/session")
    assert first.status_code == 401
    assert "csrftoken" in client.cookies
    return client


def log_in(client: Client, password: str = PASSWORD, username: str = "ada", csrf: bool = True) -> object:
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value} if csrf else {}
    body = {"username": username, "password": password}
    return client.post("/api/v1/session", body, content_type="application/json", headers=headers)


def test_a_session_lasts_from_login_to_logout(browser: Client) -> None:
    answer = log_in(browser)
    assert answer.status_code == 200, answer.content
    assert json_of(answer) == {
        "user": {"username": "ada", "superuser": False},
        "teams": [{"name": "default", "role": "editor"}],
    }
    assert browser.get("/api/v1/session").status_code == 200
    assert browser.get("/api/v1/models").status_code == 200
    csrf = {"X-CSRFToken": browser.cookies["csrftoken"].value}
    assert browser.delete("/api/v1/session", headers=csrf).status_code == 204
    assert browser.get("/api/v1/models").status_code == 401


def test_the_session_cookie_is_out_of_reach_of_scripts(browser: Client) -> None:
    log_in(browser)
    cookie = browser.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_sessions_that_have_run_out_are_dropped(browser: Client) -> None:
    log_in(browser)
    retention()
    assert Session.objects.count() == 1
    with clock.frozen(clock.now() + timedelta(days=60)):
        retention()
    assert Session.objects.count() == 0


@pytest.mark.parametrize(
    "body", [{"username": "ada", "password": "wrong"}, {"username": "nobody", "password": PASSWORD}]
)
def test_a_wrong_login_does_not_say_what_was_wrong(browser: Client, body: dict[str, str]) -> None:
    answer = log_in(browser, **body)
    assert answer.status_code == 401
    assert json_of(answer)["detail"] == "The name or the password is wrong."


def test_writing_in_a_session_needs_the_csrf_token(browser: Client) -> None:
    assert log_in(browser, csrf=False).status_code == 403
    assert log_in(browser).status_code == 200
    body = {"name": "x"}
    refused = browser.post("/api/v1/tokens", body, content_type="application/json")
    assert refused.status_code == 403
    assert "CSRF" in json_of(refused)["detail"]
    csrf = {"X-CSRFToken": browser.cookies["csrftoken"].value}
    assert browser.post("/api/v1/tokens", body, content_type="application/json", headers=csrf).status_code == 201


def test_guessing_passwords_is_slowed_down(browser: Client) -> None:
    for _ in range(throttle.MOST_BY_NAME):
        assert log_in(browser, "guess").status_code == 401
    refused = log_in(browser)
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= throttle.WINDOW.total_seconds()
    assert "try again in" in json_of(refused)["detail"]
    # the name is what counts, whoever asks; another name is not slowed down
    assert log_in(browser, username="grace").status_code == 401
    with clock.frozen(clock.now() + throttle.WINDOW + timedelta(seconds=1)):
        assert log_in(browser).status_code == 200


def test_a_token_is_shown_once_and_stored_as_a_hash() -> None:
    api = api_of(person("ada", default=Role.EDITOR))
    made = json_of(api.send("POST", "tokens", {"name": "laptop", "lifetime": "7d"}))
    assert made["token"].startswith("lamp_")
    assert Api(made["token"]).get("session")["user"]["username"] == "ada"
    listed = {t["name"]: t for t in api.get("tokens")["items"]}
    assert set(listed) == {"laptop", "test"}
    assert "token" not in listed["laptop"]
    stored = ApiToken.objects.get(name="laptop")
    assert made["token"] not in [str(getattr(stored, f.name)) for f in ApiToken._meta.fields]
    assert made["token"].startswith(stored.prefix)
    assert len(stored.prefix) < 14
    with clock.frozen(clock.now() + timedelta(days=8)):
        expired = Api(made["token"]).send("GET", "session")
        assert expired.status_code == 401
        assert "expired" in json_of(expired)["detail"]
        assert expired["WWW-Authenticate"] == "Bearer"
    assert api.send("DELETE", f"tokens/{made['uid']}").status_code == 204
    assert Api(made["token"]).send("GET", "session").status_code == 401


def test_a_token_cannot_be_deleted_by_somebody_else() -> None:
    token = tokens.issue(owner=person("ada"), name="hers").token
    assert api_of(person("eve")).send("DELETE", f"tokens/{token.uid}").status_code == 404
    assert ApiToken.objects.filter(uid=token.uid).exists()


def test_a_token_of_an_inactive_user_is_worth_nothing() -> None:
    user = person("ada", default=Role.ADMIN)
    api = api_of(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert api.send("GET", "session").status_code == 401


def test_the_last_use_of_a_token_is_noted_once_a_minute() -> None:
    api = api_of(person("ada"))
    start = clock.now()
    uses = []
    for seconds in (0, 30, 61):
        with clock.frozen(start + timedelta(seconds=seconds)):
            api.get("session")
        uses.append((ApiToken.objects.get().last_used_at - start).total_seconds())
    assert uses == [0, 0, 61]


@pytest.mark.parametrize(
    ("body", "pointer", "sentence"),
    [
        ({}, "/name", "name is required"),
        ({"name": "x", "lifetime": 5}, "/lifetime", "5 is not a duration"),
        ({"name": "x", "scope": "all"}, "/scope", "scope is not a known field"),
    ],
)
def test_a_wrong_body_names_the_field(body: dict[str, object], pointer: str, sentence: str) -> None:
    answer = api_of(person("ada")).send("POST", "tokens", body)
    assert answer.status_code == 422
    (error,) = json_of(answer)["errors"]
    assert (error["pointer"], error["line"]) == (pointer, 1)
    assert sentence in error["detail"]


def test_teams_and_members_are_managed_and_recorded() -> None:
    root, ada = api_of(person("root", superuser=True)), person("ada")
    assert root.send("POST", "teams", {"name": "search"}).status_code == 201
    assert root.send("POST", "teams", {"name": "search"}).status_code == 409
    assert root.send("POST", "teams", {"name": "Not a name"}).status_code == 422
    assert root.send("PUT", "teams/search/members/ada", {"role": "admin"}).status_code == 200
    assert root.send("PUT", "teams/search/members/nobody", {"role": "admin"}).status_code == 422
    assert root.send("PUT", "teams/search/members/ada", {"role": "owner"}).status_code == 422
    mine = api_of(ada)
    assert [(t["name"], t["role"]) for t in mine.get("teams")["items"]] == [("search", "admin")]
    assert mine.get("teams/search/members")["items"] == [{"username": "ada", "role": "admin"}]
    person("bob")
    assert mine.send("PUT", "teams/search/members/bob", {"role": "viewer"}).status_code == 200
    assert mine.send("DELETE", "teams/search/members/bob").status_code == 204
    assert mine.send("DELETE", "teams/search/members/bob").status_code == 404
    model = "apiVersion: lamplight.dev/v1\nkind: Model\nmetadata: {name: m, team: search}\nspec: {source: hf://a/b}\n"
    assert mine.apply(model).status_code == 200
    held = root.send("DELETE", "teams/search")
    assert held.status_code == 409
    assert "Team search still has Model search/m" in json_of(held)["detail"]
    mine.send("DELETE", "teams/search/models/m", If_Match="*")
    assert root.send("DELETE", "teams/search").status_code == 204
    teams = ChangeRecord.objects.filter(kind="Team").order_by("id")
    assert [(r.action, r.after and r.after.get("role")) for r in teams] == [
        ("create", None),
        ("update", "admin"),
        ("update", "viewer"),
        ("update", None),
        ("delete", None),
    ]
    # as a word: a uid may have these letters in it
    assert not re.search(r"\bada\b", json.dumps([r.after for r in teams]))


def test_the_shared_team_stays() -> None:
    team("platform")
    refused = api_of(person("root", superuser=True)).send("DELETE", "teams/platform")
    assert refused.status_code == 409


def test_bootstrap_makes_what_is_missing_and_keeps_what_is_there(tmp_path: Path) -> None:
    token_file, password_file = tmp_path / "sub" / "token", tmp_path / "password"

    def run(**options: object) -> dict[str, object]:
        out = io.StringIO()
        call_command("lamplight_bootstrap", **{"username": "admin", "token_file": token_file, "stdout": out, **options})
        return json.loads(out.getvalue())

    run(password_file=password_file)
    first, password = token_file.read_text().strip(), password_file.read_text().strip()
    assert Api(first).get("session")["user"] == {"username": "admin", "superuser": True}
    assert (token_file.stat().st_mode & 0o777, password_file.stat().st_mode & 0o777) == (0o600, 0o600)
    assert User.objects.get().check_password(password)
    assert Membership.objects.count() == 2

    assert run()["password"] is None
    assert (token_file.read_text().strip(), ApiToken.objects.count()) == (first, 1)
    assert User.objects.get().check_password(password)

    assert run(password="another one")["password"] is None
    assert User.objects.get().check_password("another one")
    # an upgrade of an installation brings no password back that people changed, and leaves no token behind
    assert run(password="the first", keep_password=True)["password"] is None
    assert User.objects.get().check_password("another one")
    held = ApiToken.objects.count()
    assert run(token_file=None) == {"username": "admin", "password": None}
    assert ApiToken.objects.count() == held
    token_file.unlink()
    run()
    assert Api(token_file.read_text().strip()).get("session")["user"]["username"] == "admin"


@pytest_asyncio.fixture
async def threads() -> AsyncIterator[None]:
    """The threads of Django's asynchronous side live on, and with their connection no database can be dropped."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("threads")
async def test_the_way_through_asgi_is_the_same() -> None:
    """The web process serves ASGI: request ids, sessions and records must come through its threads."""
    api = await sync_to_async(lambda: api_of(person("ada", default=Role.EDITOR)))()
    headers = {"Authorization": f"Bearer {api.token}", "X-Request-Id": "through-asgi"}
    model = "apiVersion: lamplight.dev/v1\nkind: Model\nmetadata: {name: m}\nspec: {source: hf://a/b}\n"
    answers = await asyncio.gather(
        *(
            AsyncClient().post(
                "/api/v1/apply",
                model.replace("name: m", f"name: m-{i}"),
                content_type="application/yaml",
                headers={**headers, "X-Request-Id": f"request-{i}"},
            )
            for i in range(4)
        )
    )
    assert [(a.status_code, a["X-Request-Id"]) for a in answers] == [(200, f"request-{i}") for i in range(4)]
    records = await sync_to_async(
        lambda: list(ChangeRecord.objects.order_by("name").values_list("name", "request_id"))
    )()
    assert records == [(f"m-{i}", f"request-{i}") for i in range(4)]
    too_large = await AsyncClient().post(
        "/api/v1/apply", b"#" * 2_000_000, content_type="application/yaml", headers=headers
    )
    assert (too_large.status_code, too_large["Content-Type"]) == (413, "application/problem+json")


def test_an_unexpected_failure_is_a_problem_without_details(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the inside story")

    api = api_of(person("ada"))
    monkeypatch.setattr("apps.accounts.api._session", fails)
    client = Client(raise_request_exception=False)
    answer = client.get("/api/v1/session", headers={"Authorization": f"Bearer {api.token}", "X-Request-Id": "r-1"})
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "under request id r-1" in json_of(answer)["detail"]
    assert b"inside story" not in answer.content
