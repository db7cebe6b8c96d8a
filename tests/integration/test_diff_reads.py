"""`lamp diff` on a changed quickstart, as a person reads it: a golden file, made from a real plan of a real cluster."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.core.domain.access import Role
from controlplane.cli.review import Line, of_item
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.people import api_of, json_of, person
from tests.support.pools import cluster_document, condition, declare, drain, want

pytestmark = pytest.mark.django_db(transaction=True)
GOLDEN = Path(__file__).parent / "golden" / "quickstart-diff.txt"
QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster() as running:
        yield running


def quickstart() -> dict[str, dict[str, Any]]:
    documents = [yaml.safe_load(path.read_text()) for path in sorted(QUICKSTART.glob("*.yaml"))]
    return {document["kind"]: document for document in documents}


def changed() -> list[dict[str, Any]]:
    """What a person may change of it on one day: the secret of the weights, arguments, replicas, a tier, the SLO."""
    found = quickstart()
    found["Model"]["spec"]["tokenSecret"] = {"name": "hf-token-of-research", "key": "token"}
    pool = found["Pool"]["spec"]
    pool["engine"]["args"] = ["--max-model-len=32768", "--max-num-seqs=8"]
    pool["engine"]["env"] = {"VLLM_LOGGING_LEVEL": "DEBUG"}
    pool["variants"][0]["replicas"] = {"min": 3, "max": 6}
    pool["variants"][0]["resources"]["memory"] = "96Gi"
    pool["offload"] = {"mode": "fixed", "tiers": [{"kind": "host", "bytes": "32Gi"}]}
    pool["rollout"] |= {"maxSurge": 2, "drainDelay": "5s"}
    pool["policies"] = {"drift": "report"}
    found["SLO"]["spec"]["objectives"][0] |= {"threshold": "800ms", "fraction": "99%"}
    return list(found.values())


def text_of(lines: list[Line]) -> str:
    text = "\n".join(line.text for line in lines) + "\n"
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID", text)
    return re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)


def test_a_changed_quickstart_reads_like_a_code_review(cluster: EmbeddedCluster) -> None:
    api = api_of(person("ada", default=Role.EDITOR))
    declare(cluster_document(str(cluster.kubeconfig)))
    declare(*quickstart().values())
    want(2)
    drain()
    assert condition("chat", "Synced")["status"] == "True"
    for _ in range(2):
        unchanged = json_of(api.send("POST", "plan", list(quickstart().values())))["items"]
        assert [item["action"] for item in unchanged] == ["unchanged"] * 3
        assert [item["plan"]["summary"]["empty"] for item in unchanged if item["plan"]] == [True], "no noise"

    items = json_of(api.send("POST", "plan?dry_run=true", changed()))["items"]
    text = "\n".join(text_of(list(of_item(item))) for item in items)
    if os.environ.get("LAMPLIGHT_UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()

    # what it says of the Deployment is what becomes of it
    assert api.send("POST", "apply", changed()).status_code == 200
    drain()
    after = cluster.objects("serving")["Deployment/chat-h200"]["spec"]
    assert after["strategy"]["rollingUpdate"] == {"maxSurge": 2, "maxUnavailable": 0}
    assert after["replicas"] == 3
    env = {one["name"]: one for one in after["template"]["spec"]["containers"][0]["env"]}
    assert env["HF_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": "hf-token-of-research", "key": "token"}
    assert json_of(api.send("POST", "teams/default/pools/chat/plan"))["summary"]["empty"]
