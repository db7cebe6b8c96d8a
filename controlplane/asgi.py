"""ASGI entry point of the web process."""

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

from django.core.asgi import get_asgi_application

import controlplane.celery  # noqa: F401  (wake-ups are sent through this app: without it they go to no broker)

application = get_asgi_application()
# Start-up objects live as long as the process: keep the collector from walking them in every full pass.
gc.freeze()
