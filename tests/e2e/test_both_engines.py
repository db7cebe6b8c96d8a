"""Pods of the embedded cluster that run the simulated engine or, where VLLM_PYTHON names one, a real vLLM: the same
pools, declared by the same documents, asked the same through the gateway."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.draining import SERVED_BY, deleted_replica_drains
from tests.support.kv_events import subscribe
from tests.support.stack import PROJECT, RunningStack, run_stack
from tests.support.wait import wait_until
from tests.vllm import scenario
from tests.vllm.conftest import ENGINES, write_tiny
from tests.vllm.recorded import hold, recorded

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]
EXAMPLES = PROJECT / "examples"
# a real engine is ready in half a minute, on a busy machine in several
START_SECONDS = {"simulated": 90.0, "real": 600.0}
CACHED = "vllm:prompt_tokens_cached_by_source_total"


@dataclass
class Pods:
    """What a person and a scraper reach: pools by their gateway, engines by their pods."""

    kind: str
    stack: RunningStack

    def gateway(self, pool: str) -> str:
        return str(self.stack.pool(pool)["status"]["endpoint"])

    def engines(self, pool: str) -> dict[str, str]:
        """Address by the name of each engine's pod that is not about to go."""
        labels = f"lamplight.dev/pool={pool},app.kubernetes.io/component=engine"
        found = json.loads(self.stack.kubectl("-n", "serving", "get", "pods", "-l", labels, "-o", "json").stdout)
        return {
            pod["metadata"]["name"]: f"http://{pod['status']['podIP']}:8000"
            for pod in found["items"]
            if not pod["metadata"].get("deletionTimestamp")
        }

    def engine(self, pool: str) -> str:
        [address] = self.engines(pool).values()
        return address

    def self_tested(self, pool: str) -> None:
        """Returns when the self-test after the roll-out is over, which has requests of its own."""
        self.stack.lamp("wait", "--for=condition=Verified", f"pool/{pool}", "--timeout", "120s", timeout=150)

    def ask(self, pool: str, prompt: object, **more: Any) -> requests.Response:
        body = {"model": "tiny", "prompt": prompt, "max_tokens": 3, "ignore_eos": True, "temperature": 0, **more}
        return requests.post(f"{self.gateway(pool)}/v1/completions", json=body, timeout=120)

    def families(self, topic: str, url: str) -> None:
        """Families of vLLM's own with the names of their labels: as a real one has them in such a pod."""
        found = scenario.page(url)["families"]
        hold(self.kind, topic, {name: said for name, said in found.items() if name.startswith("vllm:")})


@pytest.fixture(scope="module", params=ENGINES)
def pods(request: pytest.FixtureRequest) -> Iterator[Pods]:
    kind = request.param
    real = kind == "real"
    with run_stack(engine="vllm" if real else "sim", healthy=False) as stack:
        if not real:
            write_tiny(stack.data / "kubelet" / "shared" / "claims" / "serving" / "tiny-model")
            stack.lamp("apply", "-f", str(EXAMPLES / "real-engine"))
        stack.lamp("apply", "-f", str(EXAMPLES / "real-engine-further"))
        patience = START_SECONDS[kind]
        stack.wait_healthy("tiny", timeout=patience, ready=2)
        stack.wait_healthy("tiny-tiers", timeout=patience, ready=1)
        yield Pods(kind, stack)


def numbers(seed: int, count: int) -> list[int]:
    """Token ids that no other prompt begins with."""
    return [10 + (seed * 7 + place * (seed + 3)) % 900 for place in range(count)]


def test_a_prefix_is_found_where_it_was_computed(pods: Pods) -> None:
    pods.self_tested("tiny")
    engines = pods.engines("tiny").values()
    hits = lambda: sum(value for url in engines for _, value in scenario.series(url, "vllm:prefix_cache_hits_total"))  # noqa: E731
    before, served = hits(), {}
    for seed in range(20, 24):
        answer = pods.ask("tiny", numbers(seed, 300))
        assert answer.status_code == 200, answer.text
        served[seed] = answer.headers[SERVED_BY]
    # the second time each goes where its blocks are: to which the picker is led by the engines' KV events
    for seed, where in served.items():
        assert pods.ask("tiny", numbers(seed, 300)).headers[SERVED_BY] == where
    wait_until(lambda: hits() - before == 4 * 288, message="nine blocks of each prompt are hits")
    verified = pods.stack.lamp("verify", "pool", "tiny").stdout
    assert "adapter formal" in verified
    assert "failed" not in verified


def test_engines_tell_what_they_keep(pods: Pods) -> None:
    prompt = numbers(30, 70)
    with ExitStack() as open_:
        heard = [
            open_.enter_context(subscribe(url.replace("http:", "tcp:").replace(":8000", ":5557")))
            for url in pods.engines("tiny").values()
        ]
        assert pods.ask("tiny", prompt).status_code == 200
        wait_until(lambda: any(each.events for each in heard), message="an engine publishes")
        [batches] = [each.batches for each in heard if each.batches]
    stored = next(event for _, _, batch in batches for event in batch[1] if event["type"] == "BlockStored")
    assert stored["token_ids"] == prompt[:64]
    assert stored["block_size"] == 32
    known = next(event for event in recorded("events")["events"] if event["type"] == "BlockStored")
    assert sorted(stored) == sorted(known)
    assert {topic.count("@") for topic, _, _ in batches} == {2}


