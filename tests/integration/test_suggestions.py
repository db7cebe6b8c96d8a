"""Suggested variants over REST: what keeps a promise for a declared model, and what is refused."""

from __future__ import annotations

import pytest

from apps.catalog.models import Model
from apps.core import clock
from apps.core.domain.access import Role
from tests.support.people import Api, api_of, json_of, person, team

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey_server")]

SHAPE = {"layers": 32, "kvHeads": 8, "headDim": 128, "dtype": "bfloat16", "parameters": 8_030_000_000}
PATH = "teams/default/models/m/suggestions"


@pytest.fixture
def api() -> Api:
    team("default")
    return api_of(person("vera", default=Role.VIEWER))


def declare(shape: dict | None) -> None:
    now = clock.now()
    spec = {"source": "hf://meta-llama/Llama-3.1-8B-Instruct", **({"shape": shape} if shape else {})}
    Model.objects.create(team="default", name="m", spec=spec, created_at=now, updated_at=now)


def test_the_cheapest_that_keeps_the_promise_comes_first_with_what_it_rests_on(api: Api) -> None:
    declare(SHAPE)
    body = json_of(api.send("GET", f"{PATH}?requestsPerSecond=40&ttft=1s&tpot=60ms&maxModelLen=8192"))
    first = body["items"][0]
    assert (first["verdict"], first["accelerators"]) == ("keeps", first["replicas"] * first["tensor"])
    assert first["cost"].endswith(" USD/h") and first["basis"]
    assert f"{first['replicas']} replica" in first["sentence"]
    verdicts = [one["verdict"] for one in body["items"]]
    assert verdicts == sorted(verdicts), "those that never keep it are last"
    names = [one["accelerator"] for one in body["items"]]
    assert len(names) == len(set(names))


def test_what_cannot_be_read_is_named(api: Api) -> None:
    declare(SHAPE)
    answer = api.send("GET", f"{PATH}?requestsPerSecond=many&promptTokens=nan&fraction=2&ttft=fast")
    assert answer.status_code == 422
    pointers = [one["pointer"] for one in json_of(answer)["errors"]]
    assert pointers == ["?requestsPerSecond", "?promptTokens", "?ttft", "?fraction"]
    nothing = json_of(api.send("GET", PATH))
    assert [one["pointer"] for one in nothing["errors"]] == ["?requestsPerSecond", "?ttft"]


def test_a_model_without_a_shape_says_what_to_declare(api: Api) -> None:
    declare(None)
    answer = api.send("GET", f"{PATH}?requestsPerSecond=1&ttft=1s")
    assert answer.status_code == 422
    assert "spec.shape" in answer.content.decode()
