"""What conditions may say: every type with its place in the tree, every reason with its meaning and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ConditionType:
    """A condition of a kind of object. `parent`: the condition that it is a part of, None for the top.

    A condition with parts is True when all of them are; else it says what the first part says that is not.
    """

    kind: str
    type: str
    parent: str | None
    question: str


@dataclass(frozen=True)
class Reason:
    """One reason of a condition. `meaning` and `do_next` are for people; `do_next` is "" where nothing needs doing."""

    kind: str
    type: str
    reason: str
    meaning: str
    do_next: str = ""


def page(types: Iterable[ConditionType], reasons: Iterable[Reason]) -> str:
    """The reference page in Markdown, in the order of the arguments."""
    types, reasons = list(types), list(reasons)
    lines = [
        "# Conditions",
        "",
        "Written by `manage.py conditions_page` from the table that the code registers; a test keeps both equal.",
        "",
        "A condition answers one question about an object: `True`, `False` or `Unknown`, since when, with a reason for",
        "programs and a sentence for people. `observedGeneration` says which generation of the spec it is about.",
        "A condition with parts is `True` when all of them are; otherwise it repeats the first part that is not.",
        "`GET /api/v1/conditions` gives the same as JSON.",
    ]
    for kind in dict.fromkeys(entry.kind for entry in types):
        lines += ["", f"## {kind}", ""]
        mine = [entry for entry in types if entry.kind == kind]
        lines += _tree(mine, None, 0)
        for entry in mine:
            rows = [row for row in reasons if (row.kind, row.type) == (kind, entry.type)]
            if rows:
                lines += ["", f"### {kind}: {entry.type}", "", "| reason | meaning | what to do |", "|---|---|---|"]
                lines += [f"| `{row.reason}` | {_cell(row.meaning)} | {_cell(row.do_next) or '–'} |" for row in rows]
    return "\n".join(lines) + "\n"


def _tree(types: list[ConditionType], parent: str | None, depth: int) -> list[str]:
    lines = []
    for entry in types:
        if entry.parent == parent:
            lines.append(f"{'  ' * depth}- **{entry.type}**: {entry.question}")
            lines += _tree(types, entry.type, depth + 1)
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
