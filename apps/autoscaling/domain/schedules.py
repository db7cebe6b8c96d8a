"""Floors and ceilings by the clock on the wall, through both changes of summer time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from apps.autoscaling.domain.types import FreezeWindow, Schedule

__all__ = ["DAYS", "InForce", "bounds_at", "frozen_at", "is_active"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds at a moment: the highest floor and the lowest ceiling, each with the schedule that says so."""

    floor: int | None = None
    floor_by: str = ""
    ceiling: int | None = None
    ceiling_by: str = ""


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _instant(day: datetime, minutes: int, zone: ZoneInfo) -> float:
    """Unix seconds of a local time of day. A time that the spring change skips means the moment of the change on; one
    that autumn brings twice means the first of the two."""
    local = day.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None) + timedelta(minutes=minutes)
    early = local.replace(tzinfo=zone, fold=0).timestamp()
    late = local.replace(tzinfo=zone, fold=1).timestamp()
    # in the gap of spring fold 0 reads the time before the change, which lies after it by the gap's length
    return min(early, late) if late >= early else _change(late, early, zone)


def _change(before: float, after: float, zone: ZoneInfo) -> float:
    """The moment between two instants at which the offset of `zone` changes."""
    offset = datetime.fromtimestamp(before, zone).utcoffset()
    low, high = int(before), int(after)
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return float(high)


def is_active(schedule: Schedule, at: float) -> bool:
    """Whether `at` (Unix seconds) lies in the schedule: from its start on, up to but without its end."""
    zone = _zone(schedule.zone)
    today = datetime.fromtimestamp(at, UTC).astimezone(zone)
    for back in (0, 1):
        day = today - timedelta(days=back) if back == 0 else _day_before(today)
        if DAYS[day.weekday()] not in schedule.days:
            continue
        start = _instant(day, schedule.start, zone)
        length_days = 0 if schedule.end > schedule.start else 1
        end_day = day if not length_days else _day_after(day)
        if start <= at < _instant(end_day, schedule.end, zone):
            return True
    return False


def _day_before(day: datetime) -> datetime:
    return (day.replace(tzinfo=None, hour=12) - timedelta(days=1)).replace(tzinfo=day.tzinfo)


def _day_after(day: datetime) -> datetime:
    return (day.replace(tzinfo=None, hour=12) + timedelta(days=1)).replace(tzinfo=day.tzinfo)


def bounds_at(schedules: Sequence[Schedule], at: float) -> InForce:
    """The floor and ceiling in force; where a floor is above the ceiling the ceiling is raised to it."""
    floor, floor_by, ceiling, ceiling_by = None, "", None, ""
    for schedule in schedules:
        if not is_active(schedule, at):
            continue
        if schedule.floor is not None and (floor is None or schedule.floor > floor):
            floor, floor_by = schedule.floor, schedule.name
        if schedule.ceiling is not None and (ceiling is None or schedule.ceiling < ceiling):
            ceiling, ceiling_by = schedule.ceiling, schedule.name
    if floor is not None and ceiling is not None and floor > ceiling:
        ceiling, ceiling_by = floor, floor_by
    return InForce(floor, floor_by, ceiling, ceiling_by)


def frozen_at(windows: Sequence[FreezeWindow], at: float) -> FreezeWindow | None:
    """The freeze window that `at` lies in."""
    return next((window for window in windows if window.start <= at < window.end), None)
