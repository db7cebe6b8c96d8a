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
        parser.add_argument("--token-file", type=Path, required=True, help="receives a bearer token, mode 0600")

    def handle(
        self, *, username: str, password: str | None, password_file: Path | None, token_file: Path, **_: Any
    ) -> None:
        password = password or os.environ.get("LAMPLIGHT_ADMIN_PASSWORD") or None
        with transaction.atomic():
            for name in TEAMS:
                Team.objects.get_or_create(name=name)
            user = User.objects.filter(username=username).first()
            if user is None:
                password = password or secrets.token_urlsafe(12)
                user = User.objects.create_superuser(username, password)
            elif password and not user.check_password(password):
                user.set_password(password)
                user.save(update_fields=["password"])
            else:
                password = None
            for team in Team.objects.filter(name__in=TEAMS):
                Membership.objects.get_or_create(user=user, team=team, defaults={"role": Role.ADMIN})
            held = token_file.read_text().strip() if token_file.exists() else ""
            found = tokens.find(held)
            if found is None or found.owner_id != user.pk:
                held = tokens.issue(owner=user, name=f"bootstrap ({token_file.name})").secret
                _write_private(token_file, held)
            if password and password_file is not None:
                _write_private(password_file, password)
        # without a file for it, this answer is the only place where a password that was made here can be read
        shown = {} if password_file else {"password": password}
        self.stdout.write(json.dumps({"username": username, "tokenFile": str(token_file), **shown}))


def _write_private(path: Path, secret: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secret + "\n")
    fresh.replace(path)
