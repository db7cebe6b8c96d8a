"""The playground through a real web process and a real engine simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from apps.accounts import tokens
from apps.core.domain.access import Role
from apps.pools.models import Pool
from tests.support.engines import run_engine
from tests.support.people import person
from tests.support.pools import cluster_document, declare, model_document, pool_document
from tests.support.web import Web, run_web

pytestmark = pytest.mark.django_db(transaction=True)
ASK = {"messages": [{"role": "user", "content": "Why is the sky blue? " * 20}], "maxTokens": 12}


@pytest.fixture(scope="module")
def web(django_db_setup: None) -> Iterator[Web]:
    with run_web() as running:
        yield running


@pytest.fixture()
def engine(tmp_path: Path) -> Iterator[str]:
    with run_engine(tmp_path, "--served-model-name", "tiny", "--enable-prompt-tokens-details") as running:
        yield running.url


def serving(address: str | None) -> None:
    declare(cluster_document("/nowhere"), model_document(), pool_document())
    Pool.objects.update(status={"endpoint": address})


def token_of(role: Role, name: str = "erin") -> str:
    return tokens.issue(owner=person(name, default=role), name="test").secret


def ask(web: Web, token: str | None, body: Any = ASK) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.post(f"{web.url}/api/v1/teams/default/pools/chat/chat", json=body, headers=headers, timeout=30)


def events(answer: requests.Response) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in answer.text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((lines.get("event", ""), json.loads(lines["data"])))
    return found


def test_a_chat_is_streamed_timed_and_counted(web: Web, engine: str):
    serving(engine)
    token = token_of(Role.EDITOR)
    told = events(ask(web, token))
    assert told[0][0] == "start" and told[0][1]["status"] == 200
    pieces = [data for name, data in told if name == ""]
    assert len(pieces) > 1 and all(a["at"] <= b["at"] for a, b in pairwise(pieces))
    name, done = told[-1]
    assert name == "done"
    assert done["completionTokens"] == 12 and done["promptTokens"] > 50 and done["at"] >= pieces[-1]["at"]
    # the same prompt again comes from the prefix cache
    assert events(ask(web, token))[-1][1]["cachedTokens"] > 0


def test_who_may_not_write_may_not_spend_accelerator_time(web: Web):
    serving("http://127.0.0.1:1")
    assert ask(web, None).status_code == 401
    assert ask(web, token_of(Role.VIEWER)).status_code == 403
    assert ask(web, tokens.issue(owner=person("otto"), name="test").secret).status_code == 404


def test_a_session_needs_its_csrf_token(web: Web):
    serving("http://127.0.0.1:1")
    person("sam", password="a long password", default=Role.EDITOR)
    with requests.Session() as session:
        session.get(f"{web.url}/api/v1/session", timeout=30)
        csrf = {"X-CSRFToken": session.cookies["csrftoken"]}
        login = {"username": "sam", "password": "a long password"}
        assert session.post(f"{web.url}/api/v1/session", json=login, headers=csrf, timeout=30).ok
        address = f"{web.url}/api/v1/teams/default/pools/chat/chat"
        assert session.post(address, json=ASK, timeout=30).status_code == 401
        csrf = {"X-CSRFToken": session.cookies["csrftoken"]}
        allowed = session.post(address, json=ASK, headers=csrf, timeout=30)
        assert allowed.status_code == 200, allowed.text


@pytest.mark.parametrize(
    ("address", "said"), [("http://127.0.0.1:1", "cannot be reached"), (None, "has no endpoint yet")]
)
def test_a_pool_that_does_not_answer_is_said(web: Web, address: str | None, said: str):
    serving(address)
    assert said in ask(web, token_of(Role.EDITOR)).text


def test_what_the_engine_refuses_is_passed_on(web: Web, tmp_path: Path):
    with run_engine(tmp_path, "--served-model-name", "another") as engine:
        serving(engine.url)
        assert events(ask(web, token_of(Role.EDITOR)))[-1][0] == "problem"


def test_bounds_are_told(web: Web):
    serving("http://127.0.0.1:1")
    token = token_of(Role.EDITOR)
    assert ask(web, token, {"messages": []}).status_code == 422
    huge = {"messages": [{"role": "user", "content": "x" * 90_000}] * 4}
    assert ask(web, token, huge).status_code == 400
