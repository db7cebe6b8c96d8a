"""Reading an EndpointPickerConfig: what is understood, and what is refused with a sentence."""

from __future__ import annotations

import pytest

from apps.physics.routing import ConfigError, read_config
from apps.physics.routing.flow import Band, FlowControl
from apps.physics.routing.parameters import count, go_duration

OLD, NEW = "inference.networking.x-k8s.io/v1alpha1", "llm-d.ai/v1alpha1"


def config(**sections: object) -> dict[str, object]:
    return {"kind": "EndpointPickerConfig", **sections}


def test_without_plugins_it_is_the_default() -> None:
    profile = read_config(config()).profiles["default"]
    assert [(each.name, each.weight) for each in profile.scorers] == [
        ("queue-scorer", 2.0), ("kv-cache-utilization-scorer", 2.0), ("prefix-cache-scorer", 3.0),
    ]  # fmt: skip


def test_plugins_without_a_profile_make_one() -> None:
    profile = read_config(config(plugins=[{"type": "queue-scorer"}, {"type": "random-picker"}])).profiles["default"]
    assert ([each.name for each in profile.scorers], profile.picker_name) == (["queue-scorer"], "random-picker")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"kind": "ConfigMap"}, "kind EndpointPickerConfig"),
        ({"apiVersion": "v1"}, "apiVersion 'v1' is not known"),
        ({"pluginz": []}, "pluginz is not a field"),
        ({"plugins": [{"type": "fastest-scorer"}]}, r"plugins\[0\]: unknown plugin type 'fastest-scorer'"),
        ({"plugins": [{"type": "queue-scorrer"}]}, "did you mean queue-scorer"),
        ({"plugins": [{"type": "queue-scorer", "weight": 2}]}, r"plugins\[0\]\.weight is not a field of a plugin"),
        ({"plugins": [{"type": "queue-scorer"}, {"type": "queue-scorer"}]}, "the name 'queue-scorer' is taken"),
        ({"plugins": [{"type": "queue-scorer", "parameters": {"hashBlockSize": 5}}]}, "takes no parameters"),
        ({"schedulingProfiles": [{"plugins": [{"pluginRef": "x"}]}]}, r"plugins\[0\]: no plugin is named 'x'"),
        (
            {"plugins": [{"type": "queue-scorer"}], "schedulingProfiles": [{"name": "a"}, {"name": "b"}]},
            "exactly one profile",
        ),
        (
            {"plugins": [{"type": "queue-scorer"}],
             "schedulingProfiles": [{"plugins": [{"pluginRef": "queue-scorer", "weight": "2"}]}]},
            "the weight of queue-scorer must be a number",
        ),
        (
            {"plugins": [{"type": "prefix-cache-scorer", "parameters": {"blockSize": 0}}]},
            r"blockSize must be an integer, at least 1, not 0",
        ),
        (
            {"plugins": [{"type": "precise-prefix-cache-producer", "parameters": {"blockSize": 64}}]},
            r"blockSize is in the wrong place: it belongs in tokenProcessorConfig.blockSize",
        ),
        (
            {"plugins": [{"type": "precise-prefix-cache-producer", "parameters": {"kvEventsConfig": {}}}]},
            "kvEventsConfig needs discoverPods: true, or the zmqEndpoint",
        ),
        (
            {"apiVersion": NEW, "plugins": [{"type": "precise-prefix-cache-scorer"}]},
            "is not a plugin of llm-d current; there it is precise-prefix-cache-producer",
        ),
        (
            {"apiVersion": OLD, "plugins": [{"type": "token-load-scorer"}]},
            "is not a plugin of llm-d 0.5; there it is queue-scorer",
        ),
        (
            {"plugins": [{"type": "disagg-profile-handler", "parameters": {"deciderPluginName": "x"}}]},
            "plugin disagg-profile-handler: no decider is named 'x'",
        ),
        (
            {"plugins": [{"type": "pd-profile-handler"}, {"type": "queue-scorer"}]},
            "pd-profile-handler: there is no profile 'decode'",
        ),
        ({"plugins": [{"type": "by-label"}]}, "by-label needs the parameter label"),
        ({"plugins": [{"type": "weighted-random-picker", "parameters": {"maxNumOfEndpoints": 1.5}}]}, "an integer"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said(document: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_config({"kind": "EndpointPickerConfig", **document})


def test_without_the_gate_nothing_is_held() -> None:
    assert read_config(config(flowControl={"maxRequests": 5})).flow is None


def gated(**section: object) -> dict[str, object]:
    detector = {"type": "concurrency-detector", "name": "load", "parameters": {"maxConcurrency": 132}}
    fair = {"type": "round-robin-fairness-policy", "name": "turns"}
    return config(featureGates=["flowControl"], flowControl=section, plugins=[detector, fair, {"type": "queue-scorer"}])


def test_bounds_times_and_bands_are_read() -> None:
    flow = read_config(
        gated(
            maxRequests="1k",
            maxBytes="10Gi",
            defaultRequestTTL="1m30s",
            noEndpointRequestTTL="10m",
            saturationDetector={"pluginRef": "load"},
            priorityBands=[{"priority": 10, "maxRequests": 5, "fairnessPolicyRef": "turns"}],
            defaultPriorityBand={"orderingPolicyRef": "edf-ordering-policy"},
        )
    ).flow
    assert flow == FlowControl(
        1000, 10 * 2**30, 90.0, 600.0, 132, {10: Band(5, None, "round-robin-fairness-policy")},
        Band(ordering="edf-ordering-policy"),
    )  # fmt: skip
    assert read_config(gated()).flow == FlowControl()
    assert read_config(gated(defaultRequestTTL="5s")).flow == FlowControl(request_ttl=5.0, no_endpoint_ttl=5.0)


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"maxRequests": 0}, "flowControl.maxRequests must be at least 1"),
        ({"maxBytes": "lots"}, "flowControl.maxBytes: 'lots' is not a quantity"),
        ({"defaultRequestTTL": 60}, "flowControl.defaultRequestTTL: 60 is not a duration"),
        ({"noEndpointRequestTTL": "0s"}, "must be longer than nothing"),
        ({"priorityBandz": []}, "flowControl.priorityBandz is not supported here"),
        ({"priorityBands": [{"name": "x"}]}, r"flowControl.priorityBands\[0\] needs priority"),
        ({"priorityBands": [{"priority": 1, "fairnessPolicyRef": "x"}]}, "fairnessPolicyRef is 'x'"),
        ({"saturationDetector": {"pluginRef": "queue-scorer"}}, "no plugin of a detector is named 'queue-scorer'"),
    ],
)  # fmt: skip
def test_flow_control_that_cannot_be_used_is_said(section: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_config(gated(**section))


def test_durations_and_quantities() -> None:
    assert [go_duration(text) for text in ("500ms", "60s", "1m30s", "1.5h")] == [0.5, 60, 90, 5400]
    assert [count(value) for value in (5, "1k", "1Gi", 1.0)] == [5, 1000, 2**30, 1]
    for text in ("", "60", "1 m", "-5s", None):
        with pytest.raises(ValueError, match="is not a duration"):
            go_duration(text)
