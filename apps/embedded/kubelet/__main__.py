"""``python -m apps.embedded.kubelet --kubeconfig PATH --data DIR --pod-cidr 127.X.0.0/17``: plays every node."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import sys
from pathlib import Path

from apps.embedded.client import KubeClient
from apps.embedded.domain.objects import Object
from apps.embedded.kubelet.addresses import AddressPool
from apps.embedded.kubelet.domain.backoff import BackoffPolicy
from apps.embedded.kubelet.domain.nodes import read_nodes
from apps.embedded.kubelet.kubelet import Kubelet
from apps.embedded.kubelet.node_agent import HEARTBEAT_SECONDS
from apps.embedded.kubelet.settings import Settings, load_data
from apps.embedded.kubelet.volumes import ServiceAccountFiles
from apps.embedded.process_main import access_when_ready, run_until_signalled

log = logging.getLogger("kubelet")


async def serve(options: argparse.Namespace, nodes: list[Object], addresses: AddressPool) -> None:
    access = await access_when_ready(options.kubeconfig)
    settings = Settings(
        kubeconfig=options.kubeconfig.resolve(),
        data=options.data.resolve(),
        account=ServiceAccountFiles(token=access.token, ca_pem=access.ca_pem or ""),
        backoff=BackoffPolicy(base=options.backoff_base, cap=options.backoff_cap),
        heartbeat=options.heartbeat,
    )
    async with (
        KubeClient(access, user_agent="kubelet/embedded") as client,
        Kubelet(settings, nodes, addresses, client),
    ):
        log.info("playing %d nodes against %s", len(nodes), access.server)
        gc.freeze()
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m apps.embedded.kubelet", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="how to reach the API server; given to pods too")
    parser.add_argument("--data", type=Path, required=True, help="folder for volumes and logs of pods")
    parser.add_argument("--nodes", type=Path, help="node table (JSON); default: two nodes of 8 H200 and one without")
    parser.add_argument("--pod-cidr", default="127.64.0.0/17", help="loopback network for nodes and pods")
    parser.add_argument("--backoff-base", type=float, default=1.0, help="seconds; a real kubelet has 10")
    parser.add_argument("--backoff-cap", type=float, default=30.0, help="seconds; a real kubelet has 300")
    parser.add_argument(
        "--heartbeat", type=float, default=HEARTBEAT_SECONDS, help="seconds between renewals of a Lease"
    )
    parser.add_argument("--log-level", default="INFO")
    options = parser.parse_args()
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        table = json.loads(options.nodes.read_text()) if options.nodes else load_data("nodes.json")
        nodes, addresses = read_nodes(table), AddressPool(options.pod_cidr)
        addresses.node(len(nodes) - 1)
    except (OSError, ValueError) as error:
        sys.exit(f"kubelet: {options.nodes or 'options'}: {error}")
    run_until_signalled(serve(options, nodes, addresses))


if __name__ == "__main__":
    main()
