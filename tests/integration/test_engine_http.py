"""The engine simulator through a real HTTP client."""

from __future__ import annotations

import itertools
import json
import math
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from apps.catalog.domain.vllm import ParsedArgs, parse_args
from apps.embedded.engine.domain.settings import settings_from
from apps.embedded.engine.hardware import timing
from apps.physics import Engine, Request
from apps.physics.catalogue import frontend
from apps.physics.virtual import play
from tests.support.engines import MODEL, EngineProcess, run_engine
from tests.support.wait import wait_until

WORDS = "one two three four five six seven eight nine ten"
JSON = {"Content-Type": "application/json"}
HTTP_1_0 = b"POST /v1/completions HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with run_engine(
        tmp_path_factory.mktemp("engine"),
        "--served-model-name", "llama", "also-llama", "--max-model-len=4096", "--enable-prompt-tokens-details",
    ) as running:  # fmt: skip
        yield running


def events(response: requests.Response) -> list[dict[str, Any] | str]:
    """The data of each server-sent event, parsed where it is JSON."""
    lines = [line.removeprefix(b"data: ") for line in response.iter_lines() if line]
    return [line.decode() if line == b"[DONE]" else json.loads(line) for line in lines]


def completion(engine: EngineProcess, **body: Any) -> dict[str, Any]:
    response = engine.post("/v1/completions", {"prompt": WORDS, "max_tokens": 5, "ignore_eos": True, **body})
    assert response.status_code == 200, response.text
    return response.json()  # type: ignore[no-any-return]


def test_completion(engine: EngineProcess) -> None:
    answer = completion(engine)
    assert answer["object"] == "text_completion"
    assert answer["model"] == "llama"
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "length"
    assert len(choice["text"].split()) == 5
    assert {name: answer["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")} == {
        "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
    }  # fmt: skip
    assert completion(engine)["choices"][0]["text"] == choice["text"]


