"""Running one process of the embedded cluster until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from apps.embedded.client import Access, wait_for_kubeconfig

KUBECONFIG_SECONDS = 120.0


async def access_when_ready(kubeconfig: str | Path) -> Access:
    """How to reach the API server, once it has said so. Exits with a sentence when it never does."""
    try:
        await wait_for_kubeconfig(kubeconfig, deadline_s=KUBECONFIG_SECONDS)
        return Access.from_kubeconfig(kubeconfig)
    except TimeoutError:
        sys.exit(f"{kubeconfig} did not appear in {KUBECONFIG_SECONDS:.0f} s: start the API server, which writes it")
    except ValueError as error:
        sys.exit(f"{error}: restart the API server, which writes the file anew")


def run_until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work``; SIGTERM and SIGINT cancel it, at whatever point it is, and its clean-up is waited for."""

    async def supervise() -> None:
        task = asyncio.create_task(work)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(supervise())
