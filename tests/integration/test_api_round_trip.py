"""What is exported is what apply takes back, for documents of every shape."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.core.domain.access import Role
from apps.core.yamlio import write
from tests.support.people import Api, api_of, json_of, person, team

pytestmark = pytest.mark.django_db

_name = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
_key = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,10}[A-Za-z0-9])?", fullmatch=True)
_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
_metadata = st.fixed_dictionaries(
    {"name": _name},
    optional={
        "labels": st.dictionaries(_key, _key, max_size=3),
        "annotations": st.dictionaries(_key, _text, max_size=3),
    },
)
_model = st.fixed_dictionaries(
    {"source": st.sampled_from(["hf://a/b", "pvc://claim/x", "s3://bucket/y", "oci://r/m:1"])},
    optional={
        "revision": st.sampled_from(["main", "1e3", "on", "0123abc", "v1.0"]),
        "servedName": st.sampled_from(["a", "no", "1.5", "org/model:tag"]),
        "shape": st.fixed_dictionaries(
            {"layers": st.integers(1, 999), "kvHeads": st.integers(1, 64), "headDim": st.integers(1, 512)},
            optional={"dtype": st.sampled_from(["fp8", "bfloat16"]), "parameters": st.integers(1, 10**12)},
        ),
    },
)
_objective = st.fixed_dictionaries(
    {
        "metric": st.sampled_from(["ttft", "e2e", "tpot", "itl"]),
        "threshold": st.sampled_from(["1ms", "0.25s", "1500ms", "1m30s", "2h"]),
        "fraction": st.decimals("0.001", "99.999", places=3).map(lambda d: f"{d}%"),
    },
    optional={"window": st.sampled_from(["1h", "24h", "28d"])},
)
_slo = st.fixed_dictionaries(
    {
        "targetRef": st.just({"kind": "Pool", "name": "chat"}),
        "objectives": st.lists(_objective, min_size=1, max_size=3, unique_by=lambda o: (o["metric"], o["threshold"])),
    },
    optional={"measuredAt": st.sampled_from(["engine", "gateway"])},
)


def document(kind: str, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "lamplight.dev/v1", "kind": kind, "metadata": metadata, "spec": spec}


_documents = st.builds(document, st.just("Model"), _metadata, _model) | st.builds(
    document, st.just("SLO"), _metadata, _slo
)

SURROUNDINGS = """\
apiVersion: lamplight.dev/v1
kind: Cluster
metadata: {name: embedded, team: platform}
spec: {credentials: {inCluster: true}, prices: {nvidia-h200: 3.2 USD/h}}
---
apiVersion: lamplight.dev/v1
kind: Model
metadata: {name: llama}
spec: {source: hf://a/b}
---
apiVersion: lamplight.dev/v1
kind: Pool
metadata: {name: chat}
spec:
  model: llama
  cluster: embedded
  namespace: serving
  path: optimized-baseline
  rollout: {progressDeadline: 1h30m}
  variants:
    - {name: h200, accelerator: nvidia-h200, replicas: {min: 2, max: 4}, resources: {memory: 65536Mi}}
"""


@pytest.fixture
def api() -> Api:
    team("platform")
    root: User = person("root", superuser=True, default=Role.ADMIN)
    client = api_of(root)
    answer = client.apply(SURROUNDINGS)
    assert answer.status_code == 200, answer.content
    return client


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(_documents)
def test_an_exported_document_is_taken_back_unchanged(api: Api, declared: dict[str, Any]) -> None:
    first = api.send("POST", "apply", declared)
    assert first.status_code == 200, first.content
    item = json_of(first)["items"][0]
    # the same in YAML means the same
    assert json_of(api.apply(write([declared])))["items"][0]["action"] == "unchanged"
    path = f"teams/default/{declared['kind'].lower()}s/{declared['metadata']['name']}"
    exported = api.send("GET", f"{path}?format=yaml").content
    assert json_of(api.apply(exported))["items"][0]["action"] == "unchanged"
    again = api.get(path)
    assert (again["metadata"]["version"], again["spec"]) == (
        item["object"]["metadata"]["version"],
        item["object"]["spec"],
    )
    # and somewhere else it makes the same object
    deleted = api.send("DELETE", path, If_Match="*")
    assert deleted.status_code == 204
    anew = json_of(api.apply(exported))["items"][0]
    assert (anew["action"], json.dumps(anew["object"]["spec"])) == ("created", json.dumps(item["object"]["spec"]))


def test_all_kinds_are_taken_back_unchanged(api: Api) -> None:
    slo = document(
        "SLO",
        {"name": "latency"},
        {
            "targetRef": {"name": "chat"},
            "objectives": [{"metric": "ttft", "threshold": "500ms", "fraction": f"{Decimal('95.0')}%"}],
        },
    )
    assert api.send("POST", "apply", slo).status_code == 200
    text = api.send("GET", "export?format=yaml").content
    outcome = json_of(api.apply(text))["items"]
    assert {(i["kind"], i["action"]) for i in outcome} == {
        (k, "unchanged") for k in ("Cluster", "Model", "Pool", "SLO")
    }
    assert api.send("GET", "export?format=yaml").content == text
