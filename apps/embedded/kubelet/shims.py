"""Commands like ``vllm`` as files on a container's PATH, for images that start them from a shell."""

from __future__ import annotations

import shlex
from pathlib import Path

from apps.embedded.kubelet.settings import Settings


def write_shims(settings: Settings) -> None:
    """(Re)write one script for each program of the image table; none for the engine when the real one is wanted."""
    directory = settings.shim_directory
    directory.mkdir(parents=True, exist_ok=True)
    for stale in directory.iterdir():
        stale.unlink()
    for image in settings.images:
        for name, arguments in image.programs.items():
            if settings.real_engine and name == "vllm":
                continue
            command = shlex.join([settings.python, *arguments])
            root = shlex.quote(settings.code_root)
            script = Path(directory / name)
            script.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {command} "$@"\n')
            script.chmod(0o755)
