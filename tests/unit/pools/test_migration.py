"""From llm-d 0.5 to the current release: what a declaration says in a release's own words is said in the other's."""

from __future__ import annotations

from typing import Any

import pytest

from apps.catalog.domain.dialects import dialect
from apps.catalog.domain.picker_config import misfits, picker_release
from apps.pools.domain.migrating import migrate, translate
from apps.pools.domain.paths import PATHS, render
from apps.pools.domain.spec import PoolSpec
from tests.unit.pools.paths import inputs_for, model_of, path_document
from tests.unit.pools.rendering import POOL
from tests.unit.pools.test_paths import NOT_IN_RELEASE

OLD, NEW = dialect("0.5"), dialect("current")


def config(*plugins: Any) -> dict[str, Any]:
    listed = [{"type": p} if isinstance(p, str) else p for p in plugins]
    scorers = [p["type"] for p in listed if p["type"].endswith("scorer")]
    return {
        "apiVersion": OLD.picker_config_api_version,
        "kind": "EndpointPickerConfig",
        "plugins": listed,
        "schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": name, "weight": 1} for name in scorers]}],
    }


@pytest.mark.parametrize("path", [path for path in PATHS if (path, "0.5") not in NOT_IN_RELEASE])
def test_every_path_goes_over_and_its_objects_change_hands(path: str) -> None:
    spec = PoolSpec.from_document({**path_document(path), "engine": {"image": OLD.engine_images["nvidia"], "args": []}})
    made = migrate(spec, OLD, NEW)
    assert made.blocked == ()
    assert any("becomes vllm/vllm-openai" in note for note in made.notes)
    after = PoolSpec.from_document(made.spec)
    assert after.dialect == "current"
    before_objects = render(POOL, spec, model_of(spec), inputs_for(spec), OLD)
    after_objects = render(POOL, after, model_of(after), inputs_for(after), NEW)
    assert {o["kind"] for o in before_objects} == {o["kind"] for o in after_objects}
    assert before_objects != after_objects


def test_arguments_that_are_gone_are_left_out_with_a_note() -> None:
    document = {
        **path_document("optimized-baseline"),
        "engine": {"args": ["--disable-log-requests", "--max-model-len=8192"]},
    }
    made = migrate(PoolSpec.from_document(document), OLD, NEW)
    assert made.spec["engine"]["args"] == ["--max-model-len=8192"]
    assert any("--disable-log-requests is gone" in note for note in made.notes)


def test_a_configuration_of_ones_own_is_translated_or_says_what_stands_in_the_way() -> None:
    made, notes, blocked = translate(config("queue-scorer", "kv-cache-utilization-scorer"), "0.5", "current")
    assert misfits(made, "current") == []
    assert blocked == []
    assert any(picker_release("current").api_version in note for note in notes)
    _, notes, blocked = translate(config("queue-scorer", "predicted-latency-scorer"), "0.5", "current")
    assert any("predicted-latency-producer with latency-scorer" in note for note in notes)
    assert any("predicted-latency-scorer" in sentence for sentence in blocked)


def test_there_and_back_is_the_same_pool() -> None:
    spec = PoolSpec.from_document(path_document("optimized-baseline"))
    there = PoolSpec.from_document(migrate(spec, OLD, NEW).spec)
    back = PoolSpec.from_document(migrate(there, NEW, OLD).spec)
    assert back.model_copy(update={"dialect": None}) == spec
