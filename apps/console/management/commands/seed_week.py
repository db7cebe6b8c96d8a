"""`manage.py seed_week`: a deterministic week with incidents in an empty database, to look at the console with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts.models import User
from apps.accounts.selectors import actor_of
from apps.console.seeding import seed
from apps.core import clock
from apps.core.domain.refusals import Refusal
from apps.core.writes import By


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", default="admin", help="user name of who is said to have declared it all")
        parser.add_argument("--end", help="the end of the week, ISO 8601; default: now")
        parser.add_argument("--like", help="the moment whose hour and weekday the end has, ISO 8601; default: as it is")
        parser.add_argument("--days", type=int, default=7, choices=range(1, 8), metavar="1..7")
        parser.add_argument("--pools", type=int, default=0, help="so many small pools beside those of the story")

    def handle(self, *, by: str, end: str | None, like: str | None, days: int, pools: int, **_: Any) -> None:
        user = User.objects.filter(username=by).first()
        if user is None:
            raise CommandError(f"There is no user {by}: name one with --by, or run lamplight_bootstrap first.")
        if not 0 <= pools <= 5000:
            raise CommandError(f"--pools is 0 to 5000, not {pools}.")
        last = _moment("--end", end) if end else clock.now()
        try:
            made = seed(
                end=last,
                like=_moment("--like", like) if like else None,
                by=By(actor_of(user)),
                pools=pools,
                days=days,
            )
        except Refusal as refused:
            raise CommandError(refused.detail) from None
        self.stdout.write(json.dumps(made))


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option} is a moment such as 2026-11-23T16:00:00Z, not {text}.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
