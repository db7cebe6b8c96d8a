#!/usr/bin/env python
"""Django's command line for Lamplight."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    from django.core.management import execute_from_command_line

    import controlplane.celery  # noqa: F401  (wake-ups are sent through this app: without it they go to no broker)

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