def test_adapters_are_served_by_the_name_in_the_body(pods: Pods) -> None:
    prompt, engines = numbers(40, 100), list(pods.engines("tiny").values())
    assert pods.ask("tiny", prompt, model="formal").json()["model"] == "formal"
    listed = requests.get(f"{pods.gateway('tiny')}/v1/models", timeout=30).json()["data"]
    assert {each["id"]: each["parent"] for each in listed} == {"tiny": None, "formal": "tiny"}
    unknown = pods.ask("tiny", prompt, model="brief")
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "NotFoundError")
    # processes share this machine's folders: where a claim lies in them the engine itself says
    root = Path(next(each["root"] for each in listed if each["id"] == "formal")).parent
    load = {"lora_name": "brief", "lora_path": str(root / "brief")}
    for url in engines:
        answer = scenario.reply(url, "POST", scenario.LOAD, load)
        assert answer == [200, "Success: LoRA adapter 'brief' added successfully."]
    answer = pods.ask("tiny", prompt, model="brief")
    assert answer.json()["model"] == "brief"
    # of two adapters and their model none has a prefix of the others
    assert answer.json()["usage"]["prompt_tokens"] == 100
    seen = {labels["running_lora_adapters"] for url in engines for labels, _ in _adapters(url)}
    assert {"formal", "brief"} <= seen
    pods.families("page of a pod", answer.headers[SERVED_BY].join(("http://", "")))
    for url in engines:
        answer = scenario.reply(url, "POST", scenario.UNLOAD, {"lora_name": "brief"})
        assert answer == [200, "Success: LoRA adapter 'brief' removed successfully."]
    assert pods.ask("tiny", prompt, model="brief").json() == unknown.json()


def _adapters(url: str) -> list[tuple[dict[str, str], float]]:
    return scenario.series(url, "vllm:lora_requests_info")


def test_blocks_come_back_from_host_and_volume(pods: Pods) -> None:
    pods.self_tested("tiny-tiers")
    url = pods.engine("tiny-tiers")

    def gained(seed: int) -> dict[str, int]:
        """Tokens by the tier that they came from, once the engine has counted the request."""
        before, asked = _cached(url), _total(url, "vllm:prompt_tokens_total")
        assert pods.ask("tiny-tiers", numbers(seed, 520)).status_code == 200
        wait_until(lambda: _total(url, "vllm:prompt_tokens_total") - asked >= 520, message="the prompt is counted")
        return dict(_cached(url) - before)

    # 520 tokens are 17 blocks: the device keeps five of these prompts, the host eight
    assert [gained(seed) for seed in range(10)] == [{}] * 10
    assert {"host": gained(3), "disk": gained(0), "device": gained(0)} == {
        "host": {"host": 512}, "disk": {"disk": 512}, "device": {"device": 512},
    }  # fmt: skip
    pods.families("page of a pod with tiers", url)


def _cached(url: str) -> Counter[str]:
    return Counter({labels["source"]: int(value) for labels, value in scenario.series(url, CACHED)})


def _total(url: str, name: str) -> float:
    return sum(value for _, value in scenario.series(url, name))


def test_an_idle_engine_sleeps_and_a_request_wakes_it(pods: Pods) -> None:
    wait_until(
        lambda: _state(pods.engine("tiny-standby")) == "weights_offloaded",
        timeout=START_SECONDS[pods.kind], message="the idle engine sleeps", step=0.5,
    )  # fmt: skip
    url = pods.engine("tiny-standby")
    # its endpoints are closed to all but Lamplight, which has the word
    assert scenario.reply(url, "GET", "/is_sleeping")[0] == 403
    assert scenario.reply(url, "POST", "/wake_up")[0] == 403
    assert scenario.reply(url, "GET", "/health")[0] == 200
    assert pods.ask("tiny-standby", numbers(50, 40)).status_code == 200
    assert _state(url) == "awake"
    pods.families("page of a pod that slept", url)


def _state(url: str) -> str:
    states = scenario.series(url, "vllm:engine_sleep_state")
    return next((labels["sleep_state"] for labels, value in states if value == 1), "none")


def test_lamplight_reads_its_pages(pods: Pods) -> None:
    def panel() -> Any:
        assert pods.ask("tiny", numbers(55, 40)).status_code == 200
        return pods.stack.get("/api/v1/teams/default/pools/tiny/panels/ttft?step=10")

    wait_until(lambda: panel()["state"] == "ok", message="the first tokens are in a chart", step=0.5)


def test_a_replica_that_is_deleted_completes_what_it_streams(pods: Pods) -> None:
    delete = lambda name: pods.stack.kubectl("-n", "serving", "delete", "pod", name, "--wait=false")  # noqa: E731
    deleted_replica_drains(pods.gateway("tiny"), pods.engines("tiny"), delete, tokens=1400)
    # the next test finds two replicas again
    pods.stack.wait_healthy("tiny", timeout=START_SECONDS[pods.kind], ready=2)
