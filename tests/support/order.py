"""How files of tests are dealt out to the processes of a parallel run (`--dist loadfile`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

_ROOT = Path(__file__).resolve().parents[2]
# fixtures that are whole products, of which one is enough: files that ask for the same are one piece of work
WHOLE = ("week", "running_stack")
# what takes minutes a file begins, so that no process is still at it when the others have nothing left; thousands of
# short ones come last
FIRST = ("tests/e2e", "tests/resilience", "tests/integration", "tests/conformance", "tests/security")


class InOrder(LoadFileScheduling):
    """A file stays in one process, and so do files that share a whole product; they come in the order of collection,
    which `place` says, not by how many tests they have."""

    def _split_scope(self, nodeid: str) -> str:
        return piece(super()._split_scope(nodeid))


def place(path: str) -> tuple[int, int]:
    """Where a file (of the project's root) stands in a run."""
    folder = next((number for number, folder in enumerate(FIRST) if path.startswith(f"{folder}/")), len(FIRST))
    name = piece(path)
    return (folder, WHOLE.index(name) if name in WHOLE else len(WHOLE))


@cache
def piece(path: str) -> str:
    """The product that a file of the browser's and end-to-end tests shares with others, else the file itself."""
    if not path.startswith("tests/e2e/"):
        return path
    text = (_ROOT / path).read_text()
    return next((fixture for fixture in WHOLE if f" {fixture}: " in text or f"({fixture}: " in text), path)
