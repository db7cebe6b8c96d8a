"""`manage.py kvevents`: subscribe to the KV events of all engines and keep what they tell of reuse."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Collect the KV events of all pools whose offload is not off, until stopped. One for an installation."

    def handle(self, *_: Any, **__: Any) -> None:
        from apps.offload.collector import main

        main()
