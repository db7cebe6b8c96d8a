"""Addresses of nodes and pods: each has its own on loopback, where Linux answers for all of 127.0.0.0/8."""

from __future__ import annotations

import ipaddress


class AddressPool:
    """Hands out addresses of a network in turn; the first ones are reserved for nodes."""

    def __init__(self, cidr: str, reserved: int = 16) -> None:
        """ValueError when ``cidr`` is not a network of addresses on loopback, or too small."""
        self._network = ipaddress.IPv4Network(cidr)
        if not self._network.is_loopback:
            raise ValueError(f"--pod-cidr {cidr}: take a network inside 127.0.0.0/8; pods are reached on loopback")
        if self._network.num_addresses < reserved + 16:
            raise ValueError(f"--pod-cidr {cidr}: too small, take a /24 or larger")
        self._reserved = reserved
        self._next = reserved
        self._used: set[str] = set()

    def node(self, index: int) -> str:
        """The address of the node at ``index``. ValueError beyond the reserved ones."""
        if index + 1 >= self._reserved:
            raise ValueError(f"the kubelet plays at most {self._reserved - 2} nodes")
        return str(self._network[index + 1])

    def take(self, wanted: str | None = None) -> str:
        """``wanted`` when it is ours and free, else the next free one. RuntimeError when all are in use."""
        if wanted and wanted not in self._used and ipaddress.IPv4Address(wanted) in self._network:
            self._used.add(wanted)
            return wanted
        size = self._network.num_addresses
        for _ in range(size):
            address = str(self._network[self._next])
            self._next += 1
            if self._next >= size - 1:
                self._next = self._reserved
            if address not in self._used and not address.endswith((".0", ".255")):
                self._used.add(address)
                return address
        raise RuntimeError(f"no free pod address is left in {self._network}")

    def release(self, address: str) -> None:
        self._used.discard(address)
