"""Proposing documents for what runs in a namespace already: vLLM Deployments, llm-d releases, KServe's services."""

from apps.pools.domain.importing.proposal import Proposal, Surroundings
from apps.pools.domain.importing.proposing import propose
from apps.pools.domain.importing.reading import command_line

__all__ = ["Proposal", "Surroundings", "command_line", "propose"]
