"""`manage.py lamplight_bootstrap`: the first teams, the first user, its token. Running it again changes nothing."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from apps.accounts import tokens
from apps.accounts.models import Membership, Team, User
from apps.core.domain.access import SHARED_TEAM, Role

TEAMS = ("default", SHARED_TEAM)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")
        parser.add_argument("--password", help="default: LAMPLIGHT_ADMIN_PASSWORD, else the present one or a new one")
        parser.add_argument("--password-file", type=Path, help="receives the password where this run set it, mode 0600")
        parser.add_argument("--token-file", type=Path, help="receives a bearer token, mode 0600; else none is made")
        parser.add_argument("--keep-password", action="store_true", help="a user who is there keeps theirs")

    def handle(
        self,
        *,
        username: str,
        password: str | None,
        password_file: Path | None = None,
        token_file: Path | None = None,
        keep_password: bool = False,
        **_: Any,
    ) -> None:
        password = password or os.environ.get("LAMPLIGHT_ADMIN_PASSWORD") or None
        made = None
        with transaction.atomic():
            for name in TEAMS:
                Team.objects.get_or_create(name=name)
            user = User.objects.filter(username=username).first()
            if user is None:
                password = password or (made := secrets.token_urlsafe(12))
                user = User.objects.create_superuser(username, password)
            elif password and not keep_password and not user.check_password(password):
                user.set_password(password)
                user.save(update_fields=["password"])
            else:
                password = None
            for team in Team.objects.filter(name__in=TEAMS):
                Membership.objects.get_or_create(user=user, team=team, defaults={"role": Role.ADMIN})
            if token_file is not None:
                _keep_token(token_file, user)
            if password and password_file is not None:
                _write_private(password_file, password)
        # without a file for it, this answer is the only place where a password that was made here can be read; one that
        # was given is known to whoever gave it, and answers end in logs
        shown = {} if password_file else {"password": made}
        named = {"tokenFile": str(token_file)} if token_file else {}
        self.stdout.write(json.dumps({"username": username, **named, **shown}))


def _keep_token(path: Path, user: User) -> None:
    """The file holds a token of this user that is good: as it does already, or a new one."""
    held = path.read_text().strip() if path.exists() else ""
    found = tokens.find(held)
    if found is None or found.owner_id != user.pk:
        _write_private(path, tokens.issue(owner=user, name=f"bootstrap ({path.name})").secret)


def _write_private(path: Path, secret: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secret + "\n")
    fresh.replace(path)
