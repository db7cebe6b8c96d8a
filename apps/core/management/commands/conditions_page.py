"""`manage.py conditions_page`: write docs/concepts/conditions.md from the registered conditions."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.core import reasons
from apps.core.domain.reasons import page


class Command(BaseCommand):
    help = "Write docs/concepts/conditions.md from the registered condition types and reasons."
    requires_system_checks: list[str] = []

    def handle(self, *_: Any, **__: Any) -> None:
        path = settings.BASE_DIR / "docs" / "concepts" / "conditions.md"
        path.write_text(page(reasons.condition_types(), reasons.reasons()), encoding="utf-8")
        self.stdout.write(f"wrote {path.relative_to(settings.BASE_DIR)}")
