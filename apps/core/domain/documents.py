"""Documents: what people declare. Base classes of every kind's spec, the metadata, and the checks they all share."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Self, TypeVar, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_serializer
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from apps.core.domain.refusals import Fault, Invalid

API_VERSION = "lamplight.dev/v1"

# as a Kubernetes label value and DNS label, so that a name can stand in both; shorter, to leave room for suffixes
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", min_length=1, max_length=50)]
_LABEL_KEY = r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"
LabelKey = Annotated[str, StringConstraints(pattern=_LABEL_KEY, max_length=317)]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=64)]
Annotations = Annotated[dict[LabelKey, Annotated[str, StringConstraints(max_length=4096)]], Field(max_length=64)]


class Spec(BaseModel):
    """Base of everything inside a document's `spec`: camelCase names, unknown fields refused, frozen, strictly typed.

    Text is never read as a number nor a number as text. Fields that are None by default are left out when written.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
        # a NaN compares unequal to itself and has no JSON form
        allow_inf_nan=False,
    )

    @model_serializer(mode="wrap")
    def _without_absent(self, write: Any) -> Any:
        written = write(self)
        for name, field in type(self).model_fields.items():
            key = field.serialization_alias or field.alias or name
            if field.default is None and getattr(self, name) is None:
                written.pop(key, None)
        return written

    @classmethod
    def from_document(cls, value: Any, *, at: str = "/spec") -> Self:
        """The spec of a parsed document (JSON values). Raises Invalid: one fault for each wrong field, below `at`."""
        try:
            # through JSON: strict there means "as JSON has it", so that a list is a tuple and text a duration
            return cls.model_validate_json(json.dumps(value), by_alias=True, by_name=False)
        except ValidationError as refused:
            raise Invalid.of(faults(refused.errors(), cls, value, at)) from None

    @classmethod
    def from_stored(cls, value: Any) -> Self:
        """As `from_document`, of a spec that it has accepted before: mostly from memory, equal ones are one object."""
        return _from_stored(cls, orjson.dumps(value))

    def to_document(self) -> dict[str, Any]:
        """The normalised document: JSON values, camelCase, defaults written out, quantities in canonical form."""
        return self.model_dump(mode="json")


_S = TypeVar("_S", bound=Spec)


@functools.lru_cache(maxsize=8192)
def _from_stored(kind: type[_S], text: bytes) -> _S:
    return kind.from_document(orjson.loads(text))


