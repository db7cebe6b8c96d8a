"""Every well-lit path in both dialects: golden manifests, and proof against real schemas for the pairs of path,
release, accelerator, option and entry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.catalog.domain.accelerators import accelerators
from apps.catalog.domain.dialects import DIALECTS, dialect
from apps.physics.routing import read_config
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.paths import PATHS, render
from apps.pools.domain.spec import PoolSpec
from tests.support.pairwise import pairwise
from tests.support.proof import command_faults, faults, picker_faults
from tests.unit.pools.paths import HOST_TIER, inputs_for, merged, model_of, path_document
from tests.unit.pools.rendering import POOL, by_name

GOLDEN = Path(__file__).parent / "golden" / "paths"
# what a release cannot do is refused by name; everything else must render
NOT_IN_RELEASE = {("scale-to-zero", "0.5"): "HoldNotInRelease"}


def spec_on(path: str, accelerator: str = "nvidia-h200", **changes: Any) -> PoolSpec:
    return PoolSpec.from_document(path_document(path, accelerator, **changes))


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


@pytest.mark.parametrize("release", DIALECTS)
@pytest.mark.parametrize("path", PATHS)
def test_golden(path: str, release: str) -> None:
    spec = spec_on(path)
    reason = NOT_IN_RELEASE.get((path, release))
    if reason is not None:
        with pytest.raises(PlanRefused) as refused:
            render(POOL, spec, model_of(spec), inputs_for(spec), dialect(release))
        assert refused.value.reason == reason
        return
    objects = render(POOL, spec, model_of(spec), inputs_for(spec), dialect(release))
    text = yaml.dump_all(objects, Dumper=_Plain, sort_keys=False, width=120)
    file = GOLDEN / f"{path}-{release}.yaml"
    if os.environ.get("LAMPLIGHT_UPDATE_GOLDEN"):
        file.write_text(text)
    assert file.read_text() == text, f"{file.name} differs; look at the change, then run with LAMPLIGHT_UPDATE_GOLDEN=1"


@pytest.mark.parametrize("release", DIALECTS)
@pytest.mark.parametrize("path", PATHS)
def test_the_scheduling_that_we_run_ourselves_reads_what_is_rendered(path: str, release: str) -> None:
    """The embedded gateway, what-if and benchmarks execute the very configuration that goes to a cluster."""
    if (path, release) in NOT_IN_RELEASE:
        pytest.skip("the release cannot do this")
    spec = spec_on(path)
    objects = by_name(render(POOL, spec, model_of(spec), inputs_for(spec), dialect(release)))
    read_config(yaml.safe_load(objects["ConfigMap/chat-epp"]["data"]["config.yaml"]))


OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "adapters": {"adapters": {"maxLoaded": 2, "maxOnHost": 8, "runtime": True}},
    "ngram": {"speculative": {"method": "ngram", "tokens": 4}},
    "draft": {"speculative": {"method": "draft", "model": "hf://example/draft"}},
    "mtp": {"speculative": {"method": "mtp", "tokens": 1}},
    "eagle3": {"speculative": {"method": "eagle3", "model": "hf://example/eagle3"}},
    "cache-made": {"modelCache": {"size": "500Gi", "storageClass": "shared"}},
    "cache-there": {"modelCache": {"claim": "weights", "keep": 2}},
    "rewrites": {"routing": {"rewrites": [{"model": "chat", "targets": [{"model": "@served", "weight": 1}]}]}},
    "tiers": {"offload": HOST_TIER},
    "cold-spread": {"routing": {"weights": {"coldSpread": 2}}},
}
ENTRIES: dict[str, dict[str, Any]] = {
    "standalone": {},
    "istio": {"routing": {"gateway": {"name": "public", "provider": "istio", "hostnames": ["chat.example.com"]}}},
    "gke": {"routing": {"gateway": {"name": "public", "namespace": "gateways", "provider": "gke"}}},
    "queue": {"queue": "team-a"},
    "claim": {"devices": "claim"},
}
ROWS = pairwise(
    {
        "path": list(PATHS),
        "release": list(DIALECTS),
        "accelerator": [name for name in accelerators() if name != "cpu"],
        "option": list(OPTIONS),
        "entry": list(ENTRIES),
    }
)
# a refusal of these names is right for some accelerator, path or release; any other would be a fault of rendering
ALLOWED = {
    "VendorNotInRelease",
    "HoldNotInRelease",
    "ConnectorNotInPlace",
    "NoPrefixScores",
    "TierNotOnAccelerator",
    "TierSpansPods",
}


def _of_row(row: dict[str, str]) -> PoolSpec:
    document = path_document(row["path"], row["accelerator"])
    entry = dict(ENTRIES[row["entry"]])
    per_variant = {key: entry.pop(key) for key in ("queue", "devices") if key in entry}
    document["variants"] = [{**v, **per_variant} for v in document["variants"]]
    document = merged(merged(document, OPTIONS[row["option"]]), entry)
    served = "moe" if row["path"] == "wide-ep" else "llama-3.1-8b"
    text = yaml.safe_dump(document).replace("@served", served).replace("'" + served + "'", served)
    return PoolSpec.from_document(yaml.safe_load(text))


def test_pairs_are_covered() -> None:
    assert len(ROWS) < 250
    assert {(row["path"], row["accelerator"]) for row in ROWS} == {
        (path, name) for path in PATHS for name in accelerators() if name != "cpu"
    }


@pytest.mark.parametrize("path", PATHS)
def test_a_real_cluster_takes_every_pair_of_path_release_accelerator_option_and_entry(path: str) -> None:
    wrong: list[str] = []
    rendered = 0
    for row in (row for row in ROWS if row["path"] == path):
        spec = _of_row(row)
        try:
            objects = render(POOL, spec, model_of(spec), inputs_for(spec), dialect(row["release"]))
        except PlanRefused as refused:
            assert refused.reason in ALLOWED, f"{row}: {refused.reason}: {refused}"
            continue
        rendered += 1
        found = [fault for manifest in objects for fault in faults(manifest)]
        found += picker_faults(objects, row["release"])
        if row["release"] == "current":
            for version in ("0.32.0", "0.33.0"):
                found += [fault for manifest in objects for fault in command_faults(manifest, version)]
        wrong += [f"{row}: {fault}" for fault in found]
    assert not wrong, "\n".join(wrong[:20])
    assert rendered >= 5
