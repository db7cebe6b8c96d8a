"""What an address does not know is refused by name: parameters, values, methods, and addresses that there are not."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.core.domain.access import Role
from apps.pools.models import Pool
from tests.support.people import Api, api_of, json_of, person
from tests.support.pools import cluster_document, declare, model_document, pool_document

pytestmark = pytest.mark.django_db
CHAT = "teams/default/pools/chat"


@pytest.fixture
def api() -> Api:
    declare(cluster_document("/nowhere"), model_document(), pool_document())
    return api_of(person("ada", default=Role.ADMIN))


def test_a_misspelt_dry_run_writes_nothing(api: Api) -> None:
    version = Pool.objects.get().version
    body = {"metadata": {"labels": {"a": "b"}}}
    for name in ("dryrun", "dry-run", "dryRun"):
        answer = api.send("PATCH", f"{CHAT}?{name}=true", body, If_Match="*")
        said = json_of(answer)
        assert (answer.status_code, said["type"]) == (400, "urn:lamplight:problem:bad-request")
        assert said["detail"] == f"'{name}' is no parameter of this address; did you mean dry_run?"
    assert api.send("DELETE", f"{CHAT}?dryrun=true", If_Match="*").status_code == 400
    assert Pool.objects.get().version == version


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("pools?limt=3", "did you mean limit?"),
        ("pools?labels=a", "it takes cursor, format, limit."),
        (f"{CHAT}/panels/ttft?since=1", "it takes format, from, step, to, track, variant."),
        (f"{CHAT}?whatever=1", "it takes format."),
        ("fleet?sortby=name", "did you mean sort?"),
        ("events?kind=Poo", "kind is one of Cluster, Model, Pool, Endpoint, SLO, Webhook, not Poo."),
        ("alerts?state=over", "state is firing or resolved, not over."),
        (f"{CHAT}/panels/ttft?from=yesterday", "`from` is a moment in Unix seconds or ISO 8601, not yesterday."),
        (f"{CHAT}/panels/ttft?step=often", "`step` is a number of seconds, not often."),
        (f"{CHAT}/panels/ttft?step=-1", "`step` must be one second or more."),
    ],
)
def test_what_a_query_gets_wrong_is_named(api: Api, path: str, said: str) -> None:
    answer = api.send("GET", path)
    found = json_of(answer)
    assert (answer.status_code, found["type"]) == (400, "urn:lamplight:problem:bad-request")
    assert said in found["detail"]


def test_what_an_address_knows_it_still_takes(api: Api) -> None:
    for path in (
        "pools?limit=1&format=json",
        f"{CHAT}/panels/ttft?from=2026-11-26T12:00:00Z&to=1795725000&step=60&variant=h200",
        "fleet?q=chat&sort=name&order=asc",
        "events?kind=Pool&team=default&name=chat&limit=5",
        "timeline?source=event&limit=1",
    ):
        answer = api.send("GET", path)
        assert answer.status_code == 200, (path, answer.content)
    assert api.send("PATCH", f"{CHAT}?dry_run=true&reason=why", {"metadata": {}}, If_Match="*").status_code == 200


def test_who_has_not_said_who_it_is_learns_that_first(api: Api) -> None:
    answer = Api().send("GET", "pools?limt=3", Authorization="Basic d3Jvbmc6eA==")
    assert (answer.status_code, "Authorization: Bearer" in json_of(answer)["detail"]) == (401, True)


def test_a_method_that_an_address_does_not_know(api: Api) -> None:
    answer = api.send("POST", "pools", {})
    assert (answer.status_code, json_of(answer)["detail"]) == (405, "POST is not allowed here; there is GET.")


def test_a_body_of_the_wrong_form_is_called_so(api: Api) -> None:
    found = json_of(api.send("PUT", f"{CHAT}/targets", [1]))
    assert (found["status"], found["detail"]) == (422, "the document is a mapping, not a list")


def test_an_address_that_is_none_says_so_to_every_method() -> None:
    client = Client(enforce_csrf_checks=True)
    for method in ("GET", "POST", "DELETE"):
        answer = client.generic(
            method, "/api/v1/teams/default/pools/chat/aprove", headers={"Authorization": "Bearer x"}
        )
        assert (answer.status_code, json_of(answer)["title"]) == (404, "There is no such address")
