"""From the body of an OpenAI request to what the engine is asked to do, or to the refusal that vLLM would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.embedded.engine.domain.tokens import VOCABULARY, chat_prompt, tokenize

MOST_CHOICES = 1024


# what vLLM calls a body that its schema refuses; what its code refuses is a BadRequestError
MALFORMED = "Bad Request"


class RefusedError(Exception):
    """A refused request: HTTP status, vLLM's name of the error, the sentence, the parameter at fault."""

    def __init__(self, message: str, *, status: int = 400, type: str = "BadRequestError", param: str | None = None):
        super().__init__(message)
        self.message, self.status, self.type, self.param = message, status, type, param

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.status}}


@dataclass(frozen=True, slots=True)
class Generation:
    """A request for text. `prompts`: token ids, one sequence a prompt; each is answered `n` times. `max_tokens` is
    None when the client leaves it to the server."""

    chat: bool
    model: str
    prompts: tuple[tuple[int, ...], ...]
    n: int
    max_tokens: int | None
    min_tokens: int
    ignore_eos: bool
    stops: tuple[str, ...]
    stream: bool
    include_usage: bool
    continuous_usage: bool
    cache_salt: str
    priority: int
    echo_text: tuple[str, ...]
    transfer: Mapping[str, Any]
    """`kv_transfer_params`: what of the KV cache is handed over between engines."""


def read_generation(body: object, *, chat: bool) -> Generation:
    """The request in `body` (parsed JSON). Raises RefusedError."""
    if not isinstance(body, Mapping):
        raise RefusedError("The body must be a JSON object.")
    if body.get("logprobs") or body.get("prompt_logprobs") or body.get("top_logprobs"):
        raise RefusedError("The engine simulator computes no log probabilities; leave them out.", param="logprobs")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, Mapping):
        raise _invalid("stream_options", "Input should be a valid dictionary")
    stream = _flag(body, "stream")
    if options and not stream:
        raise RefusedError("Stream options can only be defined when `stream=True`.", param="stream_options")
    texts, prompts = _chat_prompt(body) if chat else _prompts(body)
    limit = _integer(body, "max_completion_tokens", least=1) if chat else None
    limit = limit if limit is not None else _integer(body, "max_tokens", least=1)
    if not all(prompts):
        raise RefusedError("The decoder prompt cannot be empty", param="prompt")
    n = _integer(body, "n", least=1) or 1
    if n * len(prompts) > MOST_CHOICES:
        raise RefusedError(f"n must be at most {MOST_CHOICES // len(prompts)} here, but you asked for {n}.", param="n")
    options = options or {}
    return Generation(
        chat=chat,
        model=str(body.get("model") or ""),
        prompts=prompts,
        n=n,
        max_tokens=limit if limit is not None or chat else 16,
        min_tokens=_integer(body, "min_tokens", least=0) or 0,
        ignore_eos=_flag(body, "ignore_eos"),
        stops=_stops(body),
        stream=stream,
        include_usage=_flag(options, "include_usage"),
        continuous_usage=_flag(options, "continuous_usage_stats"),
        cache_salt=str(body.get("cache_salt") or ""),
        priority=_integer(body, "priority") or 0,
        echo_text=texts if not chat and _flag(body, "echo") else (),
        transfer=_transfer(body),
    )


def _transfer(body: Mapping[str, Any]) -> Mapping[str, Any]:
    given = body.get("kv_transfer_params")
    if given is not None and not isinstance(given, Mapping):
        raise _invalid("kv_transfer_params", "Input should be a valid dictionary")
    return given or {}


def tokens_to_generate(generation: Generation, prompt_tokens: int, max_model_len: int) -> int:
    """The most tokens that an answer to a prompt of `prompt_tokens` may have. Raises RefusedError when prompt and
    answer do not fit `max_model_len`."""
    asked = generation.max_tokens
    if prompt_tokens + (asked or 0) > max_model_len or prompt_tokens >= max_model_len:
        raise RefusedError(
            f"This model's maximum context length is {max_model_len} tokens. However, you requested {asked or 0} "
            f"output tokens and your prompt contains {prompt_tokens} input tokens, for a total of "
            f"{prompt_tokens + (asked or 0)} tokens. Please reduce the length of the input prompt or the number of "
            "requested output tokens.",
            param="input_tokens",
        )
    return max_model_len - prompt_tokens if asked is None else asked


def model_not_found(name: str) -> RefusedError:
    return RefusedError(f"The model `{name}` does not exist.", status=404, type="NotFoundError", param="model")


def busy() -> RefusedError:
    sentence = "The engine is currently busy. Please retry after some time."
    return RefusedError(sentence, status=503, type="ServiceUnavailableError")


def draining() -> RefusedError:
    return RefusedError("cannot schedule new futures after shutdown", status=500, type="InternalServerError")


def _prompts(body: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    if "prompt" not in body or body["prompt"] is None:
        raise RefusedError("Either prompt or prompt_embeds must be provided and non-empty.", param="prompt")
    prompt = body["prompt"]
    if isinstance(prompt, str) or (isinstance(prompt, list) and prompt and isinstance(prompt[0], int)):
        prompt = [prompt]
    if not isinstance(prompt, list) or not prompt:
        raise RefusedError("Either prompt or prompt_embeds must be provided and non-empty.", param="prompt")
    if len(prompt) > MOST_CHOICES:
        raise RefusedError(f"At most {MOST_CHOICES} prompts in one request.", param="prompt")
    texts = tuple(item if isinstance(item, str) else "" for item in prompt)
    return texts, tuple(tuple(tokenize(item)) if isinstance(item, str) else _token_ids(item) for item in prompt)


def _token_ids(item: object) -> tuple[int, ...]:
    if not isinstance(item, list) or not item or not all(type(token) is int for token in item):
        raise _invalid("prompt", "Input should be a string, a list of strings, of token ids, or of lists of token ids")
    if min(item) < 0 or max(item) >= VOCABULARY:
        raise RefusedError(f"Token id {max(item)} is out of vocabulary", param="prompt")
    return tuple(item)


def _chat_prompt(body: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise _invalid("messages", "Field required" if messages is None else "Input should be a valid list")
    if not messages:
        raise RefusedError("messages must not be empty", param="messages")
    plain = []
    for message in messages:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise _invalid("messages", "each message is an object with a role and a content")
        plain.append({"role": message["role"], "content": _content(message.get("content"))})
    text = chat_prompt(plain)
    return (text,), (tuple(tokenize(text)),)


def _content(content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
        return "\n".join(str(part.get("text", "")) for part in content)
    raise _invalid("messages", "content is a string or a list of parts of type text")


def _stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    stop = body.get("stop") or []
    stops: Sequence[object] = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(item, str) and item for item in stops):
        raise _invalid("stop", "Input should be a valid string or a list of strings")
    return tuple(str(item) for item in stops)


def _integer(body: Mapping[str, Any], name: str, *, least: int | None = None) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int:
        raise _invalid(name, "Input should be a valid integer")
    if least is not None and value < least:
        raise RefusedError(f"{name} must be at least {least}, got {value}.", param=name)
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and type(value) is not bool:
        raise _invalid(name, "Input should be a valid boolean")
    return bool(value)


def _invalid(name: str, problem: str) -> RefusedError:
    sentence = f"1 validation error: {{'loc': ('body', '{name}'), 'msg': '{problem}'}}"
    return RefusedError(sentence, type=MALFORMED, param=f"body.{name}")
