"""`manage.py features_page`: writes docs/features.md and docs/concepts/paths.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.pools.features import features, page, paths_page


class Command(BaseCommand):
    help = "Write the pages of features and of paths"
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        docs = Path(settings.BASE_DIR) / "docs"
        for path, text in ((docs / "features.md", page(features())), (docs / "concepts" / "paths.md", paths_page())):
            path.write_text(text, encoding="utf-8")
            self.stdout.write(f"wrote {path.relative_to(settings.BASE_DIR)}")
