from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lamp import Server, run_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    with run_server() as running:
        monkeypatch.setenv("LAMPLIGHT_SERVER", running.url)
        monkeypatch.setenv("LAMPLIGHT_TOKEN", "lamp_secret")
        monkeypatch.setenv("LAMPLIGHT_CONFIG", str(tmp_path / "config.json"))
        monkeypatch.chdir(tmp_path)
        yield running
