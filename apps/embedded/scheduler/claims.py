"""Claims of accelerators that several pods name (dynamic resource allocation): where each is allocated, and to whom.

A named claim takes its devices once, however many pods use it, and its pods go where it is allocated. A claim that no
pod uses any more is free. Each device of a claim counts as one of the node's extended resource of that kind: nodes here
have one list of accelerators, whoever asks for them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from apps.embedded.client import KubeClient, KubeError
from apps.embedded.domain.objects import Object
from apps.embedded.scheduler.domain.claimed import Claims, claim_names, status_of

log = logging.getLogger(__name__)

KIND = ("resource.k8s.io", "v1", "resourceclaims")


class ClaimBook:
    """Reads claims when a pod names one, and writes what became of them."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._allocated = False

    async def read(self, pods: Sequence[Object]) -> Claims:
        """The claims as they are now; nothing is asked where no pod names one."""
        if not self._allocated and not any(claim_names(pod) for pod in pods):
            return Claims((), pods)
        found = await self._client.list(*KIND)
        return Claims(tuple(found["items"]), pods)

    async def write(self, claims: Claims) -> None:
        """Bring the status of every claim in line with the pods that use it."""
        self._allocated = False
        for claim in claims.objects:
            wanted = status_of(claim, claims)
            self._allocated = self._allocated or bool(wanted)
            if wanted == (claim.get("status") or {}):
                continue
            metadata = claim["metadata"]
            # null takes a field away
            gone = {name: None for name in (claim.get("status") or {}) if name not in wanted}
            try:
                await self._client.patch_status(
                    *KIND, metadata["name"], {"status": {**gone, **wanted}}, namespace=metadata["namespace"]
                )
            except KubeError as error:
                if error.status not in (404, 409):
                    raise
                log.debug("claim %s: %s", metadata["name"], error)
