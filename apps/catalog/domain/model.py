"""The `Model` document: where weights come from, under which name they are served, and their shape."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from apps.core.domain.documents import Spec

_SOURCES = {
    "hf": (r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", "hf://organisation/model"),
    "pvc": (r"[a-z0-9][a-z0-9.-]{0,252}(/[\w./-]{0,400})?", "pvc://claim/path/in/it"),
    "oci": (r"[A-Za-z0-9][\w./:-]{1,300}(@sha256:[a-f0-9]{64})?", "oci://registry/repository:tag"),
    "s3": (r"[a-z0-9][a-z0-9.-]{1,62}(/[\w./-]{0,400})?", "s3://bucket/path"),
}
_BYTES_PER_VALUE = {"float32": 4, "bfloat16": 2, "float16": 2, "fp8": 1, "int8": 1}


class Shape(Spec):
    """What decides how much memory a token takes in the KV cache; read from config.json where it is reachable."""

    layers: Annotated[int, Field(ge=1, le=1000)]
    kv_heads: Annotated[int, Field(ge=1, le=1024)]
    head_dim: Annotated[int, Field(ge=1, le=8192)]
    dtype: Literal["float32", "bfloat16", "float16", "fp8", "int8"] = "bfloat16"
    heads: Annotated[int, Field(ge=1, le=4096)] | None = None
    parameters: Annotated[int, Field(ge=1, le=10**14)] | None = None

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of keys and values of one token over all layers: 2 x layers x kvHeads x headDim x bytes of dtype."""
        return 2 * self.layers * self.kv_heads * self.head_dim * _BYTES_PER_VALUE[self.dtype]


class ModelSpec(Spec):
    """One model. `served_name` is what clients name in requests; without it the document's own name."""

    source: Annotated[str, StringConstraints(max_length=500)]
    # the length apart from the pattern, and ASCII: a counted \w of Unicode compiles to 17 MB in pydantic's engine
    revision: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$", max_length=200)] = "main"
    served_name: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./:-]*$", max_length=200)] | None
    ) = None
    shape: Shape | None = None

    @field_validator("source")
    @classmethod
    def _known_source(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        forms = ", ".join(form for _, form in _SOURCES.values())
        if not separator or scheme not in _SOURCES:
            raise ValueError(f'"{value[:80]}" names no source of weights: write one of {forms}')
        pattern, form = _SOURCES[scheme]
        if not re.fullmatch(pattern, rest, re.ASCII) or ".." in rest.split("/"):
            raise ValueError(f'"{value[:80]}" does not have the form {form}')
        return value
