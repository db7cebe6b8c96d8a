"""Facts about vLLM by version: its command line and its metrics (tables in apps/catalog/data/vllm)."""

from apps.catalog.domain.vllm.arguments import ParsedArgs, parse_args
from apps.catalog.domain.vllm.facts import Flag, Metric, flags, metrics, table_version

__all__ = ["Flag", "Metric", "ParsedArgs", "flags", "metrics", "parse_args", "table_version"]
