"""One client of a cluster for all threads of a process, so that what it knows is asked once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from apps.clusters.errors import BadCredentials
from apps.clusters.kube import Credentials, Kube, connect

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "%s"}}]
users: [{name: c, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: c}}]
"""
THREADS = 8


def credentials(folder: Path, server: str = "https://127.0.0.1:1/behind/a/path") -> Credentials:
    file = folder / "kubeconfig"
    file.write_text(KUBECONFIG % server)
    return Credentials(kubeconfig=str(file))


def test_threads_that_ask_at_once_get_the_same_client(tmp_path: Path) -> None:
    given = credentials(tmp_path)
    together = Barrier(THREADS)

    def ask(_: int) -> Kube:
        together.wait(60)
        return connect("shared", given)

    with ThreadPoolExecutor(THREADS) as threads:
        assert len({id(client) for client in threads.map(ask, range(THREADS))}) == 1


def test_other_credentials_make_another_client(tmp_path: Path) -> None:
    given = credentials(tmp_path)
    before = connect("rotated", given)
    assert connect("rotated", given) is before
    os.utime(tmp_path / "kubeconfig", (1, 1))
    assert connect("rotated", given) is not before


def test_an_address_that_is_none_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(BadCredentials, match="cannot be used"):
        connect("nowhere", credentials(tmp_path, "https://:port"))
