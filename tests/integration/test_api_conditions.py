"""What kinds without a controller say of themselves."""

from __future__ import annotations

import pytest

from apps.core import services
from apps.core.domain.access import Role
from apps.core.models import OutboxEvent
from apps.pools.models import Pool
from tests.support.people import Api, api_of, person, team

pytestmark = pytest.mark.django_db

DOCUMENTS = """\
apiVersion: lamplight.dev/v1
kind: Cluster
metadata: {name: embedded, team: platform}
spec: {credentials: {inCluster: true}}
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
  variants: [{name: h200, accelerator: nvidia-h200}]
---
apiVersion: lamplight.dev/v1
kind: SLO
metadata: {name: latency}
spec:
  targetRef: {name: chat}
  objectives: [{metric: ttft, threshold: 500ms, fraction: 95%}]
"""


@pytest.fixture
def api() -> Api:
    team("platform")
    client = api_of(person("root", superuser=True, default=Role.ADMIN))
    answer = client.apply(DOCUMENTS)
    assert answer.status_code == 200, answer.content
    return client


def ready(api: Api, path: str) -> tuple[str, str, str, int]:
    (condition,) = api.get(f"teams/default/{path}")["status"]["conditions"]
    assert condition["type"] == "Ready"
    assert condition["lastTransitionTime"]
    return condition["status"], condition["reason"], condition["message"], condition["observedGeneration"]


def test_a_model_is_ready_as_soon_as_it_is_accepted(api: Api) -> None:
    assert ready(api, "models/llama") == (
        "True",
        "Accepted",
        "Pools may serve it; their engines fetch hf://a/b at revision main.",
        1,
    )
    api.send("PATCH", "teams/default/models/llama", {"spec": {"revision": "v2"}}, If_Match="*")
    assert ready(api, "models/llama")[2:] == ("Pools may serve it; their engines fetch hf://a/b at revision v2.", 2)


def test_an_slo_is_ready_while_its_pool_is_there(api: Api) -> None:
    assert ready(api, "slos/latency")[:2] == ("True", "TargetFound")
    before = api.get("teams/default/slos/latency")["metadata"]

    assert api.send("DELETE", "teams/default/pools/chat", If_Match="*").status_code == 202
    assert ready(api, "slos/latency") == (
        "False",
        "TargetGone",
        "Pool chat was deleted: declare it again, or delete this SLO.",
        1,
    )
    assert list(OutboxEvent.objects.order_by("-id").values_list("verb", "kind")[:2]) == [
        ("deleting", "Pool"),
        ("status", "SLO"),
    ]
    services.finish_deletion(Pool.objects.get())
    assert ready(api, "slos/latency")[0] == "False"

    assert api.apply(DOCUMENTS).status_code == 200
    assert ready(api, "slos/latency")[:2] == ("True", "TargetFound")
    # status is no declaration
    assert api.get("teams/default/slos/latency")["metadata"] == before
