"""Ports for servers that tests start: no two of them, in whatever process, are given the same."""

from __future__ import annotations

import os
from pathlib import Path

from controlplane.supervisor.addresses import Addresses

# nothing is remembered: the claims go with this process
_addresses = Addresses(Path(os.devnull))


def free_port() -> int:
    """A port on 127.0.0.1 that is free, and that neither another test nor an instance chooses from now on."""
    return _addresses.any_port()
