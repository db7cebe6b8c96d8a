"""A plan for the console to show where no cluster would make one."""

from __future__ import annotations

import re

PLAN = re.compile(r"/api/v1/.*/plans/7$")


def plan() -> dict[str, object]:
    """As a cluster would have answered: there is none behind the week."""
    field = {"path": "/spec/engine/args/0", "op": "changed", "before": "--max-model-len=32768", "after": "--x=1"}
    return {
        "id": 7, "team": "default", "pool": "chat", "origin": "document", "state": "open", "reason": "shorter prompts",
        "createdAt": "2026-11-26T20:00:00Z", "base": {"generation": 2, "version": 3}, "restsOn": [], "generation": None,
        "summary": {
            "created": 0, "changed": 1, "unchanged": 6, "deleted": 1, "skipped": 0, "effect": "restart",
            "replicasRestarted": 4, "podsRestarted": 4, "consentNeeded": ["recreate"], "empty": False,
            "sentence": "1 object changes, 1 is deleted; restarts pods of 4 replicas.",
        },
        "spec": [field],
        "objects": [
            {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": "chat-h200", "namespace": "serving",
                "action": "changed", "effect": "restart", "variant": "h200", "restarts": 4, "fieldsLeftOut": 0,
                "fields": [field], "immutable": [], "conflicts": [], "reason": None, "message": None, "manifest": None,
            },
        ],
        "accelerators": [{"accelerator": "nvidia-h200", "before": 4, "after": 5, "delta": 1}],
        "cost": [{"currency": "USD", "per": "h", "before": 16.0, "after": 20.0, "delta": 4.0}],
        "unpriced": [], "warnings": [{"reason": "NoTraffic", "message": "Nobody asks this pool now."}],
    }  # fmt: skip
