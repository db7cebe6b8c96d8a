"""A decision as people read it: candidates, scores, weights, the winner, and why in a sentence."""

from __future__ import annotations

from typing import Any

from apps.physics.routing.scheduler import Decision, Run

# two sums closer than this are a tie
_EVEN = 1e-9


def explain(decision: Decision) -> dict[str, Any]:
    """The decision as a document: names as in REST answers."""
    request = decision.cycle.request
    document: dict[str, Any] = {
        "model": request.model,
        "promptTokens": request.prompt.tokens,
        "priority": request.priority,
        "fairnessId": request.fairness,
        "winner": decision.chosen.key,
        "reason": sentence(decision),
        "profiles": [_profile(decision, decision.run)],
        "prefill": None,
    }
    if decision.prefill is not None:
        document["prefill"] = decision.prefill.chosen.key
        document["profiles"].append(_profile(decision, decision.prefill))
    return document


def sentence(decision: Decision) -> str:
    """Why the winner won."""
    said = _why(decision, decision.run)
    if decision.prefill is not None:
        said += f" Its prompt is computed on {_short(decision.prefill.chosen.key)} first."
    elif decision.offered:
        said += " A hand-over of its prompt was wanted, but no replica for prefill could take it."
    return said


def _profile(decision: Decision, run: Run) -> dict[str, Any]:
    cycle = decision.cycle
    total = {each.key: value for each, value in zip(run.candidates, run.totals, strict=True)}
    dropped = {key: name for name, keys in run.dropped for key in keys}
    rows: list[dict[str, Any]] = []
    position = {each.key: index for index, each in enumerate(run.candidates)}
    for each in cycle.candidates:
        load, index = each.load, position.get(each.key)
        matches = {name: found[each.key] for name, found in cycle.matches.items() if each.key in found}
        foretold = cycle.predicted.get(each.key)
        rows.append(
            {
                "endpoint": each.key,
                "droppedBy": dropped.get(each.key),
                "load": None
                if load is None
                else {"waiting": load.waiting, "running": load.running, "kvUsage": round(load.kv_usage, 4)},
                "inflightRequests": each.inflight_requests,
                "inflightTokens": each.inflight_tokens,
                "prefix": {
                    name: {"matchedTokens": match.tokens, "matchedBlocks": match.blocks, "totalBlocks": match.total}
                    for name, match in matches.items()
                },
                "predicted": None
                if foretold is None
                else {"ttftMs": round(foretold.ttft * 1e3, 1), "tpotMs": round(foretold.tpot * 1e3, 2)},
                "scores": []
                if index is None
                else [
                    {
                        "plugin": name,
                        "raw": round(raw[index], 4),
                        "weight": weight,
                        "weighted": round(raw[index] * weight, 4),
                    }
                    for name, weight, raw in run.scores
                ],
                "total": None if index is None else round(total[each.key], 4),
            }
        )
    rows.sort(key=lambda row: (row["total"] is None, -(row["total"] or 0.0), row["endpoint"]))
    return {"name": run.profile, "picker": run.picker, "winner": run.chosen.key, "candidates": rows}


def _why(decision: Decision, run: Run) -> str:
    winner = _short(run.chosen.key)
    cut = sum(len(keys) for _, keys in run.dropped)
    left = f" after {', '.join(name for name, _ in run.dropped)} took out {cut}" if cut else ""
    if len(run.candidates) == 1:
        return f"{winner} was the only candidate{left or ''}."
    if run.picker == "random-picker" or not run.scores:
        return f"{winner} was drawn by chance among {len(run.candidates)} candidates{left}."
    keys = [each.key for each in run.candidates]
    place = keys.index(run.chosen.key)
    others = [index for index in range(len(keys)) if index != place]
    second = max(others, key=lambda index: run.totals[index])
    ahead = run.totals[place] - run.totals[second]
    total = f"{run.totals[place]:.2f}"
    if run.picker == "weighted-random-picker":
        return f"{winner} was drawn with the sum {total} among {len(keys)} candidates{left}, in proportion to the sums."
    if abs(ahead) < _EVEN:
        even = sum(1 for value in run.totals if abs(value - run.totals[place]) < _EVEN)
        return f"{winner} was drawn by chance among {even} candidates that share the highest sum {total}{left}."
    gains = sorted(((weight * (raw[place] - raw[second]), name) for name, weight, raw in run.scores), reverse=True)
    for_it = ", ".join(f"{name} +{gain:.2f}" for gain, name in gains if gain > _EVEN)
    against = ", ".join(f"{name} {gain:.2f}" for gain, name in reversed(gains) if gain < -_EVEN)
    told = for_it + (f", against {against}" if against else "")
    held = max((found[run.chosen.key].tokens for found in decision.cycle.matches.values() if run.chosen.key in found),
               default=0)  # fmt: skip
    cache = f" It holds {held} of the prompt's {decision.cycle.request.prompt.tokens} tokens." if held else ""
    return f"{winner} won with {total} against {run.totals[second]:.2f} of {_short(keys[second])}{left}: {told}.{cache}"


def _short(key: str) -> str:
    return key.partition("/")[2].rpartition(":")[0] or key