def test_streamed_completion_is_the_same_text(engine: EngineProcess) -> None:
    whole = completion(engine, max_tokens=12)["choices"][0]["text"]
    body = {"prompt": WORDS, "max_tokens": 12, "ignore_eos": True, "stream": True}
    response = engine.post("/v1/completions", body, stream=True)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    *chunks, done = events(response)
    assert done == "[DONE]"
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 11 + ["length"]
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_streamed_chat_with_usage(engine: EngineProcess) -> None:
    body = {
        "model": "also-llama", "messages": [{"role": "user", "content": WORDS}], "max_tokens": 6, "ignore_eos": True,
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    first, *chunks, usage, done = events(engine.post("/v1/chat/completions", body, stream=True))
    assert first["object"] == "chat.completion.chunk"
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    text = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert len(text.split()) == 6
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 6
    assert done == "[DONE]"
    whole = engine.post("/v1/chat/completions", {**body, "stream": False, "stream_options": None}).json()
    assert whole["choices"][0]["message"]["content"] == text
    assert whole["model"] == "also-llama"


def test_several_prompts_and_choices(engine: EngineProcess) -> None:
    answer = completion(engine, prompt=["a b c", "d e"], n=2)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert answer["usage"]["prompt_tokens"] == 5
    assert answer["usage"]["completion_tokens"] == 20


def test_token_ids_are_prompts_too(engine: EngineProcess) -> None:
    assert completion(engine, prompt=list(range(1000, 1100)))["usage"]["prompt_tokens"] == 100


def test_the_model_ends_by_itself_and_at_stop_words(engine: EngineProcess) -> None:
    free = completion(engine, ignore_eos=False, max_tokens=1000)
    assert free["choices"][0]["finish_reason"] == "stop"
    assert 32 <= free["usage"]["completion_tokens"] <= 256
    word = free["choices"][0]["text"].split()[3]
    stopped = completion(engine, max_tokens=100, stop=[" " + word])
    assert stopped["choices"][0]["finish_reason"] == "stop"
    assert stopped["usage"]["completion_tokens"] <= 4


def test_a_repeated_prefix_is_cached_in_whole_blocks(engine: EngineProcess) -> None:
    prompt = list(range(5000, 5100))
    assert completion(engine, prompt=prompt)["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert completion(engine, prompt=prompt)["usage"]["prompt_tokens_details"]["cached_tokens"] == 96
    longer = completion(engine, prompt=[*prompt[:50], *range(9000, 9050)])
    assert longer["usage"]["prompt_tokens_details"]["cached_tokens"] == 48
    salted = completion(engine, prompt=prompt, cache_salt="tenant")
    assert salted["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


def test_the_next_turn_of_a_conversation_finds_the_answer_too(engine: EngineProcess) -> None:
    question = {"role": "user", "content": "tell me more about " + WORDS * 4}
    body: dict[str, Any] = {"messages": [question], "max_tokens": 64, "ignore_eos": True}
    first = engine.post("/v1/chat/completions", body).json()
    answer = first["choices"][0]["message"]
    turn = [question, {"role": "assistant", "content": answer["content"]}, {"role": "user", "content": "and then"}]
    second = engine.post("/v1/chat/completions", {**body, "messages": turn}).json()
    cached = second["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert cached >= first["usage"]["prompt_tokens"] + 32


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "sentence"),
    [
        ("/v1/completions", {"model": "gpt", "prompt": "a"}, 404, "NotFoundError", "The model `gpt` does not exist."),
        (
            "/v1/completions", {"prompt": list(range(4097))}, 400, "BadRequestError",
            "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input "
            "tokens, which exceeds this limit even without any output tokens.",
        ),
        ("/v1/chat/completions", {"messages": []}, 400, "BadRequestError", "empty conversation"),
        ("/v1/chat/completions", {}, 400, "Bad Request", "Field required"),
        ("/v1/completions", {}, 400, "BadRequestError", "Either prompt or prompt_embeds must be provided"),
        ("/v1/completions", {"prompt": [[1, "x"]]}, 400, "Bad Request", "prompt"),
        ("/v1/completions", {"prompt": [200_000]}, 400, "BadRequestError", "Token id 200000 is out of vocabulary"),
        ("/v1/completions", {"prompt": "a", "max_tokens": "x"}, 400, "Bad Request", "valid integer"),
        ("/v1/completions", {"prompt": "a", "max_tokens": 0}, 400, "BadRequestError", "must be at least 1, got 0."),
        ("/v1/completions", {"prompt": ["", "a"]}, 400, "BadRequestError", "The decoder prompt cannot be empty"),
        ("/v1/completions", {"prompt": "a", "n": 0}, 400, "BadRequestError", "n must be at least 1, got 0."),
        ("/v1/completions", {"prompt": "a", "n": 100_000}, 400, "BadRequestError", "n must be at most 16384, got"),
        ("/v1/completions", {"prompt": "a", "logprobs": 3}, 400, "BadRequestError", "no log probabilities"),
        (
            "/v1/completions", {"prompt": "a", "stream_options": {"include_usage": True}}, 400, "BadRequestError",
            "Stream options can only be defined when `stream=True`.",
        ),
    ],
)  # fmt: skip
def test_refusals(
    engine: EngineProcess, path: str, body: dict[str, Any], status: int, kind: str, sentence: str
) -> None:
    response = engine.post(path, body)
    assert response.status_code == status
    error = response.json()["error"]
    assert error["code"] == status
    assert error["type"] == kind
    assert sentence in error["message"]


def test_not_json_and_not_found(engine: EngineProcess) -> None:
    response = requests.post(engine.url + "/v1/completions", data="{x", headers=JSON, timeout=30)
    assert response.status_code == 400
    assert "'loc': 'body.1', 'msg': 'JSON decode error'" in response.json()["error"]["message"]
    response = requests.post(engine.url + "/v1/completions", data="{}", timeout=30)
    assert response.status_code == 400
    assert "Only 'application/json' is allowed" in response.json()["error"]["message"]
    assert engine.get("/v1/nothing").json() == {"detail": "Not Found"}
    assert engine.get("/v1/completions").status_code == 405


def test_small_routes(engine: EngineProcess) -> None:
    models = engine.get("/v1/models").json()["data"]
    assert [(model["id"], model["root"], model["max_model_len"]) for model in models] == [
        ("llama", MODEL, 4096), ("also-llama", MODEL, 4096),
    ]  # fmt: skip
    assert engine.get("/version").json() == {"version": "0.33.0"}
    assert engine.get("/load").json() == {"server_load": 0}
    assert engine.get("/ping").status_code == 200
    assert engine.post("/tokenize", {"prompt": WORDS}).json()["count"] == 10


def test_many_streams_at_once(engine: EngineProcess) -> None:
    def ask(number: int) -> int:
        body = {"prompt": [1000 + number] * 200, "max_tokens": 40, "ignore_eos": True, "stream": True}
        return sum(isinstance(event, dict) for event in events(engine.post("/v1/completions", body, stream=True)))

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(ask, range(64))) == [40] * 64


def test_a_client_that_leaves_aborts_its_request(engine: EngineProcess) -> None:
    before = engine.metric("vllm:request_success_total", finished_reason="abort")
    body = {"prompt": WORDS, "max_tokens": 4000, "ignore_eos": True, "stream": True}
    response = engine.post("/v1/completions", body, stream=True)
    lines = response.iter_lines()
    next(lines)
    assert engine.metric("vllm:num_requests_running") == 1
    response.close()
    wait_until(lambda: engine.metric("vllm:num_requests_running") == 0, message="the request is aborted")
    assert engine.metric("vllm:request_success_total", finished_reason="abort") == before + 1


def test_api_key_guards_v1_only(tmp_path: Path) -> None:
    with run_engine(tmp_path, "--api-key", "secret", "other", "--max-model-len=4096") as engine:
        assert engine.get("/v1/models").status_code == 401
        assert engine.get("/v1/models", headers={"Authorization": "Bearer wrong"}).status_code == 401
        for key in ("secret", "other"):
            assert engine.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        for path in ("/health", "/metrics", "/version", "/load", "/ping"):
            assert engine.get(path).status_code == 200, path


def long_stream(engine: EngineProcess, number: int, prompt: int) -> requests.Response:
    """A stream that goes on until it is closed."""
    body = {"prompt": [1000 + number] * prompt, "max_tokens": 3900, "ignore_eos": True, "stream": True}
    return engine.post("/v1/completions", body, stream=True)


def test_queue_limit(tmp_path: Path) -> None:
    with run_engine(tmp_path, "--max-num-queued-reqs=4", "--max-model-len=4096") as engine, ExitStack() as streams:
        statuses = [streams.enter_context(long_stream(engine, number, 50)).status_code for number in range(10)]
        assert statuses == [200] * 4 + [503] * 6
        assert engine.metric("vllm:admission_rejections_total", reason="max_num_queued_reqs") == 6


def test_queue_limit_in_tokens(tmp_path: Path) -> None:
    with run_engine(tmp_path, "--max-num-queued-tokens=250", "--max-model-len=4096") as engine, ExitStack() as streams:
        statuses = [streams.enter_context(long_stream(engine, number, 100)).status_code for number in range(5)]
        assert statuses == [200] * 2 + [503] * 3
        assert engine.metric("vllm:admission_rejections_total", reason="max_num_queued_tokens") == 3


def test_what_is_not_simulated_is_said(tmp_path: Path) -> None:
    flags = [
        '--kv-transfer-config={"kv_connector":"MooncakeConnector","kv_role":"kv_both"}',
        "--data-parallel-size=2",
        "--max-model-len=512",
    ]
    with run_engine(tmp_path, *flags, "--enable-force-include-usage") as engine:
        log = engine.log.read_text()
        for name in ("MooncakeConnector of --kv-transfer-config", "--data-parallel-size"):
            assert f"{name} is accepted but not simulated yet" in log
        body = {"prompt": WORDS, "max_tokens": 3, "ignore_eos": True, "stream": True}
        *chunks, _ = events(engine.post("/v1/completions", body, stream=True))
        assert [chunk["usage"]["completion_tokens"] for chunk in chunks] == [1, 2, 3, 3]  # type: ignore[index]


def test_not_listening_before_the_model_is_loaded(tmp_path: Path) -> None:
    begun = time.monotonic()
    with run_engine(tmp_path, environment={"LAMPLIGHT_ENGINE_STARTUP": "2", "LAMPLIGHT_TIME_SCALE": "10"}):
        assert time.monotonic() - begun >= 2.0
    begun = time.monotonic()
    with run_engine(tmp_path, environment={"LAMPLIGHT_ENGINE_STARTUP": "calibrated", "LAMPLIGHT_TIME_SCALE": "40"}):
        assert time.monotonic() - begun >= 94 / 40


def test_equal_request_ids_are_two_requests(engine: EngineProcess) -> None:
    def ask(_: int) -> dict[str, Any]:
        headers = {"X-Request-Id": "mine"}
        return engine.post("/v1/completions", {"prompt": WORDS, "max_tokens": 50}, headers=headers).json()  # type: ignore[no-any-return]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))
    assert {answer["id"] for answer in answers} == {"cmpl-mine"}
    assert len({answer["choices"][0]["text"] for answer in answers}) == 1


def test_http_1_0_clients_get_an_unframed_stream(engine: EngineProcess) -> None:
    host, port = engine.url.removeprefix("http://").split(":")
    body = json.dumps({"prompt": WORDS, "max_tokens": 3, "ignore_eos": True, "stream": True}).encode()
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(HTTP_1_0 % (len(body), body))
        raw = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, content = raw.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    lines = [line for line in content.split(b"\n") if line]
    assert len(lines) == 4
    assert lines[0].startswith(b"data: {")
    assert lines[-1] == b"data: [DONE]"


def test_a_body_too_large(engine: EngineProcess) -> None:
    response = requests.post(engine.url + "/v1/completions", data=b" " * (33 * 2**20), headers=JSON, timeout=30)
    assert response.status_code == 413
    assert "larger than" in response.json()["error"]["message"]


def test_more_than_the_cache_holds_is_preempted_and_still_answered(tmp_path: Path) -> None:
    with run_engine(tmp_path, "--max-model-len=512", "--num-gpu-blocks-override=80") as engine:

        def ask(number: int) -> int:
            body = {"prompt": [1000 + number] * 100, "max_tokens": 300, "ignore_eos": True}
            return engine.post("/v1/completions", body).json()["usage"]["completion_tokens"]  # type: ignore[no-any-return]

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(8))) == [300] * 8
        assert engine.metric("vllm:num_preemptions_total") > 0
        assert engine.metric("vllm:kv_cache_usage_perc") == 0


