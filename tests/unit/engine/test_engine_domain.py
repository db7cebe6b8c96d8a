"""Tokens, block hashes, filler text, requests, buckets and settings of the engine simulator."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.vllm import ParsedArgs, parse_args
from apps.embedded.engine.domain import buckets
from apps.embedded.engine.domain.filler import Filler
from apps.embedded.engine.domain.kv_events import binds, read_events_config
from apps.embedded.engine.domain.refusals import RefusedError
from apps.embedded.engine.domain.requests import read_generation, tokens_to_generate
from apps.embedded.engine.domain.settings import EngineSettings, SettingsError, engine_version, settings_from
from apps.embedded.engine.domain.shapes import accelerator_names, known_shape, shape_from_config
from apps.embedded.engine.domain.tokens import VOCABULARY, block_hashes, chat_prompt, tokenize
from apps.embedded.engine.hardware import timing
from apps.physics import StepLoad

TOKENS = st.lists(st.integers(0, VOCABULARY - 1), max_size=80)


def test_words_are_about_a_token_each() -> None:
    assert len(tokenize("the cat sat on the mat, twice")) == 8
    assert len(tokenize("internationalisation")) == 4
    assert tokenize("<|eot_id|>") == [128_009]


@given(st.text(max_size=60), st.text(max_size=60))
def test_tokenizing_is_stable_and_within_the_vocabulary(one: str, other: str) -> None:
    tokens = tokenize(one)
    assert tokens == tokenize(one)
    assert all(0 <= token < VOCABULARY for token in tokens)
    joined = tokenize(one + " \n" + other)
    # only what touches the seam may be cut differently
    assert joined[: max(len(tokens) - 1, 0)] == tokens[:-1]


@given(TOKENS, TOKENS, st.integers(1, 32))
def test_hashes_agree_exactly_on_the_shared_blocks(shared: list[int], rest: list[int], size: int) -> None:
    one, other = block_hashes([*shared, *rest], size), block_hashes([*shared, *reversed(rest)], size)
    assert len(one) == (len(shared) + len(rest)) // size
    common = len(shared) // size
    assert one[:common] == other[:common]
    for index in range(common, min(len(one), len(other))):
        same = [*shared, *rest][: (index + 1) * size] == [*shared, *reversed(rest)][: (index + 1) * size]
        assert (one[index] == other[index]) == same


def test_hashes_depend_on_seed_salt_and_algorithm() -> None:
    tokens = list(range(64))
    variants = [
        block_hashes(tokens, 16),
        block_hashes(tokens, 16, seed="7"),
        block_hashes(tokens, 16, extra="tenant"),
        block_hashes(tokens, 16, algorithm="xxhash"),
    ]
    assert len({hashes[0] for hashes in variants}) == 4
    assert all(0 <= value < 2**64 for hashes in variants for value in hashes)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50), st.integers(1, 60))
def test_the_answers_tokens_are_the_tokens_of_its_text(prompt: list[int], count: int) -> None:
    filler = Filler(prompt)
    assert tokenize(filler.text(0, count)) == filler.tokens(count)
    assert filler.text(0, count) == filler.text(0, count // 2) + filler.text(count // 2, count)
    assert 32 <= filler.natural_length <= 256


def test_stop_words_end_the_answer() -> None:
    filler = Filler([1, 2, 3])
    fifth = filler.piece(4)
    assert filler.length_until([fifth], 100) in range(1, 6)
    assert filler.length_until(["never said"], 100) is None


def generation(chat: bool = False, **body: Any) -> Any:
    base: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]} if chat else {"prompt": "hi"}
    return read_generation({**base, **body}, chat=chat)


def test_defaults_of_both_apis() -> None:
    assert generation().max_tokens == 16
    assert generation(chat=True).max_tokens is None
    assert generation(chat=True, max_completion_tokens=7, max_tokens=9).max_tokens == 7
    assert generation(n=3).n == 3


def test_chat_contents() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    whole = generation(chat=True, messages=[{"role": "user", "content": parts}])
    assert whole.prompts == (tuple(tokenize(chat_prompt([{"role": "user", "content": "a\nb"}]))),)
    with pytest.raises(RefusedError, match="parts of type text"):
        generation(chat=True, messages=[{"role": "user", "content": [{"type": "image_url"}]}])


def test_context_limit() -> None:
    assert tokens_to_generate(generation(chat=True), 100, 4096) == 3996
    assert tokens_to_generate(generation(max_tokens=96), 4000, 4096) == 96
    # what the context leaves is less than what was asked for
    assert tokens_to_generate(generation(max_tokens=97), 4000, 4096) == 96
    with pytest.raises(RefusedError, match="maximum context length is 4096 tokens"):
        tokens_to_generate(generation(), 5000, 4096)
    with pytest.raises(RefusedError, match=r"max_tokens=5000 cannot be greater than max_model_len=4096"):
        tokens_to_generate(generation(max_tokens=5000), 10, 4096)
    with pytest.raises(RefusedError, match=r"max_tokens must be at least 1, got 0\."):
        tokens_to_generate(generation(), 4096, 4096)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(
        ["prompt", "messages", "max_tokens", "n", "stop", "stream", "stream_options", "min_tokens", "model"]
    ),
    st.booleans(),
)
def test_any_body_is_read_or_refused(value: Any, name: str, chat: bool) -> None:
    try:
        tokens_to_generate(generation(chat=chat, **{name: value}), 10, 4096)
    except RefusedError as refused:
        assert refused.status == 400
        assert refused.message


def test_bucket_bounds() -> None:
    assert buckets.one_two_five(60) == (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
    for bad in ([], {"ttft": [1]}, {"request_latency": []}, {"request_latency": [1, 1]}, {"request_latency": ["1"]},
                {"request_latency": [0, 1]}, {"request_latency": [True, 2]}):  # fmt: skip
        with pytest.raises(ValueError, match="custom_histogram_buckets"):
            buckets.checked(bad)


def settings(*argv: str, model: str = "meta-llama/Llama-3.1-8B-Instruct", **environment: str) -> EngineSettings:
    parsed = parse_args("0.33", [model, *argv])
    assert isinstance(parsed, ParsedArgs), parsed
    return settings_from(parsed, environment)


def test_kv_capacity_follows_from_memory_weights_and_shape() -> None:
    found = settings("--max-model-len=16384")
    per_token = 2 * 32 * 8 * 128 * 2
    # what a real vLLM 0.25.1 had on an H200
    assert found.engine.num_blocks == pytest.approx(57_489, rel=0.001)
    smaller = settings("--max-model-len=16384", "--gpu-memory-utilization=0.5")
    assert smaller.engine.num_blocks < found.engine.num_blocks
    fp8 = settings("--max-model-len=16384", "--kv-cache-dtype=fp8")
    assert fp8.engine.num_blocks == pytest.approx(2 * found.engine.num_blocks, rel=0.001)
    two = settings("--max-model-len=16384", "-tp=2")
    assert two.engine.num_blocks > 2 * found.engine.num_blocks
    assert settings("--kv-cache-memory-bytes=2G", "--max-model-len=1024").engine.num_blocks == 2**31 // per_token // 16


def test_flags_reach_the_engine() -> None:
    found = settings(
        "--max-model-len=2K", "--block-size=32", "--max-num-seqs=7", "--max-num-batched-tokens=2k",
        "--no-enable-prefix-caching", "--max-num-queued-reqs=9", "--num-gpu-blocks-override=500",
        "--served-model-name", "a", "b", "--shutdown-timeout=3", "--stream-interval=4",
        "--disable-access-log-for-endpoints=/health,/metrics",
    )  # fmt: skip
    engine = found.engine
    assert (engine.max_model_len, engine.block_size, engine.num_blocks) == (2048, 32, 500)
    assert (engine.max_num_seqs, engine.max_num_batched_tokens, engine.max_num_queued_reqs) == (7, 2000, 9)
    assert engine.enable_prefix_caching is False
    assert found.served_names == ("a", "b")
    assert (found.shutdown_timeout, found.stream_interval) == (3.0, 4)
    assert found.access_log_skips == {"/health", "/metrics"}


def test_smaller_accelerators_have_smaller_batches() -> None:
    large, small = (
        settings("--max-model-len=1024"),
        settings("--max-model-len=1024", LAMPLIGHT_ACCELERATOR="nvidia-l40s"),
    )
    assert (large.engine.max_num_seqs, large.engine.max_num_batched_tokens) == (1024, 8192)
    assert (small.engine.max_num_seqs, small.engine.max_num_batched_tokens) == (256, 2048)


def test_context_fits_the_cache_when_asked_to() -> None:
    auto = settings("--max-model-len=auto", "--num-gpu-blocks-override=101")
    assert auto.max_model_len == 1600
    with pytest.raises(SettingsError, match="the estimated maximum model length is 1600"):
        settings("--max-model-len=1601", "--num-gpu-blocks-override=101")


@pytest.mark.parametrize(
    ("name", "value"),
    [("LAMPLIGHT_TIME_SCALE", "0"), ("LAMPLIGHT_TIME_SCALE", "fast"), ("LAMPLIGHT_ENGINE_STARTUP", "-1"),
     ("LAMPLIGHT_ENGINE_STARTUP", "soon"), ("LAMPLIGHT_ACCELERATOR", "abacus")],
)  # fmt: skip
def test_bad_environment(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=value):
        settings("--max-model-len=1024", **{name: value})


def test_shapes_by_name_and_by_config() -> None:
    assert known_shape("meta-llama/Llama-3.1-8B-Instruct").kv_bytes_per_token() == 131_072
    assert known_shape("meta-llama/Llama-3.3-70B-Instruct").kv_bytes_per_token() == 327_680
    assert known_shape("Qwen/Qwen3-32B-FP8").parameters == pytest.approx(32.8e9)
    assert known_shape("acme/thing-13b-chat").parameters == pytest.approx(13e9)
    assert known_shape("acme/thing").parameters == pytest.approx(8e9)
    llama = {
        "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8,
        "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 131072,
    }  # fmt: skip
    shape = shape_from_config("llama", llama)
    assert shape.parameters == pytest.approx(8.03e9, rel=0.01)
    assert (shape.kv_bytes_per_token(), shape.max_context) == (131_072, 131_072)
    with pytest.raises(ValueError, match="has no 'hidden_size'"):
        shape_from_config("x", {"num_hidden_layers": 1})


def test_the_version_is_the_images() -> None:
    assert engine_version({"LAMPLIGHT_IMAGE": "vllm/vllm-openai:v0.32.1"}) == "0.32.1"
    assert engine_version({"LAMPLIGHT_IMAGE": "registry:5000/vllm/vllm-openai:latest"}) == "0.33.0"
    assert engine_version({"LAMPLIGHT_IMAGE": "x:v0.32.1", "LAMPLIGHT_ENGINE_VERSION": "0.33.1"}) == "0.33.1"
    assert engine_version({}) == "0.33.0"


@pytest.mark.parametrize("name", sorted(accelerator_names()))
def test_every_accelerator_of_the_catalogue_can_be_simulated(name: str) -> None:
    found = settings("--max-model-len=1024", "--gpu-memory-utilization=1.0", model="Qwen/Qwen3-0.6B",
                     LAMPLIGHT_ACCELERATOR=name)  # fmt: skip
    assert timing(found).step_time.seconds(StepLoad(prefill_tokens=512, prefill_requests=1)) > 0


def test_the_measured_pair_is_taken_as_measured() -> None:
    assert timing(settings("--max-model-len=1024")).origin == "measured"
    assert timing(settings("--max-model-len=1024", LAMPLIGHT_ACCELERATOR="nvidia-b200")).origin == "scaled"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"publisher": "kafka"}, "publisher is 'kafka'; Input should be 'null' or 'zmq'"),
        ({"enable_kv_cache_events": True, "host": "a"}, "host: Unexpected keyword argument"),
        ({"enable_kv_cache_events": True, "hwm": "many"}, "hwm is 'many'; it must be of type int"),
        ({"enable_kv_cache_events": 1}, "enable_kv_cache_events is 1; it must be of type bool"),
    ],
)
def test_wrong_kv_events_configurations_are_refused(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        read_events_config(config)
    assert str(refused.value) == f"kv_events_config: {sentence}"


def test_kv_events_are_published_only_where_they_are_enabled() -> None:
    assert read_events_config(None) is None
    assert read_events_config({"publisher": "zmq"}) is None
    assert read_events_config({"enable_kv_cache_events": True, "publisher": "null"}) is None
    config = read_events_config({"enable_kv_cache_events": True, "topic": "kv@a@b", "replay_endpoint": None})
    assert config is not None
    assert (config.endpoint, config.topic, config.buffer_steps) == ("tcp://*:5557", "kv@a@b", 10_000)


def test_endpoints_are_bound_or_connected_to_as_in_vllm() -> None:
    assert [binds(one) for one in ("tcp://*:5557", "tcp://[::]:5557", "ipc:///tmp/kv", "inproc://kv")] == [True] * 4
    assert not binds("tcp://127.0.0.1:5557")
