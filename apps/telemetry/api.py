"""Charts of a pool over REST: which there are, and the points of one."""

from __future__ import annotations

import logging
import math
from typing import Any

from django.db import OperationalError
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import access, clock, kinds
from apps.core.api.query import QueryView
from apps.core.domain.refusals import Missing, Refusal
from apps.core.models import DeclaredObject
from apps.telemetry import selectors
from apps.telemetry.domain.charts import MAX_POINTS, Chart, Panel, catalogue_entry, choose_step, draw, failed
from apps.telemetry.domain.panels import PANELS
from apps.telemetry.domain.replicas import WINDOW, compare
from apps.telemetry.domain.tracks import TRACK, TRACKS
from apps.telemetry.ranges import range_of
from apps.telemetry.rows import statement_deadline
from apps.telemetry.thresholds import thresholds_of

__all__ = ["PanelList", "PanelPoints", "ReplicaSignals"]

log = logging.getLogger(__name__)

_DEFAULT_RANGE = 900.0
# what reading the rows of one chart may take
QUERY_SECONDS = 5.0
# a chart reads minutes; two weeks of them would be a hundred times what a screen can show
MAX_RANGE = 3 * 86400.0
# outliers come first: what is cut off is as it should be
MAX_REPLICAS = 500

_RANGE = [
    OpenApiParameter("from", str, description="Unix seconds or ISO 8601; 15 minutes before `to` when left out."),
    OpenApiParameter("to", str, description="Unix seconds or ISO 8601; now when left out."),
    OpenApiParameter("step", str, description="Seconds between points; a round one for the range when left out."),
    OpenApiParameter("variant", str, description="Of one variant only."),
    OpenApiParameter(
        "track", str, enum=list(TRACKS), description="Of canaries only, or of what ran beside them; engines' charts."
    ),
]


def _pool(request: Request, team: str, name: str) -> DeclaredObject:
    access.require_read(access.actor_of(request), team)
    pool = kinds.get("Pool").model.objects.named(team, name).first()
    if pool is None:
        raise Missing(f"There is no pool {name} in team {team}.")
    assert isinstance(pool, DeclaredObject)
    return pool


class PanelList(QueryView):
    """Which charts a pool has."""

    @extend_schema(operation_id="panels_list", responses={200: dict[str, Any]})
    def get(self, request: Request, team: str, name: str) -> Response:
        _pool(request, team, name)
        return Response({"items": [catalogue_entry(panel) for panel in PANELS.values()], "next": None})


class PanelPoints(QueryView):
    """One chart: its state, and at most 1000 points a line."""

    @extend_schema(operation_id="panels_read", parameters=_RANGE, responses={200: dict[str, Any]})
    def get(self, request: Request, team: str, name: str, panel: str) -> Response:
        pool = _pool(request, team, name)
        chart = PANELS.get(panel)
        if chart is None:
            raise Missing(f"There is no panel {panel}; there are {', '.join(PANELS)}.")
        now = clock.now().timestamp()
        asked = range_of(request, now=now, default=_DEFAULT_RANGE, longest=MAX_RANGE)
        start, end = asked.start, asked.end
        step = asked.step or choose_step(end - start, selectors.INTERVAL)
        if (end - start) / step > MAX_POINTS:
            least = math.ceil((end - start) / MAX_POINTS)
            raise Refusal(
                f"`step` {step:g} gives more than {MAX_POINTS} points for this range; it must be {least} or more."
            )
        variant = _track(request) or _variant(request, pool)
        window = chart.window(step, selectors.INTERVAL)
        try:
            # a chart that takes longer is no use to anybody, and holds up others
            with statement_deadline(QUERY_SECONDS):
                rows = selectors.signals_of(
                    pool.uid,
                    start=selectors.moment(start - window),
                    end=selectors.moment(end),
                    step=step,
                    names=chart.reads,
                    variant=variant,
                )
                lines = thresholds_of(team, name, chart.family) if chart.family else ()
        except (OperationalError, ValueError) as error:
            log.warning("chart %s of pool %s/%s cannot be read: %s", panel, team, name, error)
            return Response(_unread(chart, error, step).to_json())
        drawn = draw(
            chart, rows, start=start, end=end, step=step, now=now, interval=selectors.INTERVAL, thresholds=lines
        )
        return Response(drawn.to_json())


def _unread(chart: Panel, error: Exception, step: float) -> Chart:
    if isinstance(error, OperationalError):
        why = f"The signals of this pool could not be read within {QUERY_SECONDS:g} s: the database has too much to do."
        return failed(chart, f"{why} Try again.", step=step, interval=selectors.INTERVAL)
    why = f"Stored signals of this range cannot be read: {error} The log of the server has more."
    return failed(chart, why, step=step, interval=selectors.INTERVAL)


class ReplicaSignals(QueryView):
    """Every replica beside the others of its variant, those that are out of line first."""

    @extend_schema(operation_id="replica_signals_read", responses={200: dict[str, Any]})
    def get(self, request: Request, team: str, name: str) -> Response:
        reports = compare(selectors.replicas_of(_pool(request, team, name).uid))
        states = [report.state for report in reports]
        return Response(
            {
                "at": selectors.last_tick_at(),
                "window": WINDOW,
                "items": [report.to_json() for report in reports[:MAX_REPLICAS]],
                "summary": {
                    "replicas": len(reports),
                    "outliers": states.count("outlier"),
                    "silent": states.count("silent"),
                },
            }
        )


def _track(request: Request) -> str:
    wanted = request.query_params.get("track", "")
    if wanted and wanted not in TRACKS:
        raise Refusal(f"`track` is {' or '.join(TRACKS)}, not {wanted[:40]}.")
    if wanted and request.query_params.get("variant"):
        raise Refusal("Ask for a `track` or for a `variant`, not for both: a track is of all variants.")
    return f"{TRACK}{wanted}" if wanted else ""


def _variant(request: Request, pool: DeclaredObject) -> str:
    wanted = request.query_params.get("variant", "")
    names = [variant["name"] for variant in pool.spec.get("variants", [])]
    if wanted and wanted not in names:
        raise Missing(f"Pool {pool.name} has no variant {wanted[:63]}; it has {', '.join(names)}.")
    return str(wanted)
