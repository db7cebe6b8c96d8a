"""What differs between llm-d releases, as data: names, groups, plugins and flags. Nothing else in the code knows."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any, Literal

DIALECTS = ("current", "0.5")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One llm-d release.

    `picker_plugins`: producers that the scorers of this release need declared beside them. `picker_flow_control`: its
    configuration has flow control with bands and times to live. `picker_hash_seed`: the precise index hashes with a
    seed of its own, which must be the engines' PYTHONHASHSEED. `picker_tokenizer`: in the picker, or a render service
    beside it. `kv_topic_has_port`: topics of KV events name address and port. `rank_ports`: each data-parallel rank of
    a pod is an endpoint with a port of its own. `sidecar_flags`: `modelPort` and `connector`. `engine_quiet_flags`:
    what keeps probes and scrapes out of the engine's access log. `engine_images`: by vendor. `vendors_without`:
    vendors that the release cannot serve on, and why. `least_engine`: the oldest vLLM that its flags are of.
    """

    name: str
    picker_image: str
    proxy_image: str
    sidecar_image: str
    training_image: str
    prediction_image: str
    prediction_app: str
    picker_config_api_version: str
    picker_plugins: tuple[str, ...]
    picker_api_groups: tuple[str, ...]
    picker_flow_control: bool
    picker_hash_seed: bool
    picker_tokenizer: Literal["built-in", "render-service"]
    inference_pool_api_version: str
    objective_api_version: str
    rewrite_api_version: str
    model_server_port_name: str
    sidecar_flags: Mapping[str, str]
    objective_header: str
    fairness_header: str
    slo_ttft_header: str
    slo_tpot_header: str
    kv_topic_has_port: bool
    rank_ports: bool
    engine_quiet_flags: tuple[str, ...]
    engine_has_shutdown_timeout: bool
    engine_has_custom_buckets: bool
    least_engine: str
    engine_images: Mapping[str, str]
    vendors_without: Mapping[str, str]


@functools.cache
def dialect(name: str) -> Dialect:
    """The dialect of a release; KeyError for one that is not in the table."""
    text = resources.files("apps.catalog").joinpath("data", "llm-d", "dialects.json").read_text(encoding="utf-8")
    row = json.loads(text)["dialects"][name]
    values: dict[str, Any] = {"name": name}
    for key in (field.name for field in fields(Dialect) if field.name != "name"):
        value = row[_camel(key)]
        values[key] = tuple(value) if isinstance(value, list) else value
    return Dialect(**values)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
