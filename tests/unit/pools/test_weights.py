"""Weights on a pool's volume: what their Job says, failures in sentences, and the script that the Job runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import apps.embedded.kubelet.container as kubelet
from apps.catalog.domain.dialects import dialect
from apps.pools.domain.paths import render
from apps.pools.domain.plan import plan
from apps.pools.domain.pods import Replica, read_pod
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.weights import fetched_of, job_of, left_behind, waiting, weights_of
from tests.unit.pools.paths import inputs_for, model_of, path_document
from tests.unit.pools.rendering import POOL

FAILED = {
    "type": "Failed",
    "status": "True",
    "reason": "BackoffLimitExceeded",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


def objects(token: tuple[str, str] | None = None, path: str = "optimized-baseline") -> list[dict[str, Any]]:
    spec = PoolSpec.from_document(path_document(path, modelCache={"size": "40Gi"}))
    return list(render(POOL, spec, replace(model_of(spec), token=token), inputs_for(spec), dialect("current")))


def fetch(tmp_path: Path, *words: str, **env: str) -> list[str]:
    """Run the Job's own script against the embedded cluster's hub; its lines."""
    script = job_of(objects())["spec"]["template"]["spec"]["containers"][0]["command"][2]  # type: ignore[index]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], check=False, text=True, timeout=30, stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(kubelet.HUB), "HF_HOME": str(tmp_path), **env},
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout.splitlines()


def state(
    status: dict[str, Any] | None,
    lines: list[str] = [],  # noqa: B006
    pods: list[Replica] = [],  # noqa: B006
    token: tuple[str, str] | None = None,
    **known: str,
) -> Any:
    wanted = job_of(objects(token))
    live = {**wanted, "status": status} if status is not None and wanted is not None else None
    return weights_of(wanted, live, pods, lines, known)


def test_new_replicas_wait_and_those_that_run_go_on() -> None:
    rendered = objects()
    first = plan(rendered, [])
    held = waiting(first)
    assert {w.manifest["metadata"]["name"] for w in first.writes} - {
        w.manifest["metadata"]["name"] for w in held.writes if w.manifest["kind"] == "Deployment"
    } >= {"chat-h200"}
    assert "Job" in {w.manifest["kind"] for w in held.writes}
    assert not any(
        w.manifest["kind"] == "Deployment" and "chat-h200" in w.manifest["metadata"]["name"] for w in held.writes
    )


def test_engines_read_what_was_fetched_and_nothing_else() -> None:
    engine = next(o for o in objects() if o["kind"] == "Deployment" and o["metadata"]["name"] == "chat-h200")
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in engine["spec"]["template"]["spec"]["containers"][0]["env"]


def test_a_fetch_tells_its_commit_and_is_ready(tmp_path: Path) -> None:
    lines = fetch(tmp_path, "main", "org/model", "org/adapter")
    told = fetched_of(lines)
    assert told is not None and len(told.commit) == 40 and told.files == 4
    found = state({"conditions": [{"type": "Complete", "status": "True"}]}, lines)
    assert (found.ready, found.reason, found.commit) == (True, "Fetched", told.commit)
    assert told.commit in found.message
    # the log is gone by then: what was known stays
    again = state({"conditions": [{"type": "Complete", "status": "True"}]}, [], job=found.job, commit=found.commit)
    assert again.commit == told.commit


@pytest.mark.parametrize(
    ("words", "reason", "said"),
    [
        (("main", "gated/llama"), "HubRefused", "Secret llm-d-hf-token, key HF_TOKEN, of namespace serving"),
        (("main", "huge/model"), "VolumeFull", "raise modelCache.size"),
        (("main", "broken/model"), "DigestMismatch", "model.safetensors is"),
        (("missing", "org/model"), "RevisionMissing", "correct revision of the Model"),
        (("main", "missing/model"), "RepositoryMissing", "correct source of the Model"),
    ],
)
def test_a_fetch_that_fails_says_why(tmp_path: Path, words: tuple[str, ...], reason: str, said: str) -> None:
    lines = fetch(tmp_path, *words)
    found = state({"failed": 5, "conditions": [FAILED]}, lines)
    assert (found.ready, found.reason) == (False, reason)
    assert said in found.message
    assert found.failed_at is not None
    trying = state({"failed": 1}, lines)
    assert trying.reason == "Fetching" and "attempt 2" in trying.message and said in trying.message


def snapshots(home: Path) -> set[str]:
    return {folder.name for folder in home.glob("hub/models--*/snapshots/*")}


def commit_of(lines: list[str]) -> str:
    told = fetched_of(lines)
    assert told is not None, lines
    return told.commit


def test_older_fetches_make_room_when_the_newest_is_there(tmp_path: Path) -> None:
    pool = {"LAMPLIGHT_POOL": "chat", "LAMPLIGHT_KEEP": "2"}
    theirs = commit_of(fetch(tmp_path, "theirs", "org/model"))
    first, second = (commit_of(fetch(tmp_path, name, "org/model", **pool)) for name in ("first", "second"))
    assert snapshots(tmp_path) == {theirs, first, second}
    lines = fetch(tmp_path, "third", "org/model", **pool)
    third = commit_of(lines)
    # who did not fetch through a ledger is left alone
    assert snapshots(tmp_path) == {theirs, second, third}
    told = fetched_of(lines)
    assert told is not None and told.evicted > 60_000
    assert (
        "of older fetches were removed"
        in state({"conditions": [{"type": "Complete", "status": "True"}]}, lines).message
    )
    # a roll-back finds what it wants and makes it the newest again
    assert commit_of(fetch(tmp_path, "second", "org/model", **pool)) == second
    fetch(tmp_path, "fourth", "org/model", **pool)
    assert second in snapshots(tmp_path) and third not in snapshots(tmp_path)
    # every link of what is left leads somewhere
    assert all(link.exists() for link in tmp_path.glob("hub/models--*/snapshots/*/*"))


def test_what_another_pool_of_the_claim_keeps_stays(tmp_path: Path) -> None:
    shared = commit_of(fetch(tmp_path, "shared", "org/model", LAMPLIGHT_POOL="search", LAMPLIGHT_KEEP="2"))
    for name in ("shared", "second", "third", "fourth"):
        fetch(tmp_path, name, "org/model", "org/adapter", LAMPLIGHT_POOL="chat", LAMPLIGHT_KEEP="2")
    assert shared in snapshots(tmp_path)
    adapter = commit_of(fetch(tmp_path, "main", "org/adapter"))
    assert adapter in snapshots(tmp_path), "what the newest fetches have in common stays too"


def test_a_ledger_that_cannot_be_read_evicts_nothing(tmp_path: Path) -> None:
    (tmp_path / "lamplight").mkdir()
    (tmp_path / "lamplight" / "chat.json").write_text("not json")
    for name in ("first", "second"):
        fetch(tmp_path, name, "org/model", LAMPLIGHT_POOL="chat", LAMPLIGHT_KEEP="2")
    assert len(snapshots(tmp_path)) == 2


def test_the_job_is_told_how_many_fetches_stay() -> None:
    spec = PoolSpec.from_document(path_document("optimized-baseline", modelCache={"claim": "weights", "keep": 3}))
    job = job_of(render(POOL, spec, model_of(spec), inputs_for(spec), dialect("current")))
    assert job is not None
    env = {row["name"]: row.get("value") for row in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert (env["LAMPLIGHT_POOL"], env["LAMPLIGHT_KEEP"]) == (POOL.uid, "3")
    usual = job_of(objects())
    assert usual is not None
    assert "LAMPLIGHT_KEEP" not in str(usual["spec"]["template"]["spec"]["containers"][0]["env"])


def test_a_token_opens_what_is_gated(tmp_path: Path) -> None:
    assert fetched_of(fetch(tmp_path, "main", "gated/llama", HF_TOKEN="hf_x")) is not None


def test_damage_is_taken_away_so_that_the_next_attempt_fetches_it(tmp_path: Path) -> None:
    fetch(tmp_path, "main", "broken/model")
    assert not [p for p in tmp_path.rglob("blobs/*") if len(p.name) == 64]


def test_what_is_not_there_yet_says_what_it_waits_for() -> None:
    assert state(None).reason == "FetchStarting"
    pending = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                               "message": "pod has unbound immediate PersistentVolumeClaims"}]}  # fmt: skip
    pod = read_pod({"metadata": {"name": "chat-weights-1-x"}, "status": pending})
    found = state({"active": 1}, [], [pod])
    assert (found.reason, "unbound immediate" in found.message) == ("FetchWaits", True)
    late = state({"conditions": [{**FAILED, "reason": "DeadlineExceeded", "message": "Job was active too long"}]})
    assert late.reason == "FetchTooSlow"
    assert state({"conditions": [FAILED]}, ["boom"]).message.endswith('it last said: "boom"')


def test_a_pool_without_a_cache_has_nothing_to_wait_for() -> None:
    found = weights_of(None, None, [], [], {})
    assert (found.ready, found.holds) == (None, False)


def test_the_declared_secret_is_whose_token_everything_takes(tmp_path: Path) -> None:
    """Engines, the Job and the picker's tokenizer; and what a refusal names. Without one, llm-d's, if it is there."""

    def references(rendered: list[dict[str, Any]]) -> list[dict[str, Any]]:
        text = json.dumps(rendered)
        return [json.loads(found) for found in re.findall(r'"secretKeyRef": (\{[^}]*\})', text)]

    declared = references(objects(("team-a-hub", "token"), "precise-prefix-cache"))
    assert len(declared) >= 3
    assert all(row == {"name": "team-a-hub", "key": "token"} for row in declared)
    assert {json.dumps(row) for row in references(objects())} == {
        json.dumps({"name": "llm-d-hf-token", "key": "HF_TOKEN", "optional": True})
    }
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    found = state(failed, fetch(tmp_path, "main", "gated/llama"), token=("team-a-hub", "token"))
    assert "Secret team-a-hub, key token, of namespace serving" in found.message


@pytest.mark.parametrize(
    ("cache", "said"),
    [
        (None, ""),
        ({"size": "40Gi"}, ""),
        ({"claim": "weights"}, "; the weights that it fetched stay on claim weights of namespace serving"),
        (
            {"claim": "weights", "keep": 2},
            "; the weights that it fetched stay on claim weights of namespace serving, and its ledger keeps them from "
            "eviction: remove lamplight/u-1.json there",
        ),
    ],
    ids=["no volume", "a volume that goes with it", "another's volume", "a ledger on it"],
)
def test_what_a_deleted_pool_leaves_on_somebody_elses_volume_is_said(cache: dict[str, Any] | None, said: str) -> None:
    more = {} if cache is None else {"modelCache": cache}
    assert left_behind(PoolSpec.from_document(path_document("optimized-baseline", **more)), "u-1") == said
