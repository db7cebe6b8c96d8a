"""From one llm-d release to another: the same pool, declared for the other release, and what a person should know.

What Lamplight renders follows the release by itself; here is what a declaration says in a release's own words: an image
of that release, a picker configuration of one's own, engine arguments that the other release's engines do not take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.catalog.domain.dialects import Dialect
from apps.catalog.domain.picker_config import misfits, picker_release
from apps.catalog.domain.vllm import ParsedArgs, parse_args
from apps.pools.domain.engines import flag_of
from apps.pools.domain.spec import DEFAULT_IMAGE, PoolSpec

# flags of 0.5's engines that newer ones do not have, and what stands in their place
_GONE = {"--disable-uvicorn-access-log": "", "--disable-log-requests": "", "--swap-space": ""}


@dataclass(frozen=True)
class Migration:
    """`spec`: the document for the other release. `notes`: what changed by hand of the migration, and what to look at.
    `blocked`: what a person has to mend first."""

    spec: dict[str, Any]
    notes: tuple[str, ...]
    blocked: tuple[str, ...]


def migrate(spec: PoolSpec, before: Dialect, after: Dialect) -> Migration:
    """The declaration of a pool for another release."""
    document = spec.to_document()
    notes: list[str] = []
    blocked: list[str] = []
    document["dialect"] = after.name
    _images(spec, document, before, after, notes)
    _arguments(document, after, notes)
    if spec.routing.scheduler is not None:
        translated, said, stuck = translate(spec.routing.scheduler, before.name, after.name)
        document["routing"]["scheduler"] = translated
        notes += said
        blocked += stuck
    for field, was, now in _headers(before, after):
        notes.append(f"clients send {now} instead of {was} ({field})")
    return Migration(document, tuple(notes), tuple(blocked))


def _images(spec: PoolSpec, document: dict[str, Any], before: Dialect, after: Dialect, notes: list[str]) -> None:
    own = {image: family for family, image in before.engine_images.items()}
    places = [("engine.image", document["engine"], "image")]
    places += [(f"variants[{v['name']}].image", v, "image") for v in document["variants"] if v.get("image")]
    for place, held, key in places:
        if held[key] == DEFAULT_IMAGE:
            continue  # nobody chose it: it follows the release by itself
        family = own.get(held[key])
        new = after.engine_images.get(family or "")
        if family is not None and new is not None and new != held[key]:
            notes.append(f"{place}: {held[key]} becomes {new}")
            held[key] = new
        elif family is None:
            notes.append(f"{place} stays {held[key]}: see that it is a vLLM that llm-d {after.name} knows")


def _arguments(document: dict[str, Any], after: Dialect, notes: list[str]) -> None:
    if after.name == "0.5":
        return  # the flags of its engines are in no table of ours
    kept = []
    for word in document["engine"]["args"]:
        if flag_of(word) in _GONE:
            notes.append(f"engine.args: {word} is gone from newer engines and is left out")
        else:
            kept.append(word)
    document["engine"]["args"] = kept
    parsed = parse_args("99.0", ["model", *kept])
    if not isinstance(parsed, ParsedArgs):
        notes.append(f"engine.args: newer engines would refuse them: {parsed}")


def translate(config: Mapping[str, Any], before: str, after: str) -> tuple[dict[str, Any], list[str], list[str]]:
    """A picker configuration of one's own in the words of another release: the configuration, notes, and what cannot be
    translated by itself (a plugin that has become several, a parameter that is gone)."""
    old, new = picker_release(before), picker_release(after)
    document: dict[str, Any] = {**config, "apiVersion": new.api_version}
    notes = [f"routing.scheduler: apiVersion becomes {new.api_version}"]
    renames = {"prefill-header-handler": None, "disagg-headers-handler": None}
    plugins = []
    for plugin in config.get("plugins") or []:
        kind = str(plugin.get("type"))
        if kind in renames and kind not in new.plugins:
            notes.append(f"routing.scheduler: {kind} is left out: its profile handler does that now")
            continue
        plugins.append(dict(plugin))
        row = old.plugins.get(kind)
        if kind not in new.plugins and row is not None and row.renamed:
            notes.append(f"routing.scheduler: {kind} is {row.renamed} in llm-d {after}")
    document["plugins"] = plugins
    blocked = [f"routing.scheduler{m.pointer}: {m.sentence}" for m in misfits(document, after)]
    return document, notes, blocked


def _headers(before: Dialect, after: Dialect) -> list[tuple[str, str, str]]:
    pairs = [
        ("the request's objective", before.objective_header, after.objective_header),
        ("its tenant, for fairness", before.fairness_header, after.fairness_header),
        ("its latency for TTFT", before.slo_ttft_header, after.slo_ttft_header),
        ("its latency for TPOT", before.slo_tpot_header, after.slo_tpot_header),
    ]
    return [row for row in pairs if row[1] != row[2]]
