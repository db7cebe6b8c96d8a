"""Endpoint-picker configurations held to the parameters of each plugin and release."""

from __future__ import annotations

from typing import Any

import pytest

from apps.catalog.domain.dialects import DIALECTS, dialect
from apps.catalog.domain.picker_config import misfits, picker_release


def config(*plugins: Any, dialect: str = "current", **more: Any) -> dict[str, Any]:
    listed = [{"type": plugin} if isinstance(plugin, str) else plugin for plugin in plugins]
    profile = [{"pluginRef": plugin.get("name") or plugin["type"]} for plugin in listed]
    release = picker_release(dialect)
    in_profile = ("scorer", "filter", "picker")
    kept = [
        reference
        for reference, plugin in zip(profile, listed, strict=True)
        if getattr(release.plugins.get(plugin["type"]), "role", "scorer") in in_profile
    ]
    return {
        "apiVersion": release.api_version,
        "kind": "EndpointPickerConfig",
        "plugins": listed,
        "schedulingProfiles": [{"name": "default", "plugins": kept}],
        **more,
    }


def sentences(document: Any, dialect: str = "current") -> str:
    return "\n".join(f"{m.pointer} {m.sentence}" for m in misfits(document, dialect))


PRECISE = {
    "type": "precise-prefix-cache-producer",
    "parameters": {
        "tokenProcessorConfig": {"blockSizeTokens": 64},
        "kvEventsConfig": {"discoverPods": True, "podDiscoveryConfig": {"socketPort": 5557}},
    },
}


def test_a_configuration_that_fits_has_no_misfits() -> None:
    scorer = {
        "type": "prefix-cache-scorer",
        "parameters": {"prefixMatchInfoProducerName": "precise-prefix-cache-producer"},
    }
    assert sentences(config(PRECISE, scorer, "queue-scorer", "max-score-picker")) == ""
    old = {"type": "precise-prefix-cache-scorer", "parameters": {"tokenProcessorConfig": {"blockSize": 64}}}
    assert sentences(config(old, "queue-scorer", dialect="0.5"), "0.5") == ""


@pytest.mark.parametrize(
    ("document", "words"),
    [
        # the fault that made a router score nothing: a right parameter in the wrong place
        (
            config({"type": "precise-prefix-cache-producer", "parameters": {"blockSizeTokens": 64}}),
            "belongs into tokenProcessorConfig",
        ),
        (
            config(
                {
                    "type": "precise-prefix-cache-producer",
                    "parameters": {"kvEventsConfig": {"discoverPods": True, "socketPort": 5557}},
                }
            ),
            "belongs into kvEventsConfig.podDiscoveryConfig",
        ),
        # the fault of a guide: prefix parameters on a scorer of queues
        (config({"type": "queue-scorer", "parameters": {"lruCapacityPerServer": 1}}), "approx-prefix-cache-producer"),
        (config({"type": "queue-scorer", "weight": 3}), "belongs under parameters"),
        (config("queue-scorrer"), "did you mean queue-scorer"),
        (config("predicted-latency-scorer"), "one of llm-d 0.5: there it is predicted-latency-producer"),
        (config({"type": "load-aware-scorer", "parameters": {"threshold": "128"}}), "must be a whole number"),
        (config({"type": "active-request-scorer", "parameters": {"requestTimeout": "2 min"}}), "a duration"),
        (config("session-affinity-scorer"), "--allow-experimental-plugins"),
        (config("queue-scorer", "queue-scorer"), "two plugins are named queue-scorer"),
        (config("max-score-picker", "random-picker"), "keep one"),
        (config("queue-scorer", featureGates=["flowcontrol"]), "no feature gate flowcontrol"),
        (config("queue-scorer", flowControl={"maxRequest": "1k"}), "maxRequest"),
        (config("queue-scorer", flowControl={"maxBytes": "10 GB"}), "a quantity"),
        (config("queue-scorer", flowControll={}), "did you mean flowControl"),
        (
            config(
                "queue-scorer",
                "fcfs-ordering-policy",
                flowControl={"priorityBands": [{"priority": 1, "fairnessPolicyRef": "fcfs-ordering-policy"}]},
            ),
            "not one for fairness",
        ),
        (
            config({"type": "disagg-profile-handler", "parameters": {"deciders": {"prefill": "prefix-decider"}}}),
            "no plugin of this document is called so",
        ),
        ({**config("queue-scorer"), "apiVersion": "inference.networking.x-k8s.io/v1alpha1"}, "llm-d.ai/v1alpha1"),
        ({**config("queue-scorer"), "schedulingProfiles": []}, "nothing refers to it"),
        (
            {
                **config("queue-scorer"),
                "schedulingProfiles": [
                    {"name": "a", "plugins": [{"pluginRef": "queue-scorer"}]},
                    {"name": "b", "plugins": [{"pluginRef": "queue-scorer"}]},
                ],
            },
            "add a profile handler",
        ),
        (
            {
                **config("queue-scorer"),
                "schedulingProfiles": [{"name": "a", "plugins": [{"pluginRef": "queue-scorer", "wieght": 2}]}],
            },
            "wieght is ignored here",
        ),
        ("text", "must be a document"),
    ],
)
def test_what_a_picker_would_refuse_or_overlook_is_named(document: Any, words: str) -> None:
    assert words in sentences(document)


def test_releases_differ_in_plugins_weights_and_parameters() -> None:
    half = config("queue-scorer", dialect="0.5")
    half["schedulingProfiles"][0]["plugins"][0]["weight"] = 0.5
    assert "takes whole numbers as weights" in sentences(half, "0.5")
    assert "token-load-scorer; it is one of llm-d current" in sentences(
        config("token-load-scorer", dialect="0.5"), "0.5"
    )
    seeded = {"type": "precise-prefix-cache-scorer", "parameters": {"speculativeIndexing": True}}
    assert "speculativeIndexing" in sentences(config(seeded, dialect="0.5"), "0.5")


def test_every_dialect_has_its_tables() -> None:
    for name in DIALECTS:
        assert dialect(name).picker_config_api_version == picker_release(name).api_version
        assert set(dialect(name).picker_plugins) <= picker_release(name).plugins.keys()
