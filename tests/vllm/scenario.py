"""What a client and a scraper see of an engine, reduced to names, keys, states and error codes: the same questions are
put to the simulator and to a real vLLM, and the answers must be equal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

LIMIT = 60.0
PROMPT = list(range(100, 300))

REFUSED: dict[str, tuple[str, str, Any]] = {
    "no body": ("POST", "/v1/completions", None),
    "no json": ("POST", "/v1/completions", "{"),
    "no prompt": ("POST", "/v1/completions", {"model": "tiny"}),
    "unknown model": ("POST", "/v1/completions", {"model": "nobody", "prompt": "a"}),
    "too long": ("POST", "/v1/completions", {"model": "tiny", "prompt": "a", "max_tokens": 100_000}),
    "negative": ("POST", "/v1/completions", {"model": "tiny", "prompt": "a", "max_tokens": -1}),
    "wrong type": ("POST", "/v1/completions", {"model": "tiny", "prompt": "a", "max_tokens": "many"}),
    "empty prompt": ("POST", "/v1/completions", {"model": "tiny", "prompt": ""}),
    "token out of vocabulary": ("POST", "/v1/completions", {"model": "tiny", "prompt": [10**9]}),
    "stream options without stream": (
        "POST", "/v1/completions", {"model": "tiny", "prompt": "a", "stream_options": {"include_usage": True}},
    ),
    "no messages": ("POST", "/v1/chat/completions", {"model": "tiny"}),
    "empty messages": ("POST", "/v1/chat/completions", {"model": "tiny", "messages": []}),
    "unknown route": ("GET", "/v1/nothing", None),
    "wrong method": ("GET", "/v1/completions", None),
    "unload unknown adapter": ("POST", "/v1/unload_lora_adapter", {"lora_name": "nobody"}),
    "load adapter from nowhere": ("POST", "/v1/load_lora_adapter", {"lora_name": "x", "lora_path": "/nowhere"}),
    "load adapter without a path": ("POST", "/v1/load_lora_adapter", {"lora_name": "x", "lora_path": ""}),
    "load adapter as the base model": ("POST", "/v1/load_lora_adapter", {"lora_name": "tiny", "lora_path": "/nowhere"}),
}  # fmt: skip


def ask(url: str, method: str, path: str, body: Any) -> requests.Response:
    text = body if isinstance(body, str) else None if body is None else json.dumps(body)
    return requests.request(
        method, url + path, data=text, headers={"Content-Type": "application/json"} if text else {}, timeout=LIMIT
    )


def refusals(url: str) -> dict[str, Any]:
    """Status, and the error's type and code, of what is wrong."""
    found = {}
    for name, (method, path, body) in REFUSED.items():
        answer = ask(url, method, path, body)
        try:
            error = answer.json().get("error")
        except ValueError:
            error = None
        found[name] = (answer.status_code, error and (error["type"], error["code"], sorted(error)))
    return found


def keys(value: Any) -> Any:
    """The structure of an answer without its values."""
    if isinstance(value, dict):
        return {name: keys(each) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return [keys(value[0])] if value else []
    return type(value).__name__ if value is not None else None


def answers(url: str) -> dict[str, Any]:
    """The structure of answers, and what must be equal in them."""
    base = {"model": "tiny", "max_tokens": 4, "ignore_eos": True}
    chat = {**base, "messages": [{"role": "user", "content": "hello there"}]}
    plain = ask(url, "POST", "/v1/completions", {**base, "prompt": PROMPT}).json()
    again = ask(url, "POST", "/v1/completions", {**base, "prompt": PROMPT}).json()
    stream_options = {"stream": True, "stream_options": {"include_usage": True}}
    return {
        "completion": keys(plain),
        "cached": again["usage"]["prompt_tokens_details"],
        "usage": {name: plain["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")},
        "reason": plain["choices"][0]["finish_reason"],
        "chat": keys(ask(url, "POST", "/v1/chat/completions", chat).json()),
        "stream": list(chunks(url, "/v1/completions", {**base, "prompt": "a b", **stream_options})),
        "chat stream": list(chunks(url, "/v1/chat/completions", {**chat, **stream_options})),
        "models": keys(requests.get(url + "/v1/models", timeout=LIMIT).json()),
        "sources": keys(requests.get(url + "/kv_event_sources", timeout=LIMIT).json()),
        "health": requests.get(url + "/health", timeout=LIMIT).status_code,
        "load": requests.get(url + "/load", timeout=LIMIT).json(),
        "tokenize": keys(ask(url, "POST", "/tokenize", {"model": "tiny", "prompt": "a b"}).json()),
    }


def chunks(url: str, path: str, body: dict[str, Any]) -> Iterator[Any]:
    """The distinct structures of a stream's events, in the order in which they come first, without times of arrival."""
    seen = []
    for line in ask(url, "POST", path, body).text.splitlines():
        if not line.startswith("data: "):
            continue
        text = line.removeprefix("data: ")
        shape = text if text == "[DONE]" else keys(json.loads(text))
        if shape not in seen:
            seen.append(shape)
            yield shape


def sleeping(url: str) -> list[Any]:
    """States of the sleep protocol."""
    seen = []
    for path in ("/sleep?level=1", "/wake_up"):
        answer = requests.post(url + path, timeout=LIMIT)
        state = requests.get(url + "/is_sleeping", timeout=LIMIT).json()
        states = {labels["sleep_state"]: value for labels, value in series(url, "vllm:engine_sleep_state")}
        health = requests.get(url + "/health", timeout=LIMIT).status_code
        seen.append((path, answer.status_code, state, states, health))
    return seen


def series(url: str, name: str) -> list[tuple[dict[str, str], float]]:
    families = text_string_to_metric_families(requests.get(url + "/metrics", timeout=LIMIT).text)
    return [(sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name]


# what a machine, a Python or the HTTP framework is named, and what depends on what was asked of it before
_OWN = ("python_", "process_", "http_", "vllm:cache_config_info", "vllm:lora_requests_info")


def page(url: str) -> dict[str, Any]:
    """Metric families with their types, and every series' labels."""
    text = requests.get(url + "/metrics", timeout=LIMIT).text
    families = {
        family.name: family.type
        for family in text_string_to_metric_families(text)
        if not family.name.startswith(_OWN) and not family.name.endswith("_created")
    }
    labels = {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not family.name.startswith(_OWN)
    }
    return {"families": families, "series": labels}


def counted(url: str, names: tuple[str, ...]) -> dict[str, float]:
    """Values of counters, summed over engines, by name and labels."""
    found: dict[str, float] = {}
    for name in names:
        for labels, value in series(url, name):
            rest = {key: text for key, text in labels.items() if key not in ("engine", "model_name")}
            found[f"{name}{sorted(rest.items())}"] = value
    return found
