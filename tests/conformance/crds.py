"""The CustomResourceDefinitions that were installed while the transcripts were recorded."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from apps.embedded.apiserver.bootstrap import create_if_absent
from apps.embedded.apiserver.server import ApiServer
from tests.conformance.transcripts import transcripts_folder


@cache
def recorded_crds() -> tuple[dict[str, Any], ...]:
    folder = transcripts_folder()
    assert folder is not None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for path in sorted(folder.parent.glob("crds/*/*.yaml")):
        found += [d for d in yaml.load_all(path.read_text(), Loader=loader) if d]  # a safe loader
    return tuple(found)


def install_recorded_crds(server: ApiServer) -> None:
    for crd in recorded_crds():
        create_if_absent(server, "apiextensions.k8s.io", "v1", "customresourcedefinitions", crd)
