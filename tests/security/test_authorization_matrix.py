"""Who may do what at which address. The endpoints come from the URL conf: a new one without a row here fails.

Each row says what an endpoint's methods need; each of the people below then calls each method, and only the
ones with the right get further than a refusal (what comes after, as a bad body, is another test's matter).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import pytest

from apps.autoscaling.domain.decide import decide
from apps.autoscaling.domain.record import to_json
from apps.autoscaling.domain.types import Objective, Policy, Replicas, Signals, State, VariantPolicy, VariantSignals
from apps.autoscaling.models import Decision
from apps.benchmarks.models import LoadRun
from apps.core import clock, kinds
from apps.core.domain.access import Role
from apps.gateways.models import Verification
from apps.offload.domain import types as offload
from apps.offload.domain.decide import decide as decide_tiers
from apps.offload.domain.sketch import Sketch
from apps.offload.models import OffloadDecision, ReuseState
from apps.physics.catalogue import ModelSize, step_time_for
from apps.pools.models import Pool, PoolPlan, PoolRevision
from apps.whatif.models import Simulation
from tests.support.people import Api, api_of, person, team
from tests.support.routes import api_routes, methods_of

pytestmark = pytest.mark.django_db


class Needs(Enum):
    NOTHING = "anybody"
    LOGIN = "anybody who is known"
    READ = "viewers of the team"
    WRITE = "editors of the team"
    ADMIN = "admins of the team"
    SUPERUSER = "administrators of the installation"


N = Needs
_READ_ONLY = {"GET": N.READ}
_OBJECT = {"GET": N.READ, "PUT": N.WRITE, "PATCH": N.WRITE, "DELETE": N.WRITE}

# {plural} stands for each kind
MATRIX: dict[str, dict[str, Needs]] = {
    "schema": {"GET": N.NOTHING},  # what the API is like is no secret
    "apply": {"POST": N.LOGIN},  # the documents name the teams: test_applying_needs_the_right_in_each_team
    "export": {"GET": N.LOGIN},
    "events": {"GET": N.LOGIN},
    "changes": {"GET": N.LOGIN},
    "session": {"GET": N.LOGIN, "POST": N.NOTHING, "DELETE": N.NOTHING},
    "session/password": {"PUT": N.LOGIN},
    "users": {"GET": N.SUPERUSER, "POST": N.SUPERUSER},
    "users/<slug:username>": {"GET": N.SUPERUSER, "PATCH": N.SUPERUSER},
    "users/<slug:username>/tokens": {"POST": N.SUPERUSER},
    "tokens": {"GET": N.LOGIN, "POST": N.LOGIN},
    "tokens/<uuid:uid>": {"DELETE": N.LOGIN},
    "teams": {"GET": N.LOGIN, "POST": N.SUPERUSER},
    "teams/<slug:team>": {"GET": N.READ, "DELETE": N.SUPERUSER},
    "teams/<slug:team>/members": {"GET": N.ADMIN},
    "teams/<slug:team>/members/<slug:username>": {"PUT": N.ADMIN, "DELETE": N.ADMIN},
    "accelerators": {"GET": N.LOGIN},
    "conditions": {"GET": N.LOGIN},
    "{plural}": {"GET": N.LOGIN},
    "teams/<slug:team>/{plural}": {"GET": N.READ, "POST": N.WRITE},
    "teams/<slug:team>/{plural}/<slug:name>": _OBJECT,
    "teams/<slug:team>/clusters/<slug:name>/inventory": _READ_ONLY,
    "teams/<slug:team>/clusters/<slug:name>/preflight": _READ_ONLY,
    "teams/<slug:team>/models/<slug:name>/fit": _READ_ONLY,
    "teams/<slug:team>/models/<slug:name>/suggestions": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/migration": {"POST": N.READ},  # nothing is changed: it is a proposal
    "teams/<slug:team>/pools/<slug:name>/replicas": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/objects": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/selected": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/tree": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/rollout": {"GET": N.READ, "POST": N.WRITE},
    "teams/<slug:team>/pools/<slug:name>/pods/<str:pod>/logs": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/revisions": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/endpoint": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/targets": {"GET": N.READ, "PUT": N.WRITE},
    "teams/<slug:team>/pools/<slug:name>/panels": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/panels/<slug:panel>": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/replica-signals": _READ_ONLY,
    "teams/<slug:team>/slos/<slug:name>/attainment": _READ_ONLY,
    "teams/<slug:team>/slos/<slug:name>/budget": _READ_ONLY,
    "teams/<slug:team>/slos/<slug:name>/burn": _READ_ONLY,
    "plan": {"POST": N.LOGIN},  # as apply
    "teams/<slug:team>/import": {"POST": N.WRITE},
    "teams/<slug:team>/pools/<slug:name>/plan": {"POST": N.WRITE},
    "teams/<slug:team>/pools/<slug:name>/plans": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/plans/<int:number>": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/integrity": _READ_ONLY,
    "alerts": {"GET": N.LOGIN},
    "teams/<slug:team>/webhooks/<slug:name>/secret": {"POST": N.WRITE},
    "teams/<slug:team>/webhooks/<slug:name>/test": {"POST": N.WRITE},
    "teams/<slug:team>/webhooks/<slug:name>/deliveries": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/plans/<int:number>/apply": {"POST": N.WRITE},
    "teams/<slug:team>/pools/<slug:name>/revisions/<int:before>/diff/<int:after>": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/revisions/<int:generation>/rollback": {"POST": N.WRITE},
    "decisions": {"GET": N.LOGIN},
    "teams/<slug:team>/pools/<slug:name>/decisions": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/decisions/<int:number>": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/decisions/<int:number>/replay": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/autoscaling": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/offload": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/offload/curve": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/offload/what-if": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/offload/decisions": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/offload/decisions/<int:number>": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/offload/decisions/<int:number>/replay": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/offload/probe": {"POST": N.WRITE},
    "teams/<slug:team>/pools/<slug:name>/loads": {"GET": N.READ, "POST": N.WRITE},  # it costs accelerator time
    "teams/<slug:team>/pools/<slug:name>/loads/<uuid:load>": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/loads/<uuid:load>/stop": {"POST": N.WRITE},
    "teams/<slug:team>/pools/<slug:name>/loads/<uuid:load>/compare/<uuid:other>": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/simulate": {"POST": N.WRITE},  # it costs processor time
    "teams/<slug:team>/pools/<slug:name>/simulations": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/simulations/<uuid:simulation>": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/routes": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/routes/explain": {"POST": N.READ},  # nothing is sent
    "teams/<slug:team>/pools/<slug:name>/routes/<slug:route>": _READ_ONLY,
    "teams/<slug:team>/pools/<slug:name>/verifications": {"GET": N.READ, "POST": N.WRITE},
    "teams/<slug:team>/pools/<slug:name>/verifications/<uuid:verification>": _READ_ONLY,
    "fleet": {"GET": N.LOGIN},
    "timeline": {"GET": N.LOGIN},
    # it costs accelerator time
    "teams/<slug:team>/pools/<slug:name>/chat": {"POST": N.WRITE},
    "stream": {"GET": N.LOGIN},
}

# reads that must be told something: those who are let in are told what
ASKS_BACK = {"teams/<slug:team>/models/<slug:name>/suggestions"}

# looks its caller up on a connection of its own, which does not see this test's users; tests of the stream do
ONLY_REFUSALS = {"stream"}

# a stored object of each kind, so that reading one finds it
SPECS: dict[str, dict[str, Any]] = {
    "Model": {"source": "hf://a/b"},
    "SLO": {
        "targetRef": {"kind": "Pool", "name": "thing"},
        "objectives": [{"metric": "ttft", "threshold": "1s", "fraction": "95%"}],
    },
    "Endpoint": {
        "cluster": "thing",
        "namespace": "serving",
        "models": [{"name": "chat", "backends": [{"pool": "thing"}]}],
    },
    "Webhook": {"url": "https://hooks.example.com/lamplight"},
    "Cluster": {"credentials": {"inCluster": True}},
    "Pool": {
        "model": "thing",
        "cluster": "thing",
        "namespace": "serving",
        "path": "optimized-baseline",
        "variants": [{"name": "a", "accelerator": "nvidia-h200", "replicas": {"min": 1, "max": 1}}],
    },
}
ARGUMENTS = {
    "team": "default",
    "name": "thing",
    "username": "viewer",
    "panel": "ttft",
    "pod": "thing-a-1",
    "number": "1",
    "route": "6c1f-000012",
    "verification": "00000000-0000-0000-0000-000000000002",
    "before": "1",
    "after": "1",
    "generation": "1",
    "uid": "00000000-0000-0000-0000-000000000000",
    "simulation": "00000000-0000-0000-0000-000000000001",
    "load": "00000000-0000-0000-0000-000000000003",
    "other": "00000000-0000-0000-0000-000000000003",
}


def row_of(route: str) -> dict[str, Needs] | None:
    if route in MATRIX:
        return MATRIX[route]
    for handler in kinds.all_handlers():
        for generic in ("{plural}", "teams/<slug:team>/{plural}", "teams/<slug:team>/{plural}/<slug:name>"):
            if route == generic.replace("{plural}", handler.plural):
                return MATRIX[generic]
    return None


def address(route: str) -> str:
    for name, value in ARGUMENTS.items():
        for converter in ("slug", "uuid", "str", "int"):
            route = route.replace(f"<{converter}:{name}>", value)
    assert "<" not in route, f"ARGUMENTS has no value for a part of {route}"
    return route


ENDPOINTS = [(route, method) for route, view in api_routes() for method in methods_of(view)]


@dataclass
class People:
    """Everybody who tries: their clients by name."""

    clients: dict[str, Api]


@pytest.fixture
def people() -> People:
    for name in ("default", "platform", "elsewhere"):
        team(name)
    viewer = person("viewer", default=Role.VIEWER)
    editor = person("editor", default=Role.EDITOR)
    admin = person("admin", default=Role.ADMIN)
    stranger = person("stranger", elsewhere=Role.ADMIN)
    root = person("root", superuser=True)
    now = clock.now()
    for handler in kinds.all_handlers():
        assert handler.kind in SPECS, f"SPECS needs a {handler.kind} for the reads of this test"
        spec = handler.spec_model.from_document(SPECS[handler.kind]).to_document()
        handler.model.objects.create(team="default", name="thing", spec=spec, created_at=now, updated_at=now)
    thing = Pool.objects.get(team="default", name="thing")
    PoolRevision.objects.create(pool=thing, generation=1, spec=thing.spec, accepted_at=now, actor="user:1")
    PoolPlan.objects.create(
        pk=1,
        team="default",
        name="thing",
        origin="document",
        created_at=now,
        actor="user:1",
        base={"version": 1, "generation": 1, "restsOn": []},
        content={"summary": {}},
    )
    named: dict[str, Any] = {"pool": thing.uid, "team": "default", "name": "thing"}
    Decision.objects.create(pk=1, **named, **decision_columns(now))
    OffloadDecision.objects.create(pk=1, **named, **offload_columns(now))
    ReuseState.objects.create(pool=thing.uid, at=now, sketches={"replica": {"": Sketch().to_json()}})
    Verification.objects.create(
        id=ARGUMENTS["verification"], **named, generation=1, status="passed", trigger="person", created_at=now
    )
    LoadRun.objects.create(id=ARGUMENTS["load"], **named, generation=1, request={}, status="done", created_at=now)
    Simulation.objects.create(id=ARGUMENTS["simulation"], **named, request={}, created_at=now)
    return People(
        {
            "anonymous": Api(),
            "bad token": Api("lamp_not-a-token"),
            "stranger": api_of(stranger),
            "viewer": api_of(viewer),
            "editor": api_of(editor),
            "editor, read-only token": api_of(editor, read_only=True),
            "admin": api_of(admin),
            "superuser": api_of(root),
            "superuser, read-only token": api_of(root, read_only=True),
        }
    )


def decision_columns(now: datetime) -> dict[str, Any]:
    """A decision as the tick stores it, made of nothing known."""
    step_time = step_time_for(ModelSize(8.03e9, 32, 16.06e9, 131072), "nvidia-h200").step_time
    policy = Policy((Objective("ttft", 1.0, 0.95),), (VariantPolicy("a", 1, 1, 3.2, step_time, 900_000),))
    signals = Signals(10.0, (VariantSignals("a", Replicas(1, 1)),))
    made = decide(policy, signals, State(), now.timestamp())
    record = to_json(made)
    del record["state"]
    return {
        "mode": "advisory",
        "first_at": now,
        "last_at": now,
        "verb": made.verb,
        "binding": made.binding,
        "cost": made.cost,
        "currency": policy.currency,
        "sentence": made.sentence,
        "record": record,
        "policy": to_json(policy),
        "signals": to_json(signals),
        "state": to_json(State()),
    }


def offload_columns(now: datetime) -> dict[str, Any]:
    """A decision on tiers as the tick stores it, made of nothing known."""
    policy = offload.Policy("advisory", 131072.0, 2e-5, 8e-10, 3.2, (offload.TierPolicy("host", 2**36),), "a")
    empty = Sketch().to_json()
    signals = offload.Signals(0.0, empty, empty, 0.0, 0.0, 0.0, 1.0, {}, offload.Configuration())
    made = decide_tiers(policy, signals, offload.State(), now.timestamp())
    record = to_json(made)
    del record["state"]
    return {
        "mode": "advisory",
        "first_at": now,
        "last_at": now,
        "verb": made.verb,
        "binding": made.binding,
        "sentence": made.sentence,
        "record": record,
        "policy": to_json(policy),
        "signals": to_json(signals),
        "state": to_json(offload.State()),
    }


READERS = {"viewer", "editor", "editor, read-only token", "admin", "superuser", "superuser, read-only token"}
MAY = {
    N.READ: READERS,
    N.WRITE: {"editor", "admin", "superuser"},
    N.ADMIN: {"admin", "superuser"},
    N.SUPERUSER: {"superuser"},
    N.LOGIN: READERS | {"stranger"},
    # a token that is wrong is refused even where none is needed
    N.NOTHING: READERS | {"stranger", "anonymous"},
}


def refusal(who: str, needs: Needs, of_a_team: bool) -> int | None:
    """The status that somebody without the right must get; None for those who have it."""
    if who in MAY[needs]:
        return None
    if who in ("anonymous", "bad token"):
        return 401
    if who == "stranger" and of_a_team:
        return 404
    return 403


def test_every_endpoint_has_a_row() -> None:
    missing = sorted({route for route, _ in ENDPOINTS if row_of(route) is None})
    assert missing == [], "give these endpoints a row in MATRIX"
    unsaid = sorted(f"{method} {route}" for route, method in ENDPOINTS if method not in (row_of(route) or {method: 0}))
    assert unsaid == [], "say in MATRIX who may do this"
    assert len(ENDPOINTS) > 30


@pytest.mark.parametrize(("route", "method"), ENDPOINTS, ids=lambda value: str(value))
def test_only_those_with_the_right_get_further(people: People, route: str, method: str) -> None:
    needs = (row_of(route) or {})[method]
    path = address(route)
    for who, client in people.clients.items():
        # an empty body: enough to be let in or not, too little to change anything
        response = client.send(method, path)
        expected = refusal(who, needs, "<slug:team>" in route)
        where = f"{who}: {method} {path} -> {response.status_code} {getattr(response, 'content', b'')[:300]!r}"
        if expected is not None:
            assert response.status_code == expected, where
            assert response["Content-Type"].startswith("application/problem+json"), where
        elif route in ONLY_REFUSALS:
            continue
        elif method == "GET":
            # 502: let in, but the cluster of this test's objects answers nobody
            assert response.status_code in ((422,) if route in ASKS_BACK else (200, 502)), where
        elif needs is not N.LOGIN and needs is not N.NOTHING:
            assert response.status_code not in (401, 403), where
            # what is said to be missing can only be the token, member or pool part that is addressed
            assert response.status_code != 404 or "/members/" in path, where
        assert response.status_code < 500 or response.status_code == 502, where


def test_applying_needs_the_right_in_each_team(people: People) -> None:
    document = (
        "apiVersion: lamplight.dev/v1\nkind: Model\nmetadata: {{name: m, team: {team}}}\nspec: {{source: hf://a/b}}\n"
    )
    expected = {
        ("viewer", "default"): 403,
        ("editor", "default"): 200,
        ("editor", "elsewhere"): 404,
        ("editor", "platform"): 403,
        ("editor", "nowhere"): 404,
        ("editor, read-only token", "default"): 403,
        ("stranger", "default"): 404,
        ("superuser", "platform"): 200,
        ("superuser", "nowhere"): 404,
    }
    for (who, where), status in expected.items():
        response = people.clients[who].apply(document.format(team=where), "?dry_run=true")
        assert response.status_code == status, (who, where, response.content)
    # one document in a foreign team refuses the whole bundle
    both = document.format(team="default") + "---\n" + document.format(team="elsewhere")
    assert people.clients["editor"].apply(both).status_code == 404
    assert people.clients["editor"].send("GET", "teams/default/models/m").status_code == 404


def test_lists_hold_only_what_one_may_see(people: People) -> None:
    now = clock.now()
    for handler in kinds.all_handlers():
        for where in ("platform", "elsewhere"):
            spec = handler.spec_model.from_document(SPECS[handler.kind]).to_document()
            handler.model.objects.create(team=where, name="thing", spec=spec, created_at=now, updated_at=now)
    seen = {
        "stranger": ["elsewhere", "platform"],
        "viewer": ["default", "platform"],
        "superuser": ["default", "elsewhere", "platform"],
    }
    for who, teams in seen.items():
        for handler in kinds.all_handlers():
            items = people.clients[who].get(handler.plural)["items"]
            assert [item["metadata"]["team"] for item in items] == teams, (who, handler.kind)
        exported = {item["metadata"]["team"] for item in people.clients[who].get("export")["items"]}
        assert exported == set(teams)


# what each writing address is really asked: a body that reaches what is behind the right; None: it takes none
DOCUMENT = {
    "apiVersion": "lamplight.dev/v1",
    "kind": "Model",
    "metadata": {"name": "m"},
    "spec": {"source": "hf://a/b"},
}
_POOL = "teams/<slug:team>/pools/<slug:name>"
BODIES: dict[str, Any] = {
    "teams/<slug:team>/pools/<slug:name>/loads": {"rate": 1, "duration": "5s"},
    "teams/<slug:team>/pools/<slug:name>/loads/<uuid:load>/stop": None,
    "apply": DOCUMENT,
    "plan": DOCUMENT,
    "session": {"username": "viewer", "password": "wrong"},
    "session/password": {"current": "wrong", "new": "a-longer-one"},
    "users": {"username": "new"},
    "users/<slug:username>": {"active": False},
    "users/<slug:username>/tokens": {"name": "theirs"},
    "tokens": {"name": "mine"},
    "teams": {"name": "new"},
    "teams/<slug:team>/members/<slug:username>": {"role": "editor"},
    "teams/<slug:team>/import": {"cluster": "thing", "namespace": "serving"},
    "teams/<slug:team>/webhooks/<slug:name>/secret": None,
    "teams/<slug:team>/webhooks/<slug:name>/test": None,
    f"{_POOL}/migration": {"to": "0.5"},
    f"{_POOL}/rollout": {"action": "pause"},
    f"{_POOL}/targets": {"items": [{"variant": "a", "desired": 1}]},
    f"{_POOL}/plan": None,
    f"{_POOL}/plans/<int:number>/apply": {},
    f"{_POOL}/revisions/<int:generation>/rollback": {},
    f"{_POOL}/offload/probe": {},
    f"{_POOL}/simulate": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00Z"},
    f"{_POOL}/routes/explain": {"prompt": "hello"},
    f"{_POOL}/verifications": None,
    f"{_POOL}/chat": {"messages": [{"role": "user", "content": "hello"}]},
}


def body_of(route: str, method: str) -> Any:
    """The body of a call that means it; a KeyError where nobody has said one."""
    if method == "DELETE":
        return None
    for handler in kinds.all_handlers():
        named = {"apiVersion": "lamplight.dev/v1", "kind": handler.kind, "spec": SPECS[handler.kind]}
        if route == f"teams/<slug:team>/{handler.plural}":
            return {**named, "metadata": {"name": "another"}}
        if route == f"teams/<slug:team>/{handler.plural}/<slug:name>":
            return (
                {"metadata": {"labels": {"a": "b"}}} if method == "PATCH" else {**named, "metadata": {"name": "thing"}}
            )
    return BODIES[route]


WRITES = [(route, method) for route, method in ENDPOINTS if method != "GET"]


@pytest.mark.parametrize(("route", "method"), WRITES, ids=lambda value: str(value))
def test_those_who_get_further_never_meet_a_fault_of_ours(people: People, route: str, method: str) -> None:
    """502 is an answer: the cluster of this test's objects answers nobody. Any other 5xx is a bug."""
    needs = (row_of(route) or {})[method]
    who = "superuser" if needs in (N.SUPERUSER, N.ADMIN) else "editor"
    headers = {"If_Match": "*"} if method in ("PUT", "PATCH", "DELETE") else {}
    response = people.clients[who].send(method, address(route), body_of(route, method), **headers)
    said = f"{method} {route} -> {response.status_code} {getattr(response, 'content', b'')[:400]!r}"
    assert response.status_code < 500 or response.status_code == 502, said
    if response.status_code >= 400:
        assert response["Content-Type"].startswith("application/problem+json"), said
        assert response.json()["detail"], said
