"""How much host memory a tier may take."""

from __future__ import annotations

__all__ = ["host_budget"]

# of a node's memory, for the system and what else runs there
_RESERVED = 0.1


def host_budget(*, declared: int, node_memory: int | None, engine_memory: int, replicas_a_node: int, slept: int) -> int:
    """Bytes that the host tier of one replica may take: as declared, and no more than what the node has left when
    each of its replicas has what it asks for and `slept` bytes hold weights of sleeping engines."""
    if node_memory is None:
        return declared
    free = node_memory * (1 - _RESERVED) - slept - engine_memory * max(replicas_a_node, 1)
    return max(0, min(declared, int(free / max(replicas_a_node, 1))))
