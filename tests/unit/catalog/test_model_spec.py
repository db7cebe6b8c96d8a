from __future__ import annotations

import pytest

from apps.catalog.domain.accelerators import accelerator, accelerators
from apps.catalog.domain.model import ModelSpec
from apps.core.domain.refusals import Invalid


@pytest.mark.parametrize(
    "source",
    [
        "hf://meta-llama/Llama-3.1-8B-Instruct",
        "pvc://models",
        "pvc://models/llama/8b",
        "oci://registry.example.com:5000/models/llama:8b",
        "s3://bucket/llama/8b",
    ],
)
def test_sources_of_weights(source: str) -> None:
    assert ModelSpec.from_document({"source": source}).source == source


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("meta-llama/Llama", "names no source of weights: write one of hf://organisation/model"),
        ("http://x/y", "names no source of weights"),
        ("hf://only-one-part", "does not have the form hf://organisation/model"),
        ("hf://a/b; rm -rf /", "does not have the form"),
        ("pvc://claim/../../etc", "does not have the form pvc://claim/path/in/it"),
        ("s3://Bucket", "does not have the form s3://bucket/path"),
        ("hf://", "does not have the form"),
        ("hf://a/b\n", "does not have the form"),
    ],
)
def test_what_is_no_source_is_refused(source: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        ModelSpec.from_document({"source": source})
    assert refused.value.faults[0].pointer == "/spec/source"
    assert sentence in refused.value.faults[0].detail


def test_a_token_is_named_and_never_held() -> None:
    source = "hf://meta-llama/Llama-3.1-8B-Instruct"
    token = ModelSpec.from_document({"source": source, "tokenSecret": {"name": "team-a-hub"}}).token_secret
    assert token is not None
    assert (token.name, token.key) == ("team-a-hub", "HF_TOKEN")
    for wrong, sentence in (
        ({"source": source, "tokenSecret": "hf_abc"}, ""),
        ({"source": source, "tokenSecret": {"name": "a", "value": "hf_abc"}}, "value"),
        ({"source": "s3://bucket/x", "tokenSecret": {"name": "a"}}, "tokenSecret is for weights of Hugging Face"),
    ):
        with pytest.raises(Invalid) as refused:
            ModelSpec.from_document(wrong)
        assert sentence in str(refused.value.faults)


def test_kv_bytes_per_token_of_llama_3_1_8b() -> None:
    shape = {"layers": 32, "kvHeads": 8, "headDim": 128}
    spec = ModelSpec.from_document({"source": "hf://a/b", "shape": shape})
    assert spec.shape is not None
    # 128 KiB: the known figure for this model in bfloat16
    assert spec.shape.kv_bytes_per_token == 131072
    eight_bit = ModelSpec.from_document({"source": "hf://a/b", "shape": {**shape, "dtype": "fp8"}})
    assert eight_bit.shape is not None
    assert eight_bit.shape.kv_bytes_per_token == 65536


def test_accelerators_are_known_with_their_resource_and_dated_price() -> None:
    h200 = accelerator("nvidia-h200")
    assert h200 is not None
    assert (h200.resource, h200.memory) == ("nvidia.com/gpu", 143771 * 2**20)
    assert h200.node_selector == {"nvidia.com/gpu.product": "NVIDIA-H200"}
    assert accelerator("nvidia-h300") is None
    for known in accelerators().values():
        assert (known.price is None) == (known.priced_on is None), known.name
        # where it was read, or why there is none
        assert known.price_source.startswith("none") == (known.price is None), known.name
        assert (known.resource is None) == (known.vendor == "cpu"), known.name
        # a resource that several accelerators have says nothing without the label of the product
        shared = [other for other in accelerators().values() if other.resource == known.resource]
        assert known.node_selector or len(shared) == 1, known.name
        assert known.fabrics, known.name
