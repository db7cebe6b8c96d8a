"""``python -m apps.embedded.controllers --kubeconfig PATH``: controller manager and scheduler in one process."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import socket

from apps.embedded.client import KubeClient
from apps.embedded.controllers.manager import Manager
from apps.embedded.controllers.node_lifecycle import GRACE_S
from apps.embedded.process_main import access_when_ready, run_until_signalled

log = logging.getLogger("controllers")


async def serve(kubeconfig: str, node_grace_s: float) -> None:
    access = await access_when_ready(kubeconfig)
    async with (
        KubeClient(access, user_agent="kube-controller-manager/embedded") as client,
        KubeClient(access, user_agent="kube-scheduler/embedded") as scheduler_client,
        Manager(access, client, scheduler_client, host=socket.gethostname(), node_grace_s=node_grace_s),
    ):
        log.info("controllers and scheduler run against %s", access.server)
        gc.freeze()
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m apps.embedded.controllers", description=__doc__)
    parser.add_argument("--kubeconfig", required=True, help="how to reach the API server")
    parser.add_argument(
        "--node-monitor-grace-period",
        type=float,
        default=GRACE_S,
        help="seconds until a silent node is not ready, and pods of one that is gone go",
    )
    parser.add_argument("--log-level", default="INFO")
    arguments = parser.parse_args()
    logging.basicConfig(level=arguments.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run_until_signalled(serve(arguments.kubeconfig, arguments.node_monitor_grace_period))


if __name__ == "__main__":
    main()
