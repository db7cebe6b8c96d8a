"""What differs between llm-d releases, as data: names, groups, plugins and flags. Nothing else in the code knows."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources

DIALECTS = ("current", "0.5")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One llm-d release.

    `picker_plugins`: producers that the scorers of this release need declared beside them. `picker_flow_control`: its
    configuration has flow control behind the feature gate `flowControl`. `engine_quiet_flags`: what keeps probes
    and scrapes out of the engine's access log.
    """

    name: str
    picker_image: str
    proxy_image: str
    picker_config_api_version: str
    picker_plugins: tuple[str, ...]
    picker_api_groups: tuple[str, ...]
    picker_flow_control: bool
    inference_pool_api_version: str
    model_server_port_name: str
    engine_quiet_flags: tuple[str, ...]
    engine_has_shutdown_timeout: bool
    engine_has_custom_buckets: bool


@functools.cache
def dialect(name: str) -> Dialect:
    """The dialect of a release; KeyError for one that is not in the table."""
    text = resources.files("apps.catalog").joinpath("data", "llm-d", "dialects.json").read_text(encoding="utf-8")
    row = json.loads(text)["dialects"][name]
    return Dialect(
        name=name,
        picker_image=row["pickerImage"],
        proxy_image=row["proxyImage"],
        picker_config_api_version=row["pickerConfigApiVersion"],
        picker_plugins=tuple(row["pickerPlugins"]),
        picker_api_groups=tuple(row["pickerApiGroups"]),
        picker_flow_control=row["pickerFlowControl"],
        inference_pool_api_version=row["inferencePoolApiVersion"],
        model_server_port_name=row["modelServerPortName"],
        engine_quiet_flags=tuple(row["engineQuietFlags"]),
        engine_has_shutdown_timeout=row["engineHasShutdownTimeout"],
        engine_has_custom_buckets=row["engineHasCustomBuckets"],
    )
