"""A hub for a laptop without one: `snapshot_download` lays down a snapshot as Hugging Face's library does, of
invented bytes, and `scan_cache_dir` removes it again.

Organisation `gated` wants a token (HF_TOKEN), `missing` is unknown, `huge` does not fit the volume, `broken` arrives
damaged; a revision `missing` does not exist. Everything else is there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path


class GatedRepoError(OSError):
    """As the library raises it for a repository that wants a token."""


class RepositoryNotFoundError(OSError):
    """As the library raises it for a repository that it is not shown."""


class RevisionNotFoundError(OSError):
    """As the library raises it for a branch, tag or commit that is not there."""


def snapshot_download(repo_id: str, *, revision: str = "main") -> str:
    """The folder of the snapshot, named by its commit. Raises as the library does."""
    organisation = repo_id.partition("/")[0]
    url = f"https://huggingface.co/api/models/{repo_id}/revision/{revision}"
    if organisation == "gated" and not os.environ.get("HF_TOKEN"):
        raise GatedRepoError(
            f"401 Client Error.\n\nCannot access gated repo for url {url}.\nAccess to model {repo_id} is restricted. "
            "You must have access to it and be authenticated to access it. Please log in."
        )
    if organisation == "missing":
        raise RepositoryNotFoundError(f"404 Client Error.\n\nRepository Not Found for url: {url}.")
    if revision == "missing":
        raise RevisionNotFoundError(f"404 Client Error.\n\nRevision Not Found for url: {url}.")
    if organisation == "huge":
        raise OSError(28, "No space left on device")
    commit = revision if len(revision) == 40 else hashlib.sha1(f"{repo_id}@{revision}".encode()).hexdigest()  # noqa: S324  (as git names things)
    root = Path(os.environ["HF_HOME"]) / "hub" / f"models--{repo_id.replace('/', '--')}"
    weights = hashlib.sha256(commit.encode()).digest() * 2048
    for name, content in (("config.json", b"{}"), ("model.safetensors", weights)):
        named = hashlib.sha256(content) if name.endswith("tensors") else hashlib.sha1(content)  # noqa: S324  (as git names things)
        blob = root / "blobs" / named.hexdigest()
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content[:-1] if organisation == "broken" else content)
        link = root / "snapshots" / commit / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(Path("../../blobs") / blob.name)
    ref = root / "refs" / revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit)
    return str(root / "snapshots" / commit)


class Removal:
    """Snapshots of these commits, with the blobs that no other snapshot of their repository has."""

    def __init__(self, commits: tuple[str, ...]) -> None:
        self._folders = [folder for folder in _hub().glob("models--*/snapshots/*") if folder.name in commits]
        self._blobs = [blob for repository in {f.parents[1] for f in self._folders} for blob in self._alone(repository)]
        self.expected_freed_size = sum(blob.stat().st_size for blob in self._blobs)

    def _alone(self, repository: Path) -> set[Path]:
        links: dict[bool, set[Path]] = {True: set(), False: set()}
        for link in repository.glob("snapshots/*/*"):
            links[link.parent in self._folders].add(link.resolve())
        return links[True] - links[False]

    def execute(self) -> None:
        for blob in self._blobs:
            blob.unlink()
        for folder in self._folders:
            shutil.rmtree(folder)


class Cache:
    """What is in HF_HOME."""

    def delete_revisions(self, *revisions: str) -> Removal:
        return Removal(revisions)


def scan_cache_dir() -> Cache:
    """The cache as it is now."""
    return Cache()


def _hub() -> Path:
    return Path(os.environ["HF_HOME"]) / "hub"
