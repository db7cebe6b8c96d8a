"""The API-only transcripts of a real API server, played against the embedded one over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conformance.apiserver import TOKENS, Running, running_server
from tests.conformance.crds import install_recorded_crds
from tests.conformance.transcripts import Mismatch, Replay, load, names, transcripts_folder

# {transcript: reason}, or {transcript: {step: reason}} where only single answers differ
NOT_REPLAYED: dict[str, str | dict[str, str]] = json.loads((Path(__file__).parent / "not_replayed.json").read_text())
pytestmark = pytest.mark.skipif(
    transcripts_folder() is None,
    reason="the transcripts are not here: set LAMPLIGHT_SHARED to the folder that has k8s/",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[Running]:
    async with running_server() as running:
        install_recorded_crds(running.server)
        yield running


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", names(controllers=False))
async def test_the_server_answers_as_recorded(api: Running, name: str) -> None:
    replay = Replay(api.session, api.url, TOKENS, compact=api.compact)
    known = NOT_REPLAYED.get(name, {})
    if isinstance(known, dict):
        await replay.play(load(name), differing=[int(step) for step in known])
        return
    with pytest.raises(Mismatch):
        await replay.play(load(name))
        pytest.fail(f"{name} passes now: take it out of not_replayed.json")


def test_the_table_of_what_is_not_replayed_names_transcripts() -> None:
    unknown = set(NOT_REPLAYED) - set(names(controllers=False))
    assert not unknown, f"not_replayed.json names transcripts that do not exist: {sorted(unknown)}"
    for reasons in NOT_REPLAYED.values():
        stated = reasons.values() if isinstance(reasons, dict) else [reasons]
        assert all(reason.strip() for reason in stated)
