"""LoRA adapters: which an engine has, and how their requests are told apart from those of the base model."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.embedded.engine.domain.requests import RefusedError


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """`--enable-lora` and what goes with it. `modules`: (name, path) of `--lora-modules`; `at_run_time`: adapters may
    be loaded and unloaded over HTTP (VLLM_ALLOW_RUNTIME_LORA_UPDATING)."""

    max_loras: int
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


class Adapters:
    """The adapters that are loaded, by name. `base`: names of the base model; `exists`: whether a path can be read."""

    def __init__(self, settings: LoraSettings | None, base: Sequence[str], exists: Callable[[str], bool]) -> None:
        self._exists, self._base = exists, frozenset(base)
        self._ids = itertools.count(1)
        self._loaded: dict[str, Adapter] = {}
        for name, path in settings.modules if settings is not None else ():
            self.load({"lora_name": name, "lora_path": path})

    def __iter__(self) -> Any:
        return iter(self._loaded.values())

    def get(self, name: str) -> Adapter | None:
        return self._loaded.get(name)

    def names(self, ids: set[int]) -> str:
        """Names of these ids, as the label of vllm:lora_requests_info lists them."""
        return ",".join(sorted(adapter.name for adapter in self if adapter.id in ids))

    def load(self, body: Mapping[str, Any]) -> str:
        """What vLLM answers to /v1/load_lora_adapter. Raises RefusedError."""
        name, path = body.get("lora_name"), body.get("lora_path")
        if not name or not path:
            raise RefusedError("Both 'lora_name' and 'lora_path' must be provided.", type="InvalidUserInput")
        if name in self._base:
            raise RefusedError(
                f"The lora adapter '{name}' conflicts with a served base model.", type="InvalidUserInput"
            )
        present = self._loaded.get(str(name))
        if present is not None and not body.get("load_inplace"):
            raise RefusedError(
                f"The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, set "
                "'load_inplace' to True.",
                type="InvalidUserInput",
            )
        if not self._exists(str(path)):
            raise RefusedError(
                f"Loading lora {name} failed: No adapter found for {path}", status=404, type="NotFoundError"
            )
        self._loaded[str(name)] = Adapter(present.id if present else next(self._ids), str(name), str(path))
        return f"Success: LoRA adapter '{name}' added successfully."

    def unload(self, body: Mapping[str, Any]) -> str:
        """What vLLM answers to /v1/unload_lora_adapter. Raises RefusedError."""
        name = body.get("lora_name")
        if not name:
            raise RefusedError("'lora_name' needs to be provided to unload a LoRA adapter.", type="InvalidUserInput")
        if str(name) not in self._loaded:
            raise RefusedError(f"The lora adapter '{name}' cannot be found.", status=404, type="NotFoundError")
        del self._loaded[str(name)]
        return f"Success: LoRA adapter '{name}' removed successfully."
