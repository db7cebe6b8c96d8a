"""What a client and a scraper see of an engine, reduced to what must be equal in the simulator and in a real vLLM:
whole bodies and codes of refusals, structures of answers, states, names and labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.wait import wait_until

LIMIT = 60.0
PROMPT = list(range(100, 300))

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
HELLO = [{"role": "user", "content": "hello there"}]


def _completion(**more: Any) -> tuple[str, str, Any]:
    return "POST", COMPLETIONS, {"model": "tiny", "prompt": "a", "max_tokens": 2, **more}


def _chat(**more: Any) -> tuple[str, str, Any]:
    return "POST", CHAT, {"model": "tiny", "messages": HELLO, "max_tokens": 2, **more}


REFUSED: dict[str, tuple[str, str, Any]] = {
    "no body": ("POST", COMPLETIONS, None),
    "no json": ("POST", COMPLETIONS, "{"),
    "half a list": ("POST", COMPLETIONS, "[1"),
    "a word": ("POST", COMPLETIONS, "nope"),
    "a list": ("POST", COMPLETIONS, []),
    "no prompt": ("POST", COMPLETIONS, {"model": "tiny"}),
    "unknown model": _completion(model="nobody"),
    "model no text": _completion(model=3),
    "too many tokens": _completion(max_tokens=100_000),
    "prompt too long": _completion(prompt=[5] * 2049),
    "prompt far too long": _completion(prompt=[5] * 2685),
    "no room left": _completion(prompt=[5] * 2048),
    "negative": _completion(max_tokens=-1),
    "none": _completion(max_tokens=0),
    "wrong type": _completion(max_tokens="many"),
    "a fraction": _completion(max_tokens=1.5),
    "empty prompt": _completion(prompt=""),
    "no prompts": _completion(prompt=[]),
    "one empty prompt": _completion(prompt=[[]]),
    "one prompt empty": _completion(prompt=["", "a"]),
    "prompt a number": _completion(prompt=5),
    "prompt an object": _completion(prompt={"a": 1}),
    "prompt mixed": _completion(prompt=[1, "a"]),
    "token negative": _completion(prompt=[-1]),
    "token out of vocabulary": _completion(prompt=[10**9]),
    "no answers": _completion(n=0),
    "too many answers": _completion(n=20_000),
    "answers no number": _completion(n="x"),
    "many greedy answers": _completion(n=2, temperature=0),
    "cold": _completion(temperature=-1),
    "hot": _chat(temperature=3),
    "temperature no number": _completion(temperature="x"),
    "top_p zero": _completion(top_p=0),
    "top_p two": _completion(top_p=2),
    "top_k": _completion(top_k=-5),
    "min_p": _completion(min_p=2),
    "presence": _completion(presence_penalty=3),
    "frequency": _completion(frequency_penalty=-3),
    "repetition": _completion(repetition_penalty=0),
    "min_tokens negative": _completion(min_tokens=-1),
    "min_tokens above": _completion(min_tokens=5),
    "stop a number": _completion(stop=3),
    "stop of numbers": _completion(stop=[1]),
    "stop empty": _completion(stop=""),
    "stream no boolean": _completion(stream="x"),
    "echo no boolean": _completion(echo="x"),
    "priority no number": _completion(priority="x"),
    "salt empty": _completion(cache_salt=""),
    "salt no text": _completion(cache_salt=3),
    "transfer no object": _completion(kv_transfer_params=3),
    "stream options without stream": _completion(stream_options={"include_usage": True}),
    "stream options no object": _completion(stream_options=3, stream=True),
    "log probabilities": _completion(logprobs=-1),
    "no messages": ("POST", CHAT, {"model": "tiny"}),
    "empty messages": _chat(messages=[]),
    "messages a number": _chat(messages=3),
    "a message a number": _chat(messages=[3]),
    "a message without a role": _chat(messages=[{"content": "a"}]),
    "an image": _chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
    "chat of an unknown model": _chat(model="nobody"),
    "too many completion tokens": _chat(max_completion_tokens=100_000),
    "chat of no tokens": _chat(max_completion_tokens=0),
    "tokenize nothing": ("POST", "/tokenize", {"model": "tiny"}),
    "tokenize a number": ("POST", "/tokenize", {"model": "tiny", "prompt": 3}),
    "tokenize for nobody": ("POST", "/tokenize", {"model": "nobody", "prompt": "a"}),
    "unknown route": ("GET", "/v1/nothing", None),
    "wrong method": ("GET", COMPLETIONS, None),
    "head": ("HEAD", "/health", None),
    "unload unknown adapter": ("POST", UNLOAD, {"lora_name": "nobody"}),
    "unload without a name": ("POST", UNLOAD, {}),
    "unload an empty name": ("POST", UNLOAD, {"lora_name": ""}),
    "load adapter from nowhere": ("POST", LOAD, {"lora_name": "x", "lora_path": "/nowhere"}),
    "load adapter from elsewhere": ("POST", LOAD, {"lora_name": "x", "lora_path": "/tmp"}),
    "load adapter without a path": ("POST", LOAD, {"lora_name": "x", "lora_path": ""}),
    "load adapter without path": ("POST", LOAD, {"lora_name": "x"}),
    "load adapter as the base model": ("POST", LOAD, {"lora_name": "tiny", "lora_path": "/nowhere"}),
    "sleep too deep": ("POST", "/sleep?level=3", None),
    "sleep no number": ("POST", "/sleep?level=deep", None),
    "sleep in no mode": ("POST", "/sleep?mode=hard", None),
}  # fmt: skip


def ask(url: str, method: str, path: str, body: Any, *, limit: float = LIMIT) -> requests.Response:
    text = body if isinstance(body, str) else None if body is None else json.dumps(body)
    return requests.request(
        method, url + path, data=text, headers={"Content-Type": "application/json"} if text else {}, timeout=limit
    )


def reply(url: str, method: str, path: str, body: Any = None) -> list[Any]:
    """Status and body of an answer."""
    answer = ask(url, method, path, body)
    try:
        return [answer.status_code, answer.json()]
    except ValueError:
        return [answer.status_code, answer.text]


def refusals(url: str) -> dict[str, Any]:
    """Status and whole body of what is wrong."""
    return {name: reply(url, *question) for name, question in REFUSED.items()}


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


SLEEP = (
    ("POST", "/sleep?level=1"), ("POST", "/sleep?level=1"), ("POST", "/sleep?level=2"), ("POST", "/wake_up"),
    ("POST", "/wake_up"), ("POST", "/sleep"), ("POST", "/wake_up?tags=weights"), ("POST", "/wake_up?tags=kv_cache"),
    ("POST", "/sleep?level=2&mode=wait"), ("POST", "/wake_up?tags=nonsense"), ("POST", "/wake_up"),
    ("POST", "/sleep?level=0"), ("POST", "/wake_up"), ("POST", "/sleep?mode=keep"), ("POST", "/wake_up"),
)  # fmt: skip


def sleeping(url: str) -> dict[str, Any]:
    """The protocol of sleep: what each step answers, and what engine, page and probe say after it."""
    return {
        f"{number} {path}": {
            "answer": reply(url, method, path),
            "is_sleeping": reply(url, "GET", "/is_sleeping"),
            "states": {labels["sleep_state"]: value for labels, value in series(url, "vllm:engine_sleep_state")},
            "health": reply(url, "GET", "/health"),
        }
        for number, (method, path) in enumerate(SLEEP)
    }


def adapters(url: str, folder: Path, bad: Path) -> dict[str, Any]:
    """Loading and unloading adapters at run time, and what is said of them. `folder`: of the adapters `formal` and
    `brief`, of rank 8; `bad`: of one whose rank is above the engine's, and of one whose configuration is no JSON."""
    body = {"prompt": PROMPT, "max_tokens": 3, "ignore_eos": True, "temperature": 0}

    def load(name: str, place: Path, **more: Any) -> list[Any]:
        return reply(url, "POST", LOAD, {"lora_name": name, "lora_path": str(place / name), **more})

    def models() -> dict[str, Any]:
        return {each["id"]: each["parent"] for each in requests.get(url + "/v1/models", timeout=LIMIT).json()["data"]}

    def cached(model: str) -> Any:
        answer = ask(url, "POST", COMPLETIONS, {**body, "model": model}).json()
        return answer["model"], (answer["usage"]["prompt_tokens_details"] or {}).get("cached_tokens")

    names = ["load formal", "load brief"]
    found: dict[str, Any] = dict(zip(names, [load("formal", folder), load("brief", folder)], strict=True))
    found["again"] = load("formal", folder)
    found["in place"] = load("formal", folder, load_inplace=True)
    found["rank above"] = load("rank16", bad)
    found["no json"] = load("broken", bad)
    found["models"] = models()
    # adapters share no prefix with their model nor with each other
    found["cached"] = [cached(model) for model in ("tiny", "formal", "brief", "tiny", "formal", "brief")]
    info = series(url, "vllm:lora_requests_info")
    found["info"] = sorted({tuple(sorted(labels)) for labels, _ in info})
    found["most"] = sorted({labels["max_lora"] for labels, _ in info})
    found["unload"] = reply(url, "POST", UNLOAD, {"lora_name": "brief"})
    found["unload again"] = reply(url, "POST", UNLOAD, {"lora_name": "brief"})
    found["asked after"] = reply(url, "POST", COMPLETIONS, {**body, "model": "brief"})
    found["models after"] = models()
    reply(url, "POST", UNLOAD, {"lora_name": "formal"})
    return found


