"""The command line of vLLM as data, and its reading."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.vllm import ParsedArgs, flags, parse_args, table_version, version_of_image
from tests.support.shared import shared_file


def accepted(argv: list[str], version: str = "0.33.0") -> ParsedArgs:
    parsed = parse_args(version, argv)
    assert isinstance(parsed, ParsedArgs), parsed
    return parsed


def refused(argv: list[str], version: str = "0.33.0") -> str:
    sentence = parse_args(version, argv)
    assert isinstance(sentence, str), sentence
    return sentence


@pytest.mark.parametrize("version", ["0.32", "0.33"])
def test_table_is_the_parser_of_that_version(version: str) -> None:
    recorded = json.loads(shared_file(f"reference/vllm-flags-{version}.json").read_text())
    recorded.pop("-h")
    table = flags(version)
    assert set(table) == set(recorded)
    for name, facts in recorded.items():
        flag = table[name]
        assert set(facts["all"]) <= set(flag.spellings), name
        assert list(flag.choices) == (facts["choices"] or []), name
        if flag.default is not None:
            assert flag.default == facts["default"], name


@pytest.mark.parametrize(
    ("version", "table"),
    [
        ("0.33.0", "0.33"),
        ("v0.32.1", "0.32"),
        ("0.34", "0.33"),
        ("0.25.1", "0.25"),
        ("0.31", "0.25"),
        ("0.14.1", "0.14"),
        ("0.13", "0.14"),
        ("1.0", "0.33"),
    ],
)
def test_nearest_table(version: str, table: str) -> None:
    assert table_version(version) == table


def test_not_a_version() -> None:
    with pytest.raises(ValueError, match=r"'latest' is not a vLLM version"):
        table_version("latest")


@pytest.mark.parametrize(
    ("argv", "destination", "value"),
    [
        (["--max-model-len=16384"], "max_model_len", 16384),
        (["--max-model-len", "16384"], "max_model_len", 16384),
        (["--max_model_len", "16k"], "max_model_len", 16000),
        (["--max-model-len", "16K"], "max_model_len", 16384),
        (["--max-model-len", "auto"], "max_model_len", -1),
        (["--max-model-len", "-1"], "max_model_len", -1),
        (["-tp", "2"], "tensor_parallel_size", 2),
        (["-tp=2"], "tensor_parallel_size", 2),
        (["-O3"], "optimization_level", "3"),
        (["-O", "1"], "optimization_level", "1"),
        (["--enable-prefix-caching"], "enable_prefix_caching", True),
        (["--no-enable-prefix-caching"], "enable_prefix_caching", False),
        (["--disable-prefix-caching"], "enable_prefix_caching", False),
        (["--headless"], "headless", True),
        (["--api-key", "a", "b"], "api_key", ["a", "b"]),
        (["--served-model-name", "x"], "served_model_name", ["x"]),
        (["--middleware", "a", "--middleware", "b"], "middleware", ["a", "b"]),
        (["--kv-transfer-config", '{"kv_role": "kv_both"}'], "kv_transfer_config", {"kv_role": "kv_both"}),
        (
            ["--kv-transfer-config.kv_role", "kv_both", "--kv_transfer_config.kv_connector_extra_config.n=2k"],
            "kv_transfer_config",
            {"kv_role": "kv_both", "kv_connector_extra_config": {"n": 2000}},
        ),
        (
            ["--custom-histogram-buckets.request_latency+=0.1,0.5"],
            "custom_histogram_buckets",
            {"request_latency": ["0.1", "0.5"]},
        ),
        (["--gpu-memory-utilization", "0.5"], "gpu_memory_utilization", 0.5),
        (["--data-parallel-rank", "1"], "data_parallel_rank", 1),
    ],
)
def test_spellings(argv: list[str], destination: str, value: object) -> None:
    parsed = accepted(["some/model", *argv])
    assert parsed[destination] == value
    assert parsed.given == {destination}
    assert parsed.model == "some/model"


def test_defaults_are_vllms() -> None:
    parsed = accepted(["m"])
    assert parsed.given == frozenset()
    assert (parsed["port"], parsed["gpu_memory_utilization"], parsed["shutdown_timeout"]) == (8000, 0.92, 0)
    assert parsed["max_model_len"] is None
    assert parsed["enable_prompt_tokens_details"] is False
    assert parsed["allowed_methods"] == ["*"]


def test_model_by_option_and_by_default() -> None:
    assert accepted(["--model", "a/b"]).model == "a/b"
    assert accepted([]).model == "Qwen/Qwen3-0.6B"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--foo"], "unrecognized arguments: --foo"),
        (["--foo=1", "--bar"], "unrecognized arguments: --foo=1 --bar"),
        (["--port", "x"], "argument --port: invalid int value: 'x'"),
        (["--port"], "argument --port: expected one argument"),
        (["--max-model-len", "1.048e+06"], "argument --max-model-len: invalid human_readable_int_or_auto value"),
        (["--max-model-len", "2.5K"], "Decimals are not allowed with binary suffixes like K"),
        (["--dtype", "int3"], "argument --dtype: invalid choice: 'int3' (choose from 'auto', 'bfloat16'"),
        (["--max-num", "3"], "ambiguous option: --max-num could match --max-num-batched-tokens"),
        (["--enable-lora=false"], "ignored explicit argument 'false'"),
        (["--kv-transfer-config", "{x"], "argument --kv-transfer-config: Value {x cannot be converted to JSON"),
        (["--kv-transfer-config.kv_role"], "argument --kv-transfer-config.kv_role: expected one argument"),
        (["--enable-auto-tool-choice"], "--enable-auto-tool-choice requires --tool-call-parser"),
    ],
)
def test_refusals_in_the_parsers_words(argv: list[str], sentence: str) -> None:
    assert sentence in refused(["m", *argv])


def test_versions_differ_as_they_do() -> None:
    assert "unrecognized arguments" in refused(["m", "--disable-prefix-caching"], "0.32")
    assert "unrecognized arguments" in refused(["m", "--monokernel"], "0.32")
    assert accepted(["m", "--monokernel"], "0.33")["monokernel"] is True


@given(st.sampled_from(sorted(flags("0.33"))), st.booleans())
def test_underscores_are_dashes_everywhere(name: str, negate: bool) -> None:
    flag = flags("0.33")[name]
    if flag.kind == "value":
        return
    spelling = flag.negative[-1] if negate and flag.negative else flag.name
    argv = ["--" + spelling[2:].replace("-", "_"), "--tool-call-parser", "x", "--enable-log-requests"]
    assert accepted(["m", *argv])[flag.destination] is (spelling == flag.name) or name == "--enable-log-requests"


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_words_get_an_answer(argv: list[str]) -> None:
    assert isinstance(parse_args("0.33", argv), ParsedArgs | str)


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("vllm/vllm-openai:v0.33.0", "0.33.0"),
        ("registry.local:5000/vllm/vllm-openai:v0.32.0-cu130", "0.32.0"),
        ("ghcr.io/llm-d/llm-d-cuda:v0.5.0", "0.14"),
        ("ghcr.io/llm-d/llm-d-cuda:v0.9.0", None),
        ("opea/vllm-gaudi:1.22.0", None),
        ("vllm/vllm-openai:latest", None),
        ("vllm/vllm-openai", None),
    ],
)
def test_the_version_of_an_image_is_vllms_and_not_llm_ds(image: str, version: str | None) -> None:
    assert version_of_image(image) == version


def test_a_flag_is_known_from_the_version_that_brought_it() -> None:
    shutdown = ["model", "--shutdown-timeout=20"]
    assert "unrecognized arguments" in refused(shutdown, "0.14.1")
    accepted(shutdown, "0.25.1")
    accepted(["model", "--kv-offloading-size=8"], "0.14.1")


def test_a_value_that_may_be_json_or_text() -> None:
    assert accepted(["model", '--hf-overrides={"a": 1}'])["hf_overrides"] == {"a": 1}
    assert accepted(["model", "--pt-load-map-location=cuda:1"])["pt_load_map_location"] == "cuda:1"
    assert accepted(["model"])["hf_overrides"] == {}
    assert "cannot be converted to JSON" in refused(["model", "--hf-overrides={a}"])
