"""`manage.py informers`: watch all clusters and keep the cache that controllers read."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Watch all declared clusters until stopped. Any number may run; each cluster is watched by one of them."

    def handle(self, *_: Any, **__: Any) -> None:
        from apps.clusters.informers.process import main

        main()
