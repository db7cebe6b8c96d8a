"""Which local program stands for which container image."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Image:
    """``entrypoint`` is the image's own command; ``programs`` are commands that a local Python module plays."""

    name: str
    match: tuple[str, ...]
    entrypoint: tuple[str, ...]
    programs: Mapping[str, tuple[str, ...]]
    about: str


def read_images(table: Mapping[str, Any]) -> tuple[Image, ...]:
    return tuple(
        Image(
            name=entry["name"],
            match=tuple(entry["match"]),
            entrypoint=tuple(entry.get("entrypoint") or ()),
            programs={name: tuple(module) for name, module in (entry.get("programs") or {}).items()},
            about=entry["about"],
        )
        for entry in table["images"]
    )


def repository(reference: str) -> str:
    """An image reference without tag and digest: ``ghcr.io/llm-d/llm-d-cuda:v0.9.0`` → ``ghcr.io/llm-d/llm-d-cuda``."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def find_image(images: Sequence[Image], reference: str) -> Image | None:
    """The first image whose pattern matches the repository, with or without its registry host."""
    full = repository(reference)
    host, _, rest = full.partition("/")
    short = rest if rest and ("." in host or ":" in host or host == "localhost") else full
    for image in images:
        if any(fnmatch.fnmatchcase(full, pattern) or fnmatch.fnmatchcase(short, pattern) for pattern in image.match):
            return image
    return None


def unknown_image_message(images: Sequence[Image], reference: str) -> str:
    known = ", ".join(image.match[0] for image in images)
    return (
        f'image "{reference}" does not exist on the embedded cluster, which pulls nothing and has local programs for '
        f"{known} only"
    )


def command_line(image: Image, container: Mapping[str, Any], *, python: str, real_engine: bool) -> list[str]:
    """argv of a container: command or the image's entrypoint, then args; a played program becomes a Python module.

    With ``real_engine`` the command that serves is left as it is; what stands beside engines is played all the same.
    ValueError when there is nothing to run.
    """
    argv = [*(container.get("command") or image.entrypoint), *(container.get("args") or [])]
    if not argv:
        raise ValueError(f'container "{container["name"]}" has no command, and image {image.name} has none of its own')
    program = argv[0].rpartition("/")[2]
    if program in image.programs and not (real_engine and program == "vllm" and argv[1:2] == ["serve"]):
        return [python, *image.programs[program], *argv[1:]]
    return argv
