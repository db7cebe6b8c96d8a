"""Reads: simulations of a pool."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.core.domain.conditions import format_time
from apps.pools.models import Pool
from apps.whatif.models import Simulation

__all__ = ["newest", "one", "shown"]


def newest(pool: Pool, limit: int) -> list[Simulation]:
    """Without results and traces."""
    return list(Simulation.objects.filter(pool=pool.uid).defer("result", "trace").order_by("-created_at")[:limit])


def one(pool: Pool, simulation: UUID) -> Simulation | None:
    return Simulation.objects.filter(pool=pool.uid, id=simulation).defer("trace").first()


def shown(row: Simulation, *, result: bool) -> dict[str, Any]:
    """As the API shows it."""
    told = {
        "id": str(row.id),
        "pool": row.name,
        "label": row.label,
        "status": row.status,
        "progress": row.progress,
        "message": row.message,
        "createdBy": row.created_by,
        "createdAt": format_time(row.created_at),
        "startedAt": format_time(row.started_at) if row.started_at else None,
        "finishedAt": format_time(row.finished_at) if row.finished_at else None,
        "request": row.request,
    }
    return {**told, "result": row.result} if result else told
