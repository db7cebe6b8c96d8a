"""Celery workers as processes of their own, for tests that kill them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from django.db import connection

from tests.support.shared import ROOT

__all__ = ["Workers"]


class Workers:
    """Celery worker processes on the test's database and broker."""

    def __init__(self, broker: str, log: Path) -> None:
        database = connection.settings_dict
        where = quote(database["HOST"], safe="")
        port = f":{database['PORT']}" if database["PORT"] else ""
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
            "DATABASE_URL": f"postgres://{database['USER']}@{where}{port}/{database['NAME']}",
            "REDIS_URL": broker,
        }
        self._log = log
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "celery", "-A", "controlplane.celery", "worker", "-P", "threads", "-c", "4"]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [*argv, "--without-gossip", "--without-mingle", "-l", "INFO"],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running.append(process)
        return process

    def up(self) -> bool:
        return " ready." in self._log.read_text()

    def stop(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait(60)