DRAINING: dict[str, tuple[str, str, Any]] = {
    "health": ("GET", "/health", None),
    "ping": ("GET", "/ping", None),
    "load": ("GET", "/load", None),
    "completion": ("POST", COMPLETIONS, {"model": "tiny", "prompt": "a b c"}),
    "stream": ("POST", COMPLETIONS, {"model": "tiny", "prompt": "a b c", "stream": True}),
    "chat": ("POST", CHAT, {"model": "tiny", "messages": HELLO}),
    "unknown model": ("POST", COMPLETIONS, {"model": "nobody", "prompt": PROMPT}),
    "no prompt": ("POST", COMPLETIONS, {"model": "tiny"}),
    "tokenize": ("POST", "/tokenize", {"model": "tiny", "prompt": "a"}),
    "is sleeping": ("GET", "/is_sleeping", None),
    "sleep": ("POST", "/sleep", None),
    "wake up": ("POST", "/wake_up", None),
    "reset": ("POST", "/reset_prefix_cache", None),
    "load adapter": ("POST", LOAD, {"lora_name": "x", "lora_path": "/nowhere"}),
    "unload adapter": ("POST", UNLOAD, {"lora_name": "x"}),
}  # fmt: skip


def draining(url: str, terminate: Callable[[], None]) -> dict[str, Any]:
    """What an engine with a --shutdown-timeout answers between SIGTERM and its end, and how a stream ends that runs.
    A second one, which nobody waits for, is long enough to keep the engine from its end meanwhile."""
    with _stream(url, 1900) as long, _stream(url, 100) as short:
        lines = [(line.decode() for line in answer.iter_lines() if line) for answer in (long, short)]
        for each in lines:
            next(each)
        terminate()
        wait_until(lambda: drains(url), timeout=LIMIT, message="new requests are refused", step=0.01)
        found = {name: reply(url, *question) for name, question in DRAINING.items()}
        found["page"] = requests.get(url + "/metrics", timeout=LIMIT).status_code
        # who sends token ids needs no tokenizer, and is aborted instead
        status, answer = reply(url, "POST", COMPLETIONS, {"model": "tiny", "prompt": PROMPT[:40], "max_tokens": 3})
        choice = answer["choices"][0]
        found["token ids"] = [status, choice["finish_reason"], choice["text"], answer["usage"]["completion_tokens"]]
        *_, last, done = lines[1]
    found["end"] = [json.loads(last.removeprefix("data: "))["choices"][0]["finish_reason"], done]
    return found


