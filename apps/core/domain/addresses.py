"""Which addresses the control plane may call on behalf of a document, in one place for all who call.

A URL in a document is written by a person of a team, and called from inside: without this it would reach whatever the
server reaches (metadata services, databases, neighbours). OWASP: Server Side Request Forgery Prevention.

Two rules: what goes out of the installation (webhooks) reaches the public internet and what an administrator allows;
what reads inside of it (pods, a cluster's Prometheus) reaches private networks too. Neither ever reaches where clouds
keep credentials.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

__all__ = [
    "Network",
    "first_allowed",
    "networks",
    "refused_address",
    "refused_inside",
    "refused_url",
    "split_url",
]

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

# instance metadata that is not link-local: AWS over IPv6, Alibaba Cloud, Oracle
_METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))


def networks(text: str) -> tuple[Network, ...]:
    """`10.0.0.0/8,192.168.1.5` as networks. Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def refused_address(address: str, allowed: Sequence[Network] = ()) -> str | None:
    """Why an IP address may not be called from a document's URL, as a part of a sentence; None where it may."""
    found = _plain(address)
    if found is None:
        return f"{address[:80]} is no IP address"
    if any(found.version == network.version and found in network for network in allowed):
        why = _never(found)
        return None if why is None else f"{address} {why}"
    if found.is_global and not found.is_multicast and found not in _METADATA:
        return None
    return f"{address} is not an address of the public internet"


def refused_inside(address: str) -> str | None:
    """Why an address may not be read from inside an installation, as the rest of a sentence about it; None where it
    may: loopback and private addresses are where pods and Prometheus usually are."""
    found = _plain(address)
    return "is no IP address" if found is None else _never(found)


def _plain(address: str) -> Address | None:
    """The address that is reached: without its zone, and what an IPv4 address was wrapped in."""
    try:
        found: Address = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    for inner in (getattr(found, "ipv4_mapped", None), getattr(found, "sixtofour", None)):
        if inner is not None:
            return inner
    return found


def _never(address: Address) -> str | None:
    """What nobody may call, whoever allows it."""
    if address.is_link_local or address in _METADATA:
        return "is link-local, where clouds keep their metadata"
    if address.is_multicast or address.is_unspecified or (isinstance(address, IPv4Address) and address.is_reserved):
        return "is not the address of a host"
    return None


def split_url(url: str) -> SplitResult:
    """The parts of a URL that may be called. Raises ValueError with a sentence."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(f"{url[:80]!r} is not a URL: write it as https://host/path") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url[:80]!r} is not a web address: write it as https://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not carry a user or password: they would be shown to everybody who may read it")
    if any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise ValueError("a URL has no blanks or control characters")
    return parts


def refused_url(url: str, allowed: Sequence[Network] = ()) -> str | None:
    """Why a URL may not be called, as far as can be told without asking for its addresses; None where it may."""
    try:
        parts = split_url(url)
    except ValueError as refused:
        return str(refused)
    host = (parts.hostname or "").rstrip(".").lower()
    if _plain(host) is not None:
        return refused_address(host, allowed)
    if (host == "localhost" or host.endswith((".localhost", ".internal"))) and not allowed:
        return f"{host} is a name of the inside"
    return None


def first_allowed(addresses: Iterable[str], allowed: Sequence[Network] = ()) -> str:
    """The address to call. Raises ValueError with a sentence when any may not be: one of several is as bad as all."""
    found = list(dict.fromkeys(addresses))
    if not found:
        raise ValueError("the name has no address")
    for address in found:
        why = refused_address(address, allowed)
        if why is not None:
            raise ValueError(why)
    return found[0]
