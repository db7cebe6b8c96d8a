"""From the body of an OpenAI request to what the engine is asked to do, or to the refusal that vLLM would give.

vLLM looks at a request in this order, and so is it done here: the schema (`read_generation`), whether the model is
there, the lengths and the sampling parameters (`tokens_to_generate`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.embedded.engine.domain.bodies import Chat, Completion, Message, Sampling, read
from apps.embedded.engine.domain.refusals import RefusedError, wrong
from apps.embedded.engine.domain.tokens import VOCABULARY, chat_prompt, tokenize

MOST_CHOICES = 16384
MOST_PROMPTS = 1024


@dataclass(frozen=True, slots=True)
class Generation:
    """A request for text. `prompts`: token ids, one sequence a prompt; each is answered `n` times. `max_tokens` is
    None when the client leaves it to the server; `limited_by`: the parameter that said it. `sampling`: what else was
    asked, not looked at yet."""

    chat: bool
    model: str
    prompts: tuple[tuple[int, ...], ...]
    words: bool
    """Whether the tokenizer was asked, and not token ids given."""
    n: int
    max_tokens: int | None
    limited_by: str
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
    sampling: Sampling


def read_generation(body: object, *, chat: bool) -> Generation:
    """The request in `body` (parsed JSON) by its schema. Raises RefusedError."""
    if isinstance(body, Mapping):
        _before_the_schema(body, chat=chat)
    read_body: Chat | Completion = read(Chat, body) if chat else read(Completion, body)
    if isinstance(read_body, Chat):
        texts: tuple[str, ...] = (chat_text(read_body.messages),)
        prompts: tuple[tuple[int, ...], ...] = (tuple(tokenize(texts[0])),)
        by = "max_tokens" if read_body.max_completion_tokens is None else "max_completion_tokens"
        echo = False
    else:
        texts, prompts = _prompts(read_body.prompt)
        by, echo = "max_tokens", bool(read_body.echo)
    limit = getattr(read_body, by)
    options = read_body.stream_options
    return Generation(
        chat=chat,
        model=read_body.model or "",
        prompts=prompts,
        words=any(texts),
        n=1 if read_body.n is None else read_body.n,
        max_tokens=limit if limit is not None or chat else 16,
        limited_by=by,
        min_tokens=read_body.min_tokens,
        ignore_eos=read_body.ignore_eos,
        stops=(read_body.stop,) if isinstance(read_body.stop, str) else tuple(read_body.stop or ()),
        stream=bool(read_body.stream),
        include_usage=bool(options and options.include_usage),
        continuous_usage=bool(options and options.continuous_usage_stats),
        cache_salt=read_body.cache_salt or "",
        priority=read_body.priority,
        echo_text=texts if echo else (),
        transfer=read_body.kv_transfer_params or {},
        sampling=read_body,
    )


def _before_the_schema(body: Mapping[str, Any], *, chat: bool) -> None:
    salt = body.get("cache_salt")
    if salt is not None and (not isinstance(salt, str) or not salt):
        raise wrong("Parameter 'cache_salt' must be a non-empty string if provided.", param="cache_salt")
    # asked before the schema reads them, so whatever they are
    if body.get("logprobs") or body.get("prompt_logprobs") or body.get("top_logprobs"):
        raise RefusedError("The engine simulator computes no log probabilities; leave them out.", param="logprobs")
    if body.get("stream_options") and not body.get("stream"):
        raise wrong("Stream options can only be defined when `stream=True`.", param="stream_options")
    prompt = body.get("prompt")
    if not chat and (prompt is None or prompt == ""):
        raise wrong("Either prompt or prompt_embeds must be provided and non-empty.", param="prompt")
    if not chat and isinstance(prompt, list) and len(prompt) > MOST_PROMPTS and not _numbers(prompt):
        raise wrong(
            f"prompt list length {len(prompt)} exceeds the maximum allowed count of {MOST_PROMPTS}. To increase this "
            "limit, set the VLLM_MAX_COMPLETION_PROMPTS environment variable.",
            param="prompt",
        )
    messages = body.get("messages")
    if chat and messages is not None and not isinstance(messages, (list, str, Mapping)):
        raise RefusedError(f"'{type(messages).__name__}' object is not iterable")


def _numbers(given: Sequence[object]) -> bool:
    return all(isinstance(each, int) for each in given)


def tokens_to_generate(generation: Generation, prompt_tokens: int, max_model_len: int) -> int:
    """The most tokens that an answer to a prompt of `prompt_tokens` may have: what was asked for, or what the context
    leaves. Raises RefusedError for lengths and sampling parameters that vLLM refuses."""
    asked = generation.max_tokens
    if asked is not None and asked > max_model_len:
        raise wrong(
            f"{generation.limited_by}={asked} cannot be greater than max_model_len={max_model_len}. Please request "
            "fewer output tokens.",
            param=generation.limited_by,
            value=asked,
        )
    if prompt_tokens > max_model_len:
        # a text is cut one token above the limit before it is counted
        least = "at least " if prompt_tokens == max_model_len + 1 else ""
        raise wrong(
            f"This model's maximum context length is {max_model_len} tokens. However, your prompt contains "
            f"{least}{prompt_tokens} input tokens, which exceeds this limit even without any output tokens. Please "
            "reduce the length of the input prompt.",
            param="input_tokens",
            value=prompt_tokens,
        )
    if not all(generation.prompts):
        raise wrong("The decoder prompt cannot be empty")
    left = max_model_len - prompt_tokens
    limit = left if asked is None else min(asked, left)
    _check_sampling(generation, limit)
    return limit


def _check_sampling(generation: Generation, limit: int) -> None:
    """In the order of vLLM's own checks. Raises RefusedError."""
    asked = generation.sampling
    temperature = 1.0 if asked.temperature is None else asked.temperature
    top_p = 1.0 if asked.top_p is None else asked.top_p
    if generation.n < 1:
        raise wrong(f"n must be at least 1, got {generation.n}.")
    if generation.n > MOST_CHOICES:
        raise wrong(
            f"n must be at most {MOST_CHOICES}, got {generation.n}. To increase this limit, set the "
            "VLLM_MAX_N_SEQUENCES environment variable."
        )
    if generation.n * len(generation.prompts) > MOST_CHOICES:
        raise RefusedError(f"The engine simulator gives at most {MOST_CHOICES} answers to a request.", param="n")
    for name in ("presence_penalty", "frequency_penalty"):
        penalty = getattr(asked, name)
        if penalty is not None and not -2.0 <= penalty <= 2.0:
            raise wrong(f"{name} must be in [-2, 2], got {penalty}.")
    if asked.repetition_penalty is not None and not asked.repetition_penalty > 0:
        raise wrong(f"repetition_penalty must be greater than zero, got {asked.repetition_penalty}.")
    if not 0 <= temperature <= 2:
        rule = (
            "a finite number" if not math.isfinite(temperature) else "non-negative" if temperature < 0 else "in [0, 2]"
        )
        raise wrong(f"temperature must be {rule}, got {temperature}.", param="temperature", value=temperature)
    if not 0 < top_p <= 1:
        raise wrong(f"top_p must be in (0, 1], got {top_p}.", param="top_p", value=top_p)
    if asked.top_k is not None and asked.top_k < -1:
        raise wrong(f"top_k must be 0 (disable), or at least 1, got {asked.top_k}.")
    if asked.min_p is not None and not 0 <= asked.min_p <= 1:
        raise wrong(f"min_p must be in [0, 1], got {asked.min_p}.")
    if limit < 1:
        raise wrong(f"max_tokens must be at least 1, got {limit}.", param="max_tokens", value=limit)
    if generation.min_tokens < 0:
        raise wrong(f"min_tokens must be greater than or equal to 0, got {generation.min_tokens}.")
    if generation.min_tokens > limit:
        raise wrong(f"min_tokens must be less than or equal to max_tokens={limit}, got {generation.min_tokens}.")
    if not all(generation.stops):
        raise wrong("stop cannot contain an empty string.")
    if temperature == 0 and generation.n > 1:
        raise wrong(f"n must be 1 when using greedy sampling, got {generation.n}.")
    highest = max(map(max, generation.prompts))
    if highest >= VOCABULARY:
        raise wrong(f"Token id {highest} is out of vocabulary")


def _prompts(prompt: object) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Texts ("" for one of token ids) and token ids of each prompt."""
    if isinstance(prompt, str) or (isinstance(prompt, list) and prompt and isinstance(prompt[0], int)):
        prompt = [prompt]
    assert isinstance(prompt, list), "the schema takes nothing else"
    if not prompt:
        raise wrong("You must pass at least one prompt")
    texts = tuple(item if isinstance(item, str) else "" for item in prompt)
    return texts, tuple(tuple(tokenize(item) if isinstance(item, str) else item) for item in prompt)


def chat_text(messages: Sequence[Message]) -> str:
    """The prompt that a conversation becomes. Raises RefusedError."""
    if not messages:
        raise wrong("Cannot apply chat template to an empty conversation. Provide at least one message.")
    return chat_prompt([{"role": message.role, "content": _content(message.content)} for message in messages])


def _content(content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, Mapping) and part.get("type") == "text" for part in content):
        return "\n".join(str(part.get("text", "")) for part in content)
    raise RefusedError("content is a string or a list of parts of type text: the simulated model reads nothing else")
