"""session-affinity-scorer and session-affinity-filter: the pod that the session's last request was served by.

The token is the base64 of namespace/name in a header of the request; the picker writes it on the answer.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from apps.physics.routing.parameters import Parameter
from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Candidate, Cycle

HEADER = "x-session-token"
PARAMETERS = (
    Parameter("headerName", "string", HEADER),
    Parameter("algorithm", "string", "encoded_endpoint_header", choices=("encoded_endpoint_header",)),
    Parameter("profileName", "string", ""),
)


def token(pod: str) -> str:
    """The session token of a pod, given as namespace/name."""
    return base64.b64encode(pod.encode()).decode()


class SessionAffinity:
    """`header`: where the token is read, and written on the answer."""

    def __init__(self, header: str, profile: str) -> None:
        self.header, self.profile = header.lower(), profile

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        pod = self._pod(cycle)
        return [1.0 if pod and each.endpoint.pod == pod else 0.0 for each in candidates]

    def _pod(self, cycle: Cycle) -> str:
        try:
            return base64.b64decode(cycle.request.headers.get(self.header, ""), validate=True).decode()
        except (binascii.Error, ValueError):
            return ""


class SessionFilter(SessionAffinity):
    def keep(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[Candidate]:
        pod = self._pod(cycle)
        return [each for each in candidates if each.endpoint.pod == pod] or list(candidates)


PLUGINS = (
    PluginType(
        "session-affinity-scorer",
        "scorer",
        "The session's last pod",
        lambda parameters, _wiring: SessionAffinity(parameters["headerName"], parameters["profileName"]),
        PARAMETERS,
    ),
    PluginType(
        "session-affinity-filter",
        "filter",
        "Only the session's last pod, while it serves",
        lambda parameters, _wiring: SessionFilter(parameters["headerName"], parameters["profileName"]),
        PARAMETERS,
        releases=("current",),
        instead="session-affinity-scorer",
    ),
)