def drains(url: str) -> bool:
    """Whether it refuses new requests. One that comes at the very moment of SIGTERM may be left without an answer."""
    return ask(url, *DRAINING["completion"], limit=2).status_code == 500


def _stream(url: str, tokens: int) -> requests.Response:
    body = {"model": "tiny", "prompt": PROMPT[:100], "max_tokens": tokens, "ignore_eos": True, "stream": True}
    return requests.post(url + COMPLETIONS, json=body, stream=True, timeout=LIMIT)


def series(url: str, name: str) -> list[tuple[dict[str, str], float]]:
    families = text_string_to_metric_families(requests.get(url + "/metrics", timeout=LIMIT).text)
    return [(sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name]


# when a series was made: the client library's own
_CREATED = "_created"
# of the process that answers, and of what was asked of it before
_OWN_VALUES = ("vllm:cache_config_info", "vllm:lora_requests_info", "http_", "python_info")


def page(url: str) -> dict[str, Any]:
    """Every family with its type and the names of its labels, and every series of vLLM's own by its labels."""
    families: dict[str, Any] = {}
    all_series = set()
    for family in text_string_to_metric_families(requests.get(url + "/metrics", timeout=LIMIT).text):
        if family.name.endswith(_CREATED):
            continue
        names = sorted({name for sample in family.samples for name in sample.labels} - {"le"})
        families[family.name] = [family.type, names]
        if not family.name.startswith(_OWN_VALUES):
            all_series |= {sample.name + str(sorted(sample.labels.items())) for sample in family.samples}
    return {"families": families, "series": sorted(all_series)}


def routes(url: str) -> dict[str, Any]:
    """Methods by path, as the real engine lists them."""
    paths = requests.get(url + "/openapi.json", timeout=LIMIT).json()["paths"]
    return {path: sorted(method.upper() for method in methods) for path, methods in sorted(paths.items())}


def counted(url: str, names: tuple[str, ...]) -> dict[str, float]:
    """Values of counters, summed over engines, by name and labels."""
    found: dict[str, float] = {}
    for name in names:
        for labels, value in series(url, name):
            rest = {key: text for key, text in labels.items() if key not in ("engine", "model_name")}
            found[f"{name}{sorted(rest.items())}"] = value
    return found
