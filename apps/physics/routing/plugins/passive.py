"""Plugins that decide nothing by themselves here: what they bring is always there."""

from __future__ import annotations

from apps.physics.routing.parameters import Parameter
from apps.physics.routing.plugin import PluginType, nothing

PLUGINS = (
    PluginType(
        "inflight-load-producer",
        "passive",
        "Requests and uncached prompt tokens in flight per replica",
        nothing,
        (
            Parameter("prefixMatchInfoProducerName", "string", ""),
            Parameter("addEstimatedOutputTokens", "boolean", False),
            Parameter("maxEstimatedOutputTokens", "integer", None, least=0),
        ),
        releases=("current",),
    ),
    PluginType(
        "token-producer",
        "passive",
        "Tokens of the prompt, from the engines' own tokenizer",
        nothing,
        (
            Parameter("modelName", "string", ""),
            Parameter("vllm", "object", {}),
            Parameter("estimate", "object", {}),
        ),
        releases=("current",),
    ),
    PluginType("endpoint-notification-source", "passive", "Tells producers of pods", nothing, releases=("current",)),
    PluginType(
        "metrics-data-source",
        "passive",
        "Reads the engines' metrics",
        nothing,
        (
            Parameter("scheme", "string", ""),
            Parameter("path", "string", ""),
            Parameter("insecureSkipVerify", "boolean", True),
        ),
        releases=("current",),
    ),
    PluginType(
        "core-metrics-extractor",
        "passive",
        "Takes the load from the metrics",
        nothing,
        (Parameter("engineConfigs", "object", {}), Parameter("defaultEngine", "string", "")),
        releases=("current",),
    ),
    PluginType(
        "disagg-headers-handler",
        "passive",
        "Names the prefill replica in x-prefiller-host-port",
        nothing,
        (Parameter("prefillProfile", "string", ""), Parameter("encodeProfile", "string", "")),
        releases=("current",),
        instead="prefill-header-handler",
    ),
    PluginType(
        "prefill-header-handler",
        "passive",
        "Names the prefill replica in x-prefiller-host-port",
        nothing,
        (Parameter("prefillProfile", "string", ""),),
        releases=("0.5",),
        instead="disagg-headers-handler",
    ),
    PluginType("fcfs-ordering-policy", "ordering", "First come, first served", nothing, releases=("current",)),
    PluginType("edf-ordering-policy", "ordering", "Earliest deadline first", nothing, releases=("current",)),
    PluginType(
        "slo-deadline-ordering-policy",
        "ordering",
        "Earliest end of the allowed TTFT first",
        nothing,
        releases=("current",),
    ),
    PluginType("global-strict-fairness-policy", "fairness", "Order alone decides", nothing, releases=("current",)),
    PluginType("round-robin-fairness-policy", "fairness", "Tenants take turns", nothing, releases=("current",)),
)
