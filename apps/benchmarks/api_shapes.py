"""What loads are like over REST, for the schema and the console's types."""

from __future__ import annotations

from typing import Any

from apps.benchmarks.domain.asking import SHAPES
from apps.benchmarks.models import DONE, FAILED, LOST, QUEUED, RUNNING, STOPPED

__all__ = ["COMPARISON", "LOAD", "LOADS", "REQUEST"]

_STRING = {"type": "string"}
_INTEGER = {"type": "integer"}
_NUMBER = {"type": "number"}
_MAYBE_INTEGER = {"type": ["integer", "null"]}
_MAYBE_NUMBER = {"type": ["number", "null"]}
_MAYBE_STRING = {"type": ["string", "null"]}
_TIME = {"type": "string", "format": "date-time"}
_MAYBE_TIME = {"type": ["string", "null"], "format": "date-time"}
_VERDICT = {"type": "string", "enum": ["met", "missed", "unknown"]}


def _all(named: str, /, **properties: Any) -> dict[str, Any]:
    """An object that has all of these."""
    return {"type": "object", "title": named, "required": list(properties), "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


REQUEST: dict[str, Any] = {
    "type": "object",
    "title": "LoadRequest",
    "properties": {
        "label": _STRING,
        "rate": {**_NUMBER, "description": "Requests/s, whether or not earlier ones were answered."},
        "users": {**_INTEGER, "description": "Instead of a rate: so many, each waits for its answer."},
        "pause": {**_STRING, "description": "Of a user after an answer, as 2s."},
        "pattern": {"type": "string", "enum": ["steady", "ramp", "burst"]},
        "duration": {**_STRING, "description": "As 2m."},
        "shape": {"type": "string", "enum": list(SHAPES)},
        "promptTokens": _INTEGER,
        "outputTokens": _INTEGER,
        "deadline": {**_STRING, "description": "Of one request, as 2m."},
        "seed": {**_INTEGER, "description": "The same one sends the same prompts; left out, prompts are new."},
    },
}
_DISTRIBUTION = {
    "anyOf": [
        _all("LoadLatency", count=_INTEGER, **dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "max"), _NUMBER)),
        {"type": "null"},
    ]
}
_PROMISE = {"slo": _STRING, "key": _STRING, "metric": _STRING, "threshold": _MAYBE_NUMBER, "fraction": _NUMBER}
_SLICE = _all(
    "LoadSlice", at=_NUMBER, sent=_INTEGER, ok=_INTEGER, failed=_INTEGER,
    ttftP50=_MAYBE_NUMBER, ttftP95=_MAYBE_NUMBER, itlP95=_MAYBE_NUMBER,
)  # fmt: skip
_MEASURED = {
    "anyOf": [
        _all(
            "LoadMeasured",
            seconds=_NUMBER,
            **dict.fromkeys(("sent", "ok", "failed", "shed", "inFlight", "cutOff"), _INTEGER),
            errors=_list(_all("LoadError", code=_STRING, count=_INTEGER, message=_STRING)),
            sentRate=_MAYBE_NUMBER,
            okRate=_MAYBE_NUMBER,
            outputTokenRate=_MAYBE_NUMBER,
            promptTokens=_INTEGER,
            outputTokens=_INTEGER,
            cachedTokens=_MAYBE_INTEGER,
            **dict.fromkeys(("ttft", "itl", "tpot", "e2e", "late"), _DISTRIBUTION),
            objectives=_list(
                _all("LoadObjective", **_PROMISE, good=_INTEGER, total=_INTEGER, share=_MAYBE_NUMBER, verdict=_VERDICT)
            ),
            sliceSeconds=_NUMBER,
            slices=_list(_SLICE),
        ),
        {"type": "null"},
    ]
}
LOAD = _all(
    "Load",
    id=_STRING,
    status={"type": "string", "enum": [QUEUED, RUNNING, DONE, STOPPED, FAILED, LOST]},
    label=_STRING,
    message=_STRING,
    sentence=_STRING,
    request=REQUEST,
    seconds={**_NUMBER, "description": "How long requests are sent."},
    generation=_INTEGER,
    createdBy=_MAYBE_STRING,
    createdAt=_TIME,
    startedAt=_MAYBE_TIME,
    stopRequestedAt=_MAYBE_TIME,
    finishedAt=_MAYBE_TIME,
    readyAtStart=_MAYBE_INTEGER,
    readyAtEnd=_MAYBE_INTEGER,
    measured=_MEASURED,
)
LOADS = _all("Loads", items=_list(LOAD), next=_MAYBE_STRING)
COMPARISON = _all(
    "LoadComparison",
    before=LOAD,
    after=LOAD,
    sentence=_STRING,
    comparable={"type": "boolean", "description": "The same load, and enough answers on both sides."},
    differs=_list(_all("LoadDifference", field=_STRING, before={}, after={})),
    figures=_list(
        _all(
            "LoadFigure",
            key=_STRING,
            title=_STRING,
            unit=_STRING,
            before=_MAYBE_NUMBER,
            after=_MAYBE_NUMBER,
            change=_MAYBE_NUMBER,
        )
    ),
    objectives=_list(
        _all(
            "LoadKept",
            **_PROMISE,
            before=_MAYBE_NUMBER,
            after=_MAYBE_NUMBER,
            verdictBefore=_VERDICT,
            verdictAfter=_VERDICT,
        )
    ),
)
