"""`manage.py render_observability`: deploy/grafana and deploy/alerts from the catalogue of panels and metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.telemetry.domain.observability import alert_rules, dashboard

_HEADER = "# Made by `manage.py render_observability`; do not edit.\n"


def rendered() -> dict[str, str]:
    """Path below the project root → text."""
    return {
        "deploy/grafana/lamplight-pool.json": json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n",
        "deploy/alerts/lamplight-pools.rules.yaml": _HEADER
        + yaml.safe_dump(alert_rules(), sort_keys=False, allow_unicode=True, width=110),
    }


class Command(BaseCommand):
    help = "Write the Grafana dashboard and the alert rules; --check: say what differs, and change nothing."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        stale = []
        for name, text in rendered().items():
            path = Path(settings.BASE_DIR, name)
            if path.exists() and path.read_text(encoding="utf-8") == text:
                continue
            stale.append(name)
            if not options["check"]:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                self.stdout.write(f"{name} written")
        if stale and options["check"]:
            raise CommandError(f"{', '.join(stale)} differ from the catalogue: run manage.py render_observability")
