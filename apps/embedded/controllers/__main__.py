"""``python -m apps.embedded.controllers --kubeconfig PATH``: controller manager and scheduler in one process."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import socket

from apps.embedded.client import Access, KubeClient, wait_for_kubeconfig
from apps.embedded.controllers.manager import Manager

log = logging.getLogger("controllers")


async def run(kubeconfig: str) -> None:
    await wait_for_kubeconfig(kubeconfig, deadline_s=60)
    access = Access.from_kubeconfig(kubeconfig)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with (
        KubeClient(access, user_agent="kube-controller-manager/embedded") as client,
        KubeClient(access, user_agent="kube-scheduler/embedded") as scheduler_client,
        Manager(access, client, scheduler_client, host=socket.gethostname()),
    ):
        log.info("controllers and scheduler run against %s", access.server)
        gc.freeze()
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m apps.embedded.controllers", description=__doc__)
    parser.add_argument("--kubeconfig", required=True, help="how to reach the API server")
    parser.add_argument("--log-level", default="INFO")
    arguments = parser.parse_args()
    logging.basicConfig(level=arguments.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(run(arguments.kubeconfig))


if __name__ == "__main__":
    main()
