"""The transcripts recorded with controllers, scheduler and a stand-in kubelet, played against ours over HTTP.

All files are played side by side on one cluster, each in its own namespace, as the recording allows.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from apps.embedded.client import Access, KubeClient
from apps.embedded.controllers.domain.template_hash import SAFE_ALPHABET
from apps.embedded.controllers.manager import Manager
from tests.conformance.apiserver import TOKENS, running_server
from tests.conformance.crds import install_recorded_crds
from tests.conformance.standin import StandInKubelet
from tests.conformance.transcripts import Replay, load, names, transcripts_folder

NOT_REPLAYED: dict[str, str] = json.loads((Path(__file__).parent / "not_replayed_controllers.json").read_text())
SIDE_BY_SIDE = 10
FILE_DEADLINE_S = 100
LITERAL_HASH = re.compile(rf"\bweb-([{SAFE_ALPHABET}]{{8,10}})(?!\w|-\w)")

pytestmark = [
    pytest.mark.skipif(
        transcripts_folder() is None,
        reason="the transcripts are not here: set LAMPLIGHT_SHARED to the folder with k8s/",
    ),
    pytest.mark.timeout(400),
]


def with_hash_placeholders(value: Any, known: dict[str, str]) -> Any:
    """Hashes that no response field had bound stand in messages as literals of the recording; ours are other values."""
    if isinstance(value, str):
        return LITERAL_HASH.sub(lambda match: "web-" + known.setdefault(match[1], f"$hash{100 + len(known)}"), value)
    if isinstance(value, list):
        return [with_hash_placeholders(item, known) for item in value]
    if isinstance(value, dict):
        return {key: with_hash_placeholders(item, known) for key, item in value.items()}
    return value


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replays() -> AsyncIterator[dict[str, asyncio.Task[None]]]:
    """One running replay a file; each test awaits its own."""
    async with running_server() as running:
        install_recorded_crds(running.server)
        access = Access(server=running.url, token=TOKENS["admin"], ca_pem=None)
        bundle = Access(server=running.url, token="", ca_pem="-----BEGIN CERTIFICATE-----")
        async with (
            KubeClient(access, user_agent="kube-controller-manager/v1.36.2", connections=32) as client,
            KubeClient(access, user_agent="kube-scheduler/v1.36.2") as scheduler_client,
            KubeClient(access, user_agent="OpenAPI-Generator/1.0") as kubelet_client,
            StandInKubelet(kubelet_client),
            Manager(bundle, client, scheduler_client, host="vm"),
        ):
            slots = asyncio.Semaphore(SIDE_BY_SIDE)

            async def play(name: str) -> None:
                async with slots:
                    transcript = with_hash_placeholders(load(name), {})
                    async with asyncio.timeout(FILE_DEADLINE_S):
                        await Replay(running.session, running.url, TOKENS).play(transcript)

            tasks = {
                name: asyncio.create_task(play(name)) for name in names(controllers=True) if name not in NOT_REPLAYED
            }
            yield tasks
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [name for name in names(controllers=True) if name not in NOT_REPLAYED])
async def test_the_cluster_behaves_as_recorded(replays: dict[str, asyncio.Task[None]], name: str) -> None:
    await replays[name]


def test_the_table_of_what_is_not_replayed_names_transcripts() -> None:
    unknown = set(NOT_REPLAYED) - set(names(controllers=True))
    assert not unknown, f"not_replayed_controllers.json names transcripts that do not exist: {sorted(unknown)}"
    assert all(reason.strip() for reason in NOT_REPLAYED.values())


def test_literal_hashes_become_placeholders_of_their_own() -> None:
    known: dict[str, str] = {}
    first = with_hash_placeholders('ReplicaSet "web-597c5d9766" and "web-8596b9867" and "web-$hash1"', known)
    assert first == 'ReplicaSet "web-$hash100" and "web-$hash101" and "web-$hash1"'
    assert with_hash_placeholders({"name": "web-597c5d9766"}, known) == {"name": "web-$hash100"}
