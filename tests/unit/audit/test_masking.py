from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit.domain.masking import MASK, masked


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"password": "x"}, {"password": MASK}),
        ({"env": {"HF_TOKEN": "abc", "LEVEL": "debug"}}, {"env": {"HF_TOKEN": MASK, "LEVEL": "debug"}}),
        (
            {"apiKey": "x", "api_key": "y", "AWS_SECRET_ACCESS_KEY": "z"},
            dict.fromkeys(["apiKey", "api_key", "AWS_SECRET_ACCESS_KEY"], MASK),
        ),
        ({"secretName": "my-secret", "secretKeyRef": {"name": "s", "key": "k"}}, ...),
        ({"secret": {"user": "u", "password": "p"}}, {"secret": {"user": "u", "password": MASK}}),
        (["--api-key=abc", "--max-model-len=5"], [f"--api-key={MASK}", "--max-model-len=5"]),
        (["--api-key", "abc", "--port", "1"], ["--api-key", MASK, "--port", "1"]),
        (["--tokenizer-mode=auto", "--max-num-batched-tokens=8"], ...),
        ({"image": "registry/x:1", "credentials": {"kubeconfig": "/path"}}, ...),
        ("token hf_abcdefghijkl is mine", f"token {MASK} is mine"),
        ("postgres://me:geheim@host/db", f"postgres://me:{MASK}@host/db"),
        ("http://host:8000/path@2", ...),
        ({"password": ""}, ...),
        ({"password": None, "tokens": 5}, ...),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_nothing_else(value: Any, expected: Any) -> None:
    assert masked(value) == (value if expected is ... else expected)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=15,
)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value)


@given(_json)
def test_masking_keeps_the_shape_and_is_done_once(value: Any) -> None:
    once = masked(value)
    assert shape(once) == shape(value)
    assert masked(once) == once
