"""A plan as text that reads like a code review: `-` was, `+` becomes, and beside it what that does to what runs."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from controlplane.cli.output import clean, to_yaml

__all__ = ["Line", "changes_anything", "of_item", "of_revisions", "show"]

_CONTEXT = 2
_WIDEST = 110
# what is new is read whole, a JSON of an engine's argument too; but nobody reads a list of a hundred buckets
_ENDLESS = 400
# of one field, and of one new object, as much as is read at a glance; `--full` shows the rest
_LONGEST = 24
# every object of Lamplight carries these: they tell a reader of a new one nothing
_USUAL_LABELS = ("app.kubernetes.io/", "lamplight.dev/", "llm-d.ai/")
# rules and alerts are written out of an SLO, which the review shows as well
_LONGEST_OF = {"PrometheusRule": 12}
# a new pool has no uid yet
_NO_UID = "00000000-0000-0000-0000-000000000000"
# by it a pod is replaced when a file that it reads has changed
_CONFIG_HASH = 'annotations["lamplight.dev/config-hash"]'
_LABEL = re.compile(r'(?:.+\.)?metadata\.labels\["(.+)"\]')
_CHILD = re.compile(r"(.+)\.([A-Za-z][A-Za-z0-9_-]*)")
_MARKS = {"created": "+", "changed": "~", "deleted": "-", "skipped": "!", "unchanged": "="}
_COLOURS = {"+": "green", "-": "red", "~": "yellow", "!": "magenta", "@": "cyan"}


@dataclass(frozen=True)
class Line:
    """One line; `mark` decides its colour: + - ~ ! @, or nothing."""

    text: str
    mark: str = ""
    bold: bool = False


def show(lines: Iterable[Line], *, colour: bool) -> None:
    """Print; without `colour` the same text, plain."""
    for line in lines:
        text = _printable(line.text)
        styled = click.style(text, fg=_COLOURS.get(line.mark), bold=line.bold or None) if colour else text
        click.echo(styled, color=colour)


def changes_anything(item: dict[str, Any]) -> bool:
    """Whether a planned document changes its declaration or anything in a cluster."""
    plan = item.get("plan")
    return item["action"] != "unchanged" or (plan is not None and not plan["summary"]["empty"])


def of_item(item: dict[str, Any], *, full: bool = False) -> Iterator[Line]:
    """One document of a planned bundle; without `full` long texts are shown by their beginning."""
    plan = item.get("plan")
    title = f"{item['kind'].lower()}/{item['name']}"
    verb = {"created": "is new", "updated": "is changed", "unchanged": "is declared as it stands"}[item["action"]]
    because = f", rendered anew because of {item['because']}" if item.get("because") else ""
    number = f" (plan {plan['id']})" if plan and plan.get("id") else ""
    mark = {"created": "+", "updated": "~"}.get(item["action"], "")
    yield Line(f"{title} of team {item['team']} {verb}{because}{number}", mark, bold=True)
    yield from _fields(item["spec"], indent="  ", effect=False, full=full)
    if item.get("problem"):
        yield Line(f"  ! {item['problem'].get('detail') or item['problem'].get('title')}", "!")
    if plan is not None:
        yield from of_plan(plan, full=full)


def of_plan(plan: dict[str, Any], *, full: bool = False) -> Iterator[Line]:
    """The objects of one plan, what it costs, what to look out for, and the plan in one line."""
    unchanged = [obj for obj in plan["objects"] if obj["action"] == "unchanged"]
    for obj in plan["objects"]:
        if obj["action"] != "unchanged":
            yield Line("")
            yield from _object(obj, full)
    if len(unchanged) != len(plan["objects"]):
        yield Line("")
    if unchanged:
        yield Line(f"  = {len(unchanged)} of {len(plan['objects'])} objects stay as they are")
    for row in plan["accelerators"]:
        if row["delta"]:
            yield Line(f"  {row['accelerator']}: {row['before']:g} → {row['after']:g} ({row['delta']:+g})")
    for row in plan["cost"]:
        if row["delta"]:
            cost = f"{row['before']:.2f} → {row['after']:.2f} {row['currency']}/h ({row['delta']:+.2f})"
            yield Line(f"  cost: {cost}")
    for warning in plan["warnings"]:
        yield Line(f"  ! {warning['reason']}: {warning['message']}", "!")
    yield Line(f"  plan: {plan['summary']['sentence']}", bold=True)


def of_revisions(found: dict[str, Any], *, full: bool = False) -> Iterator[Line]:
    """What changed between two revisions: the spec, and the objects as both would render today."""
    for end, word in ((found["from"], "from"), (found["to"], "to")):
        why = f": {end['reason']}" if end.get("reason") else ""
        yield Line(
            f"{word + ':':<6}generation {end['generation']} of {end['acceptedAt']} by {end['author']}{why}", bold=True
        )
    if not found["spec"]:
        yield Line("  the specs are the same")
    yield from _fields(found["spec"], indent="  ", effect=False, full=full)
    if found["objects"] is None:
        yield Line(f"  ! {found['reason']}", "!")
        return
    for obj in found["objects"]:
        yield Line("")
        yield from _object(obj, full)


def _object(obj: dict[str, Any], full: bool) -> Iterator[Line]:
    action = obj["action"]
    mark = _MARKS[action]
    notes = []
    if action == "changed":
        effect = {"inPlace": "in place", "restart": "restarts pods", "recreate": "deleted and made anew"}[obj["effect"]]
        notes.append(f"restarts {obj['restarts']} of {obj['variant'] or 'its pods'}" if obj["restarts"] else effect)
    elif action != "created" or obj.get("reason"):
        notes.append(action if action == "deleted" else f"left alone: {obj['reason']}")
    else:
        notes.append("new")
    fields = [field for field in obj["fields"] if full or not field["path"].endswith(_CONFIG_HASH)]
    if len(fields) < len(obj["fields"]):
        notes.append("for its changed configuration")
    if obj["immutable"]:
        notes.append(f"immutable: {', '.join(obj['immutable'])}")
    place = f" in {obj['namespace']}" if obj.get("namespace") else ""
    yield Line(f"  {mark} {obj['kind']} {obj['name']}{place} · {' · '.join(notes)}", mark, bold=True)
    if obj.get("message") and action == "skipped":
        yield Line(f"      {obj['message']}", "!")
    for conflict in obj["conflicts"]:
        when = f" at {conflict['at']}" if conflict.get("at") else ""
        yield Line(f"      {conflict['manager']} wrote{when}: {', '.join(conflict['fields'])}", "!")
    if obj.get("manifest") is not None:
        manifest = obj["manifest"] if full else _telling(obj["manifest"])
        written = _named(to_yaml(manifest)) if manifest else ""
        text = [Line(f"    + {_cut(line, full)}", "+") for line in written.splitlines()]
        yield from _folded(text, "    ", full)
    longest = _LONGEST_OF.get(obj["kind"], _LONGEST)
    usual = [] if full else [field for field in fields if _is_usual(field)]
    if usual:
        yield Line(f"    + {_labels(len(usual))} by which Lamplight finds what is its own (--full shows them)", "+")
        fields = [field for field in fields if field not in usual]
    yield from _fields(fields, indent="    ", effect=True, full=full, longest=longest)
    if obj.get("fieldsLeftOut"):
        yield Line(f"    … and {obj['fieldsLeftOut']} more fields")


def _is_usual(field: dict[str, Any]) -> bool:
    """Whether it is a label that an adopted object gets as any object of Lamplight has it."""
    label = _LABEL.fullmatch(field["path"])
    return label is not None and label[1].startswith(_USUAL_LABELS) and "before" not in field


def _labels(number: int) -> str:
    return "a label" if number == 1 else f"{number} labels"


def _telling(manifest: dict[str, Any]) -> dict[str, Any]:
    """A new object without what its title says already (kind, name, namespace) and the labels that all carry."""
    rest = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind", "metadata")}
    template = (rest.get("spec") or {}).get("template")
    if isinstance(template, dict) and "metadata" in template:
        pod = {key: value for key, value in template.items() if key != "metadata"}
        rest["spec"] = {**rest["spec"], "template": {**_own_metadata(template), **pod}}
    return {**_own_metadata(manifest), **rest}


def _own_metadata(obj: dict[str, Any]) -> dict[str, Any]:
    metadata = dict(obj.get("metadata") or {})
    labels = {k: v for k, v in (metadata.pop("labels", None) or {}).items() if not k.startswith(_USUAL_LABELS)}
    kept = {key: value for key, value in metadata.items() if key not in ("name", "namespace")}
    kept |= {"labels": labels} if labels else {}
    return {"metadata": kept} if kept else {}


def _folded(lines: list[Line], indent: str, full: bool, longest: int = _LONGEST) -> Iterator[Line]:
    """The beginning of what is long, and how much is left out."""
    if full or len(lines) <= longest + 4:
        yield from lines
        return
    yield from lines[:longest]
    rest = lines[longest:]
    changed = sum(line.mark in ("+", "-") for line in rest)
    yield Line(f"{indent}… {changed} more changed lines (--full shows them)", "@")


def _cut(text: str, full: bool) -> str:
    return text if full or len(text) <= _WIDEST else text[:_WIDEST] + "…"


def _fields(
    fields: Sequence[dict[str, Any]], *, indent: str, effect: bool, full: bool, longest: int = _LONGEST
) -> Iterator[Line]:
    """Changed fields; small neighbours of one parent stand together, as in the file that people wrote."""
    for (parent, _), group in itertools.groupby(fields, lambda field: (_parent(field), _notes(field, effect))):
        found = list(group)
        if parent and len(found) > 1:
            yield Line(f"{indent}@@ {parent} @@{_notes(found[0], effect)}", "@")
            for field in found:
                name = field["path"].rpartition(".")[2]
                was, becomes = (
                    to_yaml({name: field[side]}).splitlines() if side in field else [] for side in ("before", "after")
                )
                yield from (
                    Line(f"{indent}{mark} {text}", mark.strip()) for mark, text in _compared(was, becomes, full)
                )
        else:
            for field in found:
                yield from _field(field, indent=indent, effect=effect, full=full, longest=longest)


def _parent(field: dict[str, Any]) -> str:
    """The path of the field that holds it; nothing where the value is a text or a list that is read on its own."""
    split = _CHILD.fullmatch(field["path"])
    values = [field[side] for side in ("before", "after") if side in field]
    alone = any(
        (isinstance(value, str) and ("\n" in value or len(value) > _WIDEST))
        or (isinstance(value, list) and value and not isinstance(value[0], dict))
        for value in values
    )
    return "" if split is None or alone or field["op"] == "reordered" else split[1]


def _notes(field: dict[str, Any], effect: bool) -> str:
    notes = [{"restart": "restarts pods", "recreate": "immutable"}.get(field["effect"], "")] if effect else []
    for writer in field.get("writers") or []:
        notes.append(f"as {writer['manager']} wrote it" + (f" at {writer['at']}" if writer.get("at") else ""))
    if field["op"] == "reordered":
        notes.append("another order")
    return f"  ({'; '.join(note for note in notes if note)})" if any(notes) else ""


def _field(
    field: dict[str, Any], *, indent: str, effect: bool, full: bool = False, longest: int = _LONGEST
) -> Iterator[Line]:
    yield Line(f"{indent}@@ {field['path']} @@{_notes(field, effect)}", "@")
    before = _text(field["before"]) if "before" in field else []
    after = _text(field["after"]) if "after" in field else []
    lines = [Line(f"{indent}{mark} {text}", mark.strip()) for mark, text in _compared(before, after, full)]
    yield from _folded(lines, indent, full, longest)


def _compared(before: list[str], after: list[str], full: bool) -> Iterator[tuple[str, str]]:
    """Lines with `-`, `+` or a blank; of what stays only what stands near a change, of long lines what differs."""
    before, after = [_named(text) for text in before], [_named(text) for text in after]
    steps = difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(_CONTEXT)
    for i, group in enumerate(steps):
        if i:
            yield " ", "…"
        for op, a, b, c, d in group:
            if op == "equal":
                yield from ((" ", _cut(text, False)) for text in before[a:b])
                continue
            was, becomes = before[a:b], after[c:d]
            if len(was) == len(becomes) and not full:
                pairs = [_around(one, other) for one, other in zip(was, becomes, strict=True)]
                was, becomes = [one for one, _ in pairs], [other for _, other in pairs]
            else:
                was, becomes = (
                    [text if len(text) <= _ENDLESS else _cut(text, full) for text in side] for side in (was, becomes)
                )
            yield from (("-", text) for text in was)
            yield from (("+", text) for text in becomes)


def _named(text: str) -> str:
    return text.replace(_NO_UID, "<uid of the new pool>")


def _around(one: str, other: str) -> tuple[str, str]:
    """Two long lines, cut to where they differ."""
    if max(len(one), len(other)) <= _WIDEST:
        return one, other
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    start = max(0, same - _WIDEST // 3)
    head = "…" if start else ""
    return tuple(  # type: ignore[return-value]
        head + text[start : start + _WIDEST] + ("…" if len(text) > start + _WIDEST else "") for text in (one, other)
    )


def _text(value: Any) -> list[str]:
    """A value in lines: text by its lines, a list by its items, anything else as YAML."""
    if isinstance(value, str):
        return value.splitlines() or [""]
    if isinstance(value, list) and value and all(not isinstance(item, dict | list) for item in value):
        return [_scalar(item) for item in value]
    if isinstance(value, dict | list) and value:
        return to_yaml(value).splitlines()
    return [_scalar(value)]


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if not isinstance(value, dict | list) else "{}" if isinstance(value, dict) else "[]"


def _printable(text: str) -> str:
    """One line without control characters, which a terminal would obey; its indentation stays."""
    return text[: len(text) - len(text.lstrip())] + clean(text)
