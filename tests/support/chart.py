"""The chart of deploy/helm as Helm itself renders it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.support.web import PROJECT

CHART = PROJECT / "deploy" / "helm" / "lamplight"
HELM = Path(sys.executable).with_name("helm")


class Refused(Exception):
    """Helm would not render these values; the text is what it said."""


def render(*settings: str, namespace: str = "lamplight") -> list[dict[str, Any]]:
    """Objects of `helm template` with `--set` for each of `settings`, an image given. Raises Refused."""
    given = ["image.repository=registry.example.com/lamplight", *settings]
    argv = [str(HELM), "template", "lamplight", str(CHART), "--namespace", namespace]
    done = subprocess.run(
        [*argv, *(word for setting in given for word in ("--set", setting))], capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        raise Refused(done.stderr)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [found for found in objects if found["kind"] == kind]
