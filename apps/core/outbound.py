"""Calls to URLs that people wrote down: each address is checked, and the one that was checked is the one called."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import certifi
import urllib3
from django.conf import settings

from apps.core.domain.addresses import Network, first_allowed, networks, split_url

__all__ = ["Answer", "Unreachable", "allowed_networks", "post"]

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 10.0
_MOST_BYTES = 4096


class Unreachable(Exception):
    """The call came to nothing; the message is a part of a sentence."""


@dataclass(frozen=True)
class Answer:
    """`text`: the beginning of the body."""

    status: int
    text: str


def allowed_networks() -> tuple[Network, ...]:
    """Networks beside the public internet that may be called (setting OUTBOUND_NETWORKS)."""
    return networks(settings.OUTBOUND_NETWORKS)


def post(url: str, body: bytes, headers: Mapping[str, str], *, allowed: Sequence[Network] = ()) -> Answer:
    """POST without following redirects. Raises Unreachable.

    The name is resolved once, every address checked, and the connection made to a checked one: a name that changes its
    address in between changes nothing. TLS is verified against the name.
    """
    try:
        parts = split_url(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        address = first_allowed(found, allowed)
    except socket.gaierror as error:
        raise Unreachable(f"{parts.hostname} has no address: {error.strerror}") from None
    except (ValueError, UnicodeError) as refused:
        raise Unreachable(f"it may not be called: {refused}") from None
    timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
    pool: urllib3.HTTPConnectionPool
    if secure:
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=timeout, ca_certs=certifi.where(), server_hostname=host, assert_hostname=host
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    named = f"[{host}]" if ":" in host else host
    try:
        answer = pool.request(
            "POST",
            path,
            body=body,
            headers={**headers, "Host": named if parts.port is None else f"{named}:{port}"},
            redirect=False,
            retries=False,
            preload_content=False,
        )
        text = answer.read(_MOST_BYTES).decode("utf-8", "replace")
        return Answer(answer.status, text)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(_short(error)) from None
    finally:
        pool.close()


def _short(error: BaseException) -> str:
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return f"it did not answer within {_READ_SECONDS:g} s"
    return str(error).partition(": ")[2][:200] or type(error).__name__
