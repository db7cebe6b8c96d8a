"""The `Model` document: where weights come from, under which name they are served, and their shape."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from apps.core.domain.documents import Spec

_SOURCES = {
    "hf": (r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", "hf://organisation/model"),
    "pvc": (r"[a-z0-9][a-z0-9.-]{0,252}(/[\w./-]{0,400})?", "pvc://claim/path/in/it"),
    "oci": (r"[A-Za-z0-9][\w./:-]{1,300}(@sha256:[a-f0-9]{64})?", "oci://registry/repository:tag"),
    "s3": (r"[a-z0-9][a-z0-9.-]{1,62}(/[\w./-]{0,400})?", "s3://bucket/path"),
}
BYTES_PER_VALUE = {"float32": 4, "bfloat16": 2, "float16": 2, "fp8": 1, "int8": 1}


class Shape(Spec):
    """What decides how much memory a token takes in the KV cache; read from config.json where it is reachable."""

    layers: Annotated[int, Field(ge=1, le=1000)]
    kv_heads: Annotated[int, Field(ge=1, le=1024)]
    head_dim: Annotated[int, Field(ge=1, le=8192)]
    dtype: Literal["float32", "bfloat16", "float16", "fp8", "int8"] = "bfloat16"
    heads: Annotated[int, Field(ge=1, le=4096)] | None = None
    parameters: Annotated[int, Field(ge=1, le=10**14)] | None = None
    experts: Annotated[int, Field(ge=0, le=4096)] | None = None

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of keys and values of one token over all layers: 2 x layers x kvHeads x headDim x bytes of dtype."""
        return 2 * self.layers * self.kv_heads * self.head_dim * BYTES_PER_VALUE[self.dtype]

    @property
    def weight_bytes(self) -> int | None:
        """Bytes of the weights in `dtype`; None where the parameters are not known."""
        return self.parameters * BYTES_PER_VALUE[self.dtype] if self.parameters else None


class Adapter(Spec):
    """A LoRA adapter of a model, served under its own name. `rank`: of its matrices, where it is known."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$", max_length=200)]
    source: Annotated[str, StringConstraints(max_length=500)]
    rank: Annotated[int, Field(ge=1, le=1024)] | None = None

    @field_validator("source")
    @classmethod
    def _known_source(cls, value: str) -> str:
        return known_source(value, ("hf", "pvc"))


class TokenSecret(Spec):
    """The Secret of a pool's namespace whose `key` holds the token that may read gated weights. Only the kubelet reads
    its value."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=253)] = "HF_TOKEN"


class ModelSpec(Spec):
    """One model. `served_name` is what clients name in requests; without it the document's own name."""

    source: Annotated[str, StringConstraints(max_length=500)]
    # the length apart from the pattern, and ASCII: a counted \w of Unicode compiles to 17 MB in pydantic's engine
    revision: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$", max_length=200)] = "main"
    served_name: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./:-]*$", max_length=200)] | None
    ) = None
    token_secret: TokenSecret | None = None
    shape: Shape | None = None
    lora_adapters: Annotated[tuple[Adapter, ...], Field(max_length=256)] | None = None

    @field_validator("source")
    @classmethod
    def _known_source(cls, value: str) -> str:
        return known_source(value)

    @model_validator(mode="after")
    def _token_of_the_hub(self) -> Self:
        if self.token_secret is not None and not self.source.startswith("hf://"):
            raise ValueError(f"tokenSecret is for weights of Hugging Face (hf://), and these are at {self.source}")
        return self

    @field_validator("lora_adapters")
    @classmethod
    def _distinct(cls, adapters: tuple[Adapter, ...] | None) -> tuple[Adapter, ...] | None:
        names = [adapter.name for adapter in adapters or ()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two adapters are named {twice[0]}: give each its own name")
        return adapters


def known_source(value: str, schemes: tuple[str, ...] = tuple(_SOURCES)) -> str:
    """The value, when it names a source of one of `schemes` in its form. Raises ValueError with a sentence."""
    scheme, separator, rest = value.partition("://")
    forms = ", ".join(_SOURCES[name][1] for name in schemes)
    if not separator or scheme not in schemes:
        raise ValueError(f'"{value[:80]}" names no source of weights: write one of {forms}')
    pattern, form = _SOURCES[scheme]
    if not re.fullmatch(pattern, rest, re.ASCII) or ".." in rest.split("/"):
        raise ValueError(f'"{value[:80]}" does not have the form {form}')
    return value
