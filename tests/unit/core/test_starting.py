"""What a process loads before it does anything: workers, loops and commands answer no HTTP requests."""

from __future__ import annotations

import subprocess
import sys

from tests.support.stack import PROJECT

_STARTED = """
import sys
import django
django.setup()
print("\\n".join(sys.modules))
"""
# what only answers of the API need; every start would wait for it, and every process would carry it
_OF_THE_API = ("rest_framework.views", "rest_framework.serializers", "drf_spectacular.plumbing", "django.contrib.admin")


def test_the_rest_api_is_loaded_by_the_web_process_alone():
    started = subprocess.run(
        [sys.executable, "-c", _STARTED], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=True
    )
    loaded = started.stdout.split()
    assert "apps.pools.controller" in loaded
    assert [name for name in _OF_THE_API if name in loaded] == []
