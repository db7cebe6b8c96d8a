"""`manage.py verify_changes`: whether the change records are as they were written. Exit code 1 where they are not."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.models import ChangeRecord
from apps.audit.selectors import first_broken_change


class Command(BaseCommand):
    help = __doc__

    def handle(self, **_: Any) -> None:
        newest = ChangeRecord.objects.order_by("-id").values("id", "digest").first()
        broken = first_broken_change()
        if broken is not None:
            raise CommandError(
                f"Change record {broken} does not follow from the one before it: it was edited, or a record before "
                "it was removed. Compare with a backup from before that."
            )
        # the digest is worth keeping elsewhere: whoever owns the database can compute a whole chain anew
        self.stdout.write(json.dumps({"whole": True, "records": ChangeRecord.objects.count(), "newest": newest}))
