"""The fit check against published numbers, and that it is monotonic where it must be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.fit import Asked, fit
from apps.catalog.domain.model import Shape

QWEN_32B = Shape(layers=64, kv_heads=8, head_dim=128, heads=64, parameters=32_800_000_000)
LLAMA_70B = Shape(layers=80, kv_heads=8, head_dim=128, heads=64, parameters=70_600_000_000)
H100 = 81559 * 2**20


def test_it_agrees_with_the_cache_that_was_published() -> None:
    """llm-d's KV-cache post: 307,328 tokens per instance of two H100."""
    found = fit(QWEN_32B, H100, Asked(tensor=2, utilization=0.9, max_model_len=32768))
    assert found.verdict == "fits"
    assert found.kv_tokens is not None
    assert abs(found.kv_tokens - 307_328) / 307_328 < 0.02


def test_what_does_not_fit_says_how_it_would() -> None:
    alone = fit(LLAMA_70B, H100, Asked())
    assert alone.verdict == "no"
    assert "131.5 GiB" in alone.reason
    assert "at least 2 accelerators" in alone.mend
    long = fit(QWEN_32B, H100, Asked(tensor=2, max_model_len=2_000_000))
    assert long.verdict == "no"
    assert "lower --max-model-len" in long.mend
    assert fit(QWEN_32B, H100, Asked(tensor=2, max_model_len=131_072)).verdict == "tight"
    heads = fit(LLAMA_70B, H100, Asked(tensor=3))
    assert (heads.verdict, heads.mend) == ("no", "use a tensor parallelism that divides 64")


def test_what_is_not_declared_is_unknown_and_not_refused() -> None:
    assert fit(None, H100, Asked()).verdict == "unknown"
    assert fit(QWEN_32B.model_copy(update={"parameters": None}), H100, Asked()).verdict == "unknown"
    assert fit(QWEN_32B, 0, Asked()).verdict == "unknown"


@given(
    memory=st.integers(20, 300),
    tensor=st.sampled_from((1, 2, 4, 8)),
    share=st.floats(0.5, 0.95),
)
def test_more_memory_or_more_accelerators_never_hold_fewer_tokens(memory: int, tensor: int, share: float) -> None:
    small = fit(QWEN_32B, memory * 2**30, Asked(tensor=tensor, utilization=share))
    larger = fit(QWEN_32B, (memory + 1) * 2**30, Asked(tensor=tensor, utilization=share))
    assert (larger.kv_tokens or 0) >= (small.kv_tokens or 0)
    if tensor < 8:
        wider = fit(QWEN_32B, memory * 2**30, Asked(tensor=tensor * 2, utilization=share))
        assert (wider.kv_tokens or 0) >= (small.kv_tokens or 0)
