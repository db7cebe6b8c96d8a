"""What the error codes of an endpoint picker say: whether the service failed, or its client.

Two spellings: the HTTP status, and the names of the gateway API inference extension (`pkg/epp/util/error`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = ["CLIENT_CODES", "Kind", "failures", "kind_of"]

Kind = Literal["shed", "failed", "timed_out", "client"]

_PREFIX = "gateway.error:"
_NAMED: Mapping[str, Kind] = {
    "InferencePoolResourceExhausted": "shed",
    "ServiceUnavailable": "shed",
    "429": "shed",
    "503": "shed",
    "408": "timed_out",
    "504": "timed_out",
    "DeadlineExceeded": "timed_out",
    "BadRequest": "client",
    "Unauthorized": "client",
    "Forbidden": "client",
    "NotFound": "client",
    "ClientDisconnected": "client",
    "Canceled": "client",
}


# the codes of clients' faults as a regular expression of PromQL (RE2): 4xx but 408 and 429, and names
CLIENT_CODES = "|".join(
    [*sorted(code for code, kind in _NAMED.items() if kind == "client"), "4(0[0-79]|1[0-9]|2[0-8]|[3-9][0-9])"]
)


def kind_of(code: str) -> Kind:
    """shed, failed and timed_out count against a promise; client (a wrong request, or one given up) does not.

    A code that nobody knows is a failure: it is better to look at one error too many than to miss one.
    """
    known = _NAMED.get(code)
    if known is not None:
        return known
    return "client" if len(code) == 3 and code.startswith("4") and code.isdigit() else "failed"


def failures(counts: Mapping[str, float]) -> float:
    """Requests of a pool's row that were shed, failed or timed out at its endpoint picker."""
    coded = {name.removeprefix(_PREFIX): count for name, count in counts.items() if name.startswith(_PREFIX)}
    if not coded:
        return counts.get("gateway.errors", 0.0)
    return sum(count for code, count in coded.items() if kind_of(code) != "client")