def test_a_single_request_takes_the_time_that_physics_says(tmp_path: Path) -> None:
    """What the engine's own metrics say in real time is what the same model says in virtual time.

    Five times slower than real, so that late timers weigh little; and since a busy machine can be late and never early,
    the time is that of the quickest of several requests, as many as it takes.
    """
    flags, scale = ["--max-model-len=8192"], 0.2
    parsed = parse_args("0.33", [MODEL, *flags])
    assert isinstance(parsed, ParsedArgs)
    settings = settings_from(parsed, {})
    model = play(Engine(settings.engine, timing(settings).step_time), frontend(), [Request("only", 0.0, 4000, (), 31)])[
        0
    ]
    assert model.tpot is not None
    wanted = (model.ttft - frontend().latency, model.tpot)
    names = ("vllm:time_to_first_token_seconds_sum", "vllm:request_time_per_output_token_seconds_sum")
    best = [math.inf, math.inf]
    numbers = itertools.count(1)
    with run_engine(tmp_path, *flags, environment={"LAMPLIGHT_TIME_SCALE": str(scale)}) as engine:

        def as_the_model_says() -> bool:
            before = [engine.metric(name) for name in names]
            prompt = [next(numbers), *range(1001, 5000)]
            engine.post("/v1/completions", {"prompt": prompt, "max_tokens": 31, "ignore_eos": True})
            took = [(engine.metric(name) - was) * scale for name, was in zip(names, before, strict=True)]
            assert all(one >= 0.98 * least for one, least in zip(took, wanted, strict=True)), "it is never early"
            best[:] = map(min, best, took)
            return best[0] <= 1.1 * wanted[0] and best[1] <= 1.02 * wanted[1]

        if not as_the_model_says():
            wait_until(as_the_model_says, message=f"{wanted} s, and the best was {best}")
