"""Which addresses the control plane may be sent to by what a document or a cluster says."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

__all__ = ["refuse_address", "refuse_url"]

# instance metadata that is not link-local: AWS over IPv6, Alibaba Cloud, Oracle
_METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))


def refuse_url(url: str) -> str | None:
    """Why a URL may not be asked, as the rest of a sentence about it; None where it may."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in ("http", "https"):
        return "has to begin with http:// or https://"
    if not parts.hostname:
        return "has no host"
    if parts.username is not None or parts.password is not None:
        return "holds a user or password: name files in credentials instead"
    if parts.query or parts.fragment:
        return "has a query or fragment: give the address only"
    return None


def refuse_address(text: str) -> str | None:
    """Why an IP address may not be connected to, as the rest of a sentence; None where it may.

    Link-local addresses are where clouds hand out credentials to whoever asks; multicast and unspecified ones are no
    host. Loopback and private addresses are where Prometheus and pods usually are.
    """
    try:
        address: IPv4Address | IPv6Address = ip_address(text.split("%")[0])
    except ValueError:
        return "is no IP address"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_link_local or address in _METADATA:
        return "is link-local, where clouds keep their metadata"
    if address.is_multicast or address.is_unspecified or (isinstance(address, IPv4Address) and address.is_reserved):
        return "is not the address of a host"
    return None
