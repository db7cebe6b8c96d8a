"""Which addresses the control plane may call on behalf of a document: never its own network unless that is allowed.

A URL in a document is written by a person of a team, and called from inside: without this it would reach whatever the
server reaches (metadata services, databases, neighbours). OWASP: Server Side Request Forgery Prevention.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

__all__ = ["Network", "first_allowed", "networks", "refused_address", "refused_url", "split_url"]

Network: TypeAlias = IPv4Network | IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """`10.0.0.0/8,192.168.1.5` as networks. Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def refused_address(address: str, allowed: Sequence[Network] = ()) -> str | None:
    """Why an IP address may not be called, as a part of a sentence; None where it may."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    for inner in (getattr(found, "ipv4_mapped", None), getattr(found, "sixtofour", None)):
        if inner is not None:
            found = inner
    if any(found.version == network.version and found in network for network in allowed):
        return None
    if found.is_global and not found.is_multicast:
        return None
    return f"{address} is not an address of the public internet"


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
    if _is_address(host):
        return refused_address(host, allowed)
    if (host == "localhost" or host.endswith((".localhost", ".internal"))) and not allowed:
        return f"{host} is a name of the inside"
    return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


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
