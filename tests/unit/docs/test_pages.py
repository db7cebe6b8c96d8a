"""What the pages for people name exists: files, commands with their options, make's targets, settings, programs."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import click
import pytest

from controlplane.cli.main import cli
from tests.support.routes import api_routes
from tests.support.shared import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS = sorted(path.name for path in (ROOT / "apps").iterdir() if path.is_dir() and not path.name.startswith("_"))
TOPS = ("apps", "bench", "controlplane", "deploy", "docs", "examples", "frontend", "tests")


def spans(page: Path) -> list[str]:
    """Code within lines, and lines of code."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    plain = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*re.findall(r"`([^`\n]+)`", plain), *(line for block in blocks for line in block.splitlines())]


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s#]+)", page.read_text())
    gone = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert gone == []


def test_files_that_are_named_are_there(page: Path) -> None:
    """From the project's root, or as architecture.md does, from apps/; a module may be followed by a name in it."""
    named = re.compile(rf"^(?:{'|'.join([*TOPS, *ROOMS])})/[\w./-]*$")
    gone = []
    for word in (word for span in spans(page) for word in re.findall(r"[^\s,:;()]+", span)):
        if named.match(word) and not any(
            place.exists()
            for top in (ROOT, ROOT / "apps")
            for place in (top / word, top / f"{word}.py", top / f"{word.rpartition('.')[0]}.py")
        ):
            gone.append(word)
    assert gone == []


def test_commands_are_commands_with_options_that_they_have(page: Path) -> None:
    wrong = []
    for span in spans(page):
        for text in re.findall(r"(?:^|[\s;(])lamp ([a-z][^;|#]*)", span):
            words = text.split()
            command: click.Command | None = cli
            context = click.Context(cli)
            while isinstance(command, click.Group) and words and re.match(r"^[a-z-]+$", words[0]):
                try:
                    command = command.get_command(context, words.pop(0))
                except click.UsageError:
                    command = None
            if command is None:
                wrong.append(f"lamp {text}")
                continue
            known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
            asked = {word.strip("[]").partition("=")[0] for word in words if re.match(r"^\[?--?[a-z]", word)}
            wrong += [f"lamp {text}: {option}" for option in sorted(asked - known - {"--help"})]
    assert wrong == []


def test_targets_of_make_are_targets(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for span in spans(page) for word in re.findall(r"^make ([a-z][a-z0-9-]*)", span)}
    assert named - targets == set()


def test_benchmarks_and_programs_are_there(page: Path) -> None:
    text = page.read_text()
    benches = set(re.findall(r"make bench NAME=([a-z_]+)", text))
    assert [n for n in benches if not ((ROOT / "bench" / f"{n}.py").exists() or (ROOT / "bench" / n).is_dir())] == []
    own = {path.stem for path in ROOT.glob("apps/*/management/commands/*.py")}
    programs = set(re.findall(r"manage\.py ([a-z_]+)", text)) - {"migrate", "makemigrations"}
    assert programs - own == set()


def test_addresses_of_the_api_are_addresses(page: Path) -> None:
    """Written out from /api/v1/ on; a name in braces or capitals stands for any."""
    gone = []
    for address in re.findall(r"(?:GET |POST |PUT |PATCH |DELETE |[\s`(])(/api/v1/[^\s`?\"'),]*)", page.read_text()):
        for written in _alternatives(address.removeprefix("/api/v1/").rstrip("/.:;")):
            one = written.replace("{plural}", "pools")
            if one and not any(re.fullmatch(route, one) for route in _routes()):
                gone.append(f"/api/v1/{written}")
    assert gone == []


def _alternatives(address: str) -> list[str]:
    """`teams[/{team}[/members]]` is three addresses."""
    parts = address.replace("]", "").split("[")
    return ["".join(parts[: n + 1]) for n in range(len(parts))]


@cache
def _routes() -> list[str]:
    return [re.sub(r"<\w+:\w+>", "[^/]+", route) for route, _ in api_routes()]


def test_settings_are_read_somewhere(page: Path) -> None:
    source = _source()
    named = set(re.findall(r"\bLAMPLIGHT_[A-Z_]*[A-Z]\b", page.read_text()))
    assert [name for name in sorted(named) if name.removeprefix("LAMPLIGHT_") not in source] == []


@cache
def _source() -> str:
    tops = ("apps", "bench", "controlplane", "tests")
    return "\n".join(path.read_text() for top in tops for path in (ROOT / top).rglob("*.py"))
