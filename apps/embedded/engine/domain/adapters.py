"""LoRA adapters: which an engine has, and how their requests are told apart from those of the base model."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.embedded.engine.domain.bodies import LoadAdapter, UnloadAdapter
from apps.embedded.engine.domain.refusals import RefusedError


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """`--enable-lora` and what goes with it. `modules`: (name, path) of `--lora-modules`; `at_run_time`: adapters may
    be loaded and unloaded over HTTP (VLLM_ALLOW_RUNTIME_LORA_UPDATING)."""

    max_loras: int
    max_rank: int
    modules: tuple[tuple[str, str], ...]
    at_run_time: bool


@dataclass(frozen=True, slots=True)
class Adapter:
    id: int
    name: str
    path: str


def read_modules(given: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """(name, path) of each `--lora-modules`: `name=path`, or JSON with name and path. Raises ValueError."""
    found = []
    for text in given or ():
        if text.startswith("{"):
            try:
                entry = json.loads(text)
                found.append((str(entry["name"]), str(entry["path"])))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"Invalid fields for --lora-modules: {text} - {error}") from error
        else:
            name, separator, path = text.partition("=")
            if not separator or "," in text:
                raise ValueError(f"--lora-modules {text}: write name=path, or JSON with name and path")
            found.append((name, path))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Stored:
    """What lies under an adapter's path. `config`: the text of its adapter_config.json; `tensors`: whether there is a
    file of weights."""

    config: str
    tensors: bool


def problem_of(stored: Stored, max_rank: int) -> str | None:
    """For what reason vLLM's worker does not load an adapter, None where it does."""
    try:
        config = json.loads(stored.config)
    except ValueError as error:
        return str(error)
    missing = sorted({"r", "lora_alpha", "target_modules"} - set(config))
    if missing:
        return f"Missing required configuration fields: {{{', '.join(map(repr, missing))}}}"
    if config["r"] > max_rank:
        return f"LoRA rank {config['r']} is greater than max_lora_rank {max_rank}."
    return None if stored.tensors else "<path> doesn't contain tensors"


class Adapters:
    """The adapters that are loaded, by name. `base`: names of the base model; `look`: what lies under a path, None
    where there is no adapter, True for one that lies elsewhere."""

    def __init__(
        self, settings: LoraSettings | None, base: Sequence[str], look: Callable[[str], Stored | bool | None]
    ) -> None:
        self._look, self._base = look, frozenset(base)
        self._max_rank = settings.max_rank if settings is not None else 0
        self._ids = itertools.count(1)
        self._loaded: dict[str, Adapter] = {}
        for name, path in settings.modules if settings is not None else ():
            self.load(LoadAdapter(lora_name=name, lora_path=path))

    def __iter__(self) -> Any:
        return iter(self._loaded.values())

    def get(self, name: str) -> Adapter | None:
        return self._loaded.get(name)

    def names(self, ids: set[int]) -> str:
        """Names of these ids, as the label of vllm:lora_requests_info lists them."""
        return ",".join(sorted(adapter.name for adapter in self if adapter.id in ids))

    def load(self, asked: LoadAdapter) -> str:
        """What vLLM answers to /v1/load_lora_adapter. Raises RefusedError."""
        name, path = asked.lora_name, asked.lora_path
        if not name or not path:
            raise RefusedError("Both 'lora_name' and 'lora_path' must be provided.", type="InvalidUserInput")
        if name in self._base:
            raise RefusedError(
                f"The lora adapter '{name}' conflicts with a served base model.", type="InvalidUserInput"
            )
        present = self._loaded.get(name)
        if present is not None and not asked.load_inplace:
            raise RefusedError(
                f"The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, set "
                "'load_inplace' to True.",
                type="InvalidUserInput",
            )
        found = self._look(path)
        if not found:
            raise RefusedError(
                f"Loading lora {name} failed: No adapter found for {path}", status=404, type="NotFoundError"
            )
        if isinstance(found, Stored) and (problem := problem_of(found, self._max_rank)):
            raise RefusedError(
                f"Call to add_lora method failed: Worker failed with error '{problem}', please check the stack trace "
                "above for the root cause",
                status=500,
                type="InternalServerError",
            )
        self._loaded[name] = Adapter(present.id if present else next(self._ids), name, path)
        return f"Success: LoRA adapter '{name}' added successfully."

    def unload(self, asked: UnloadAdapter) -> str:
        """What vLLM answers to /v1/unload_lora_adapter. Raises RefusedError."""
        name = asked.lora_name
        if not name:
            raise RefusedError("'lora_name' needs to be provided to unload a LoRA adapter.", type="InvalidUserInput")
        if name not in self._loaded:
            raise RefusedError(f"The lora adapter '{name}' cannot be found.", status=404, type="NotFoundError")
        del self._loaded[name]
        return f"Success: LoRA adapter '{name}' removed successfully."
