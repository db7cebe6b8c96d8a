"""The bodies and queries that the engine's server takes, as vLLM's schema has them (as far as they are simulated).

pydantic reads them as it does in vLLM ("5" is a number where a number is wanted), and says the same of what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from apps.embedded.engine.domain.refusals import malformed

TokenId = Annotated[int, Field(ge=0)]
INT64 = 2**63
Read = TypeVar("Read", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow", protected_namespaces=())


class StreamOptions(_Body):
    include_usage: bool | None = False
    continuous_usage_stats: bool | None = False


class Sampling(_Body):
    """What both kinds of generation are told about it."""

    model: str | None = None
    stop: str | list[str] | None = []
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    ignore_eos: bool = False
    min_tokens: int = 0
    priority: Annotated[int, Field(ge=-INT64, lt=INT64)] = 0
    cache_salt: str | None = None
    kv_transfer_params: dict[str, Any] | None = None


class Completion(Sampling):
    prompt: list[TokenId] | list[list[TokenId]] | str | list[str] | None = None
    echo: bool | None = False
    max_tokens: int | None = 16
    n: int = 1


class Message(_Body):
    role: str
    content: Any = None


class Chat(Sampling):
    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = 1


class TokenizeText(_Body):
    model: str | None = None
    prompt: str


class TokenizeChat(_Body):
    model: str | None = None
    messages: list[Message]


class LoadAdapter(_Body):
    lora_name: str
    lora_path: str
    load_inplace: bool = False


class UnloadAdapter(_Body):
    lora_name: str
    lora_int_id: int | None = None


class SleepQuery(_Body):
    level: Annotated[int, Field(ge=0, le=2)] = 1
    mode: Literal["abort", "wait", "keep"] = "abort"


Tokenize: TypeAdapter[TokenizeText | TokenizeChat] = TypeAdapter(TokenizeText | TokenizeChat)


def read(kind: type[Read], given: object, *, part: str = "body") -> Read:
    """`given` (parsed JSON, or a query's values) as `kind`. Raises RefusedError."""
    try:
        return kind.model_validate(given, from_attributes=True)
    except ValidationError as error:
        raise _refused(error, part) from error


def read_query(kind: type[Read], query: Mapping[str, str]) -> Read:
    return read(kind, {name: query[name] for name in kind.model_fields if name in query}, part="query")


def read_tokenize(given: object) -> TokenizeText | TokenizeChat:
    try:
        return Tokenize.validate_python(given, from_attributes=True)
    except ValidationError as error:
        raise _refused(error, "body") from error


def _refused(error: ValidationError, part: str) -> Exception:
    branches = ("TokenizeText", "TokenizeChat")
    return malformed(
        [
            {**each, "loc": (part, *(place for place in each["loc"] if place not in branches))}
            for each in error.errors(include_url=False)
        ]
    )