class Metadata(Spec):
    """`metadata` as people may write it. What only the server knows may be sent back and is not read."""

    name: Name
    team: Name | None = None
    labels: Labels = {}
    annotations: Annotations = {}
    uid: str | None = None
    version: Annotated[int, Field(ge=1)] | None = None
    generation: int | None = None
    created_at: str | None = None
    updated_at: str | None = None
    deletion_requested_at: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A document before its spec is read: kind known, metadata checked, spec still plain JSON values."""

    kind: str
    metadata: Metadata
    spec: Mapping[str, Any]


_TOP = ("apiVersion", "kind", "metadata", "spec", "status")


def read_envelope(document: Any, kinds: Sequence[str]) -> Envelope:
    """The outer part of a document; `kinds` are the known ones. Raises Invalid with every fault found there."""
    if not isinstance(document, Mapping):
        raise Invalid.of(
            [Fault("", f"a document is a mapping with apiVersion, kind, metadata and spec, not {_named(document)}")]
        )
    found: list[Fault] = []
    for key in document:
        if key not in _TOP:
            found.append(Fault(pointer(key), _unknown(str(key), _TOP)))
    if document.get("apiVersion") != API_VERSION:
        said = f"not {_quoted(document['apiVersion'])}" if "apiVersion" in document else "and is required"
        found.append(Fault("/apiVersion", f"apiVersion must be {API_VERSION}, {said}"))
    kind = document.get("kind")
    if "kind" not in document:
        found.append(Fault("/kind", f"kind is required: one of {', '.join(kinds)}"))
    elif kind not in kinds:
        close = get_close_matches(str(kind), kinds, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        found.append(Fault("/kind", f"there is no kind {_quoted(kind)}: it is one of {', '.join(kinds)}{hint}"))
    metadata = None
    if "metadata" not in document:
        found.append(Fault("/metadata", "metadata is required, with at least a name"))
    else:
        try:
            metadata = Metadata.from_document(document["metadata"], at="/metadata")
        except Invalid as refused:
            found.extend(refused.faults)
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        found.append(Fault("/spec", "spec is required" if spec is None else f"spec is a mapping, not {_named(spec)}"))
    if found:
        raise Invalid.of(found)
    assert metadata is not None
    assert isinstance(spec, Mapping)
    return Envelope(str(kind), metadata, spec)


def pointer(*parts: object) -> str:
    """A JSON pointer of these parts (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def faults(errors: Iterable[ErrorDetails], model: type[BaseModel], value: Any, at: str) -> list[Fault]:
    """Pydantic's errors as faults: where in `value` (which stands at pointer `at`), and a sentence."""
    found = []
    held = list(errors)
    for error in held:
        # a list whose wrong items were left out is not also too short
        if error["type"] == "too_short" and any(
            o["loc"][: len(error["loc"])] == error["loc"] != o["loc"] for o in held
        ):
            continue
        path = _path_in(value, error)
        found.append(Fault(at + pointer(*path), _sentence(error, model, path, at)))
    return found


def _path_in(value: Any, error: ErrorDetails) -> tuple[str | int, ...]:
    """The error's location without the parts that name branches of a union rather than fields of the document."""
    path: list[str | int] = []
    here = value
    for part in error["loc"]:
        held = isinstance(here, Mapping) and part in here
        held = held or (isinstance(here, list) and isinstance(part, int) and part < len(here))
        if held:
            here = here[part]
        if held or (error["type"] == "missing" and part == error["loc"][-1]):
            path.append(part)
    return tuple(path)


def _sentence(error: ErrorDetails, model: type[BaseModel], path: tuple[str | int, ...], at: str) -> str:
    field = ".".join([at.strip("/").replace("/", "."), *map(str, path)]).strip(".") or "the document"
    kind, context = error["type"], error.get("ctx", {})
    given = error["input"]
    if kind == "missing":
        return f"{field} is required"
    if kind == "extra_forbidden":
        return _unknown(field, _fields_at(model, path[:-1]))
    if kind in ("unit", "value_error"):
        sentence = str(context.get("sentence") or context.get("error"))
        return f"{field}: {sentence}" if path else sentence
    if kind == "string_type":
        return f"{field} is text, not {_named(given)}" + (
            "; put it in quotes" if isinstance(given, int | float) else ""
        )
    if kind in ("literal_error", "enum"):
        return f"{field} is one of {context['expected']}, not {_quoted(given)}"
    if kind == "string_pattern_mismatch" and context.get("pattern", "").startswith("^[a-z0-9]("):
        return f"{field}: {_quoted(given)} is not a name: lower-case letters, digits and dashes, as in chat-70b"
    if kind == "string_pattern_mismatch":
        described = _fields_at(model, path[:-1]).get(str(path[-1])) if path else None
        examples = described.examples if described is not None else None
        wanted = f"write it as in {examples[0]}" if examples else f"it must match {context.get('pattern')}"
        return f"{field}: {_quoted(given)} is not of its form; {wanted}"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{field} is a mapping, not {_named(given)}"
    if kind in ("tuple_type", "list_type"):
        return f"{field} is a list, not {_named(given)}"
    message = error["msg"]
    return f"{field}: {message[0].lower()}{message[1:]}, not {_quoted(given)}"


def _unknown(field: str, known: Iterable[str]) -> str:
    close = get_close_matches(field.rsplit(".", 1)[-1], list(known), n=1)
    return f"{field} is not a known field" + (f"; did you mean {close[0]}?" if close else "")


def _fields_at(model: type[BaseModel], path: Sequence[str | int]) -> dict[str, FieldInfo]:
    """The fields, by their names in documents, of the model that stands at `path` below `model`."""
    here: Any = model
    for part in path:
        here = next(
            (f.annotation for m in _models_in(here) for n, f in m.model_fields.items() if part in (n, f.alias)),
            here,  # an index of a list or a key of a mapping: the annotation already names what it holds
        )
    return {f.alias or n: f for m in _models_in(here) for n, f in m.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _named(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {_quoted(value)}"
    return "a list" if isinstance(value, list) else "a mapping"


def _quoted(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
