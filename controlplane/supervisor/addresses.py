"""Free ports and loopback networks, so that two instances on one machine do not meet.

Choices are remembered in `ports.json` of the data directory: addresses stay the same from one `make up` to the next
as long as nobody else took them.
"""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

# 127.64.0.0 to 127.127.255.255: every address of 127/8 is bound on Linux, and nobody uses these by habit
_NETWORKS = range(64, 128)
_CLAIM_PORT = 47999
# below those that the system gives to outgoing connections, one of which could take a port before its server binds it
_ANY_PORTS = range(20_000, 32_000)


class AddressError(RuntimeError):
    """No usable address; the message says which was wanted."""


class Addresses:
    """Remembered ports and the claimed network of one instance."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._claim: socket.socket | None = None
        self._ports: dict[int, socket.socket] = {}
        try:
            self._known: dict[str, int] = {str(k): int(v) for k, v in json.loads(path.read_text()).items()}
        except (OSError, ValueError):
            self._known = {}

    def port(self, name: str, *, preferred: int, exact: bool = False) -> int:
        """A port on 127.0.0.1 that is free now and that no other instance has chosen: the remembered one, the
        preferred one, or any. It is claimed while this process lives.

        exact: the user asked for `preferred`; anything else would be a surprise, so a taken port is an error.
        """
        candidates = [preferred] if exact else [p for p in (self._known.get(name), preferred) if p]
        chosen = next((p for p in candidates if _is_free(p) and self._claim_port(p)), None)
        if chosen is None:
            if exact:
                raise AddressError(f"Port {preferred} is taken. Choose another with PORT=…, or leave PORT out.")
            chosen = self.any_port()
        self._known[name] = chosen
        return chosen

    def any_port(self) -> int:
        """A port on 127.0.0.1 that is free now and claimed while this process lives."""
        for port in random.sample(_ANY_PORTS, len(_ANY_PORTS)):
            if _is_free(port) and self._claim_port(port):
                return port
        raise AddressError(
            f"No free port from {_ANY_PORTS.start} to {_ANY_PORTS.stop - 1}: stop another instance first."
        )

    def _claim_port(self, port: int) -> bool:
        """Between choosing a port and the server's binding it, another instance that starts must not choose it too.

        The claim is an abstract Unix address: exclusive, gone with the process, and in nobody's way.
        """
        if port in self._ports:
            return False
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0lamplight-port-{port}")
        except OSError:
            claim.close()
            return False
        self._ports[port] = claim
        return True

    def network(self) -> int:
        """The second octet X of a loopback network 127.X.0.0/16 claimed for this instance while it lives."""
        known = self._known.get("network")
        for octet in ([known] if known else []) + list(_NETWORKS):
            claim = socket.socket()
            try:
                claim.bind((f"127.{octet}.255.254", _CLAIM_PORT))
            except OSError:
                claim.close()
                continue
            self._claim = claim  # held until the process ends
            self._known["network"] = octet
            return octet
        raise AddressError("No free loopback network in 127.64.0.0-127.127.0.0: stop another instance first.")

    def release(self) -> None:
        """Give up all claims, as the end of the process does."""
        for claim in [*self._ports.values(), *([self._claim] if self._claim else [])]:
            claim.close()
        self._ports, self._claim = {}, None

    def save(self) -> None:
        self._path.write_text(json.dumps(self._known, indent=1) + "\n")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
