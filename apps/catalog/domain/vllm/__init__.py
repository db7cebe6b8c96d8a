"""Facts about vLLM by version: its command line and its metrics (tables in apps/catalog/data/vllm)."""

from apps.catalog.domain.vllm.arguments import ParsedArgs, parse_args
from apps.catalog.domain.vllm.facts import FLAG_VERSIONS, Flag, Metric, flags, metrics, table_version, version_of_image
from apps.catalog.domain.vllm.options import option_faults, tier_keys

__all__ = [
    "FLAG_VERSIONS",
    "Flag",
    "Metric",
    "ParsedArgs",
    "flags",
    "metrics",
    "option_faults",
    "parse_args",
    "table_version",
    "tier_keys",
    "version_of_image",
]
