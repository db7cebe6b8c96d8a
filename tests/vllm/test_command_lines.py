"""vLLM's own parser, and its own engine configuration, on every command line that Lamplight renders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.catalog.domain.vllm import Flag, flags, table_version
from tests.vllm.conftest import Checker, version

GOLDEN = Path(__file__).parents[1] / "unit" / "pools" / "golden"
# what this platform cannot do, whatever the command line: the CPU build has no sleep mode, no LMCache and no NIXL
PLATFORM = ("sleep mode", "lmcache", "nixl", "deepep", "cuda", "gpu", "platform", "triton", "flashinfer")


def command_lines() -> Iterator[Any]:
    """Of the release whose engine the installation is: llm-d 0.5 has vLLM 0.14."""
    older = table_version(version()) == "0.14"
    for path in sorted(GOLDEN.rglob("*.yaml")):
        if ("0.5" in path.stem) != older:
            continue
        for manifest in yaml.safe_load_all(path.read_text()):
            name = f"{path.relative_to(GOLDEN)}:{manifest['metadata']['name']}"
            for argv in _serving(manifest):
                yield pytest.param(argv, id=name)


def _serving(value: Any) -> Iterator[list[str]]:
    """The arguments of `vllm serve` wherever a manifest has them."""
    if isinstance(value, dict):
        if value.get("command") == ["vllm", "serve"]:
            yield list(value["args"])
        for each in value.values():
            yield from _serving(each)
    elif isinstance(value, list):
        for each in value:
            yield from _serving(each)


LINES = list(command_lines())


@pytest.mark.parametrize("argv", LINES)
def test_the_parser_takes_it(argv: list[str], checker: Checker) -> None:
    assert checker.ask(argv=argv, full=False)["error"] is None


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Configurations without weights, by whether they are a mixture of experts: heads and experts for any degree."""
    root = tmp_path_factory.mktemp("models")
    dense = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 8192,
        "num_hidden_layers": 8, "num_attention_heads": 64, "num_key_value_heads": 64, "head_dim": 64,
        "max_position_embeddings": 131072, "vocab_size": 1024, "torch_dtype": "bfloat16", "rms_norm_eps": 1e-5,
    }  # fmt: skip
    experts = {
        **dense, "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "num_experts": 64,
        "num_experts_per_tok": 4, "moe_intermediate_size": 512, "decoder_sparse_step": 1, "norm_topk_prob": True,
        "mlp_only_layers": [],
    }  # fmt: skip
    found = {}
    for moe, config in ((False, dense), (True, experts)):
        folder = root / ("experts" if moe else "dense")
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        found[moe] = folder
    return found


@pytest.mark.parametrize("argv", LINES)
def test_an_engine_configuration_comes_of_it(argv: list[str], checker: Checker, models: dict[bool, Path]) -> None:
    moe = "--enable-expert-parallel" in argv
    local = [str(models[moe]), *(arg for arg in argv[1:] if not arg.startswith(("--revision", "--load-format")))]
    error = checker.ask(argv=local, full=True)["error"]
    if error is not None and any(word in error.lower() for word in PLATFORM):
        pytest.skip(f"not on this platform: {error[:200]}")
    assert error is None


def test_the_catalogue_has_the_parsers_options(checker: Checker) -> None:
    answer = checker.ask(flags=True)
    if table_version(answer["version"]) != ".".join(answer["version"].split(".")[:2]):
        pytest.skip(f"there is no table of vLLM {answer['version']}")
    tuples = ("aliases", "negative", "choices")
    theirs = {row["name"]: Flag(**row | {name: tuple(row.get(name, ())) for name in tuples}) for row in answer["flags"]}
    assert flags(answer["version"]) == theirs
