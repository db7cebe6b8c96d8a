"""The document kind of this room."""

from __future__ import annotations

from typing import Any

from apps.catalog.domain.model import ModelSpec
from apps.catalog.models import Model
from apps.core.domain.conditions import Condition
from apps.core.kinds import Accepted, KindHandler
from apps.core.status import put_condition


class ModelKind(KindHandler):
    kind = "Model"
    plural = "models"
    singular = "model"
    model = Model
    spec_model = ModelSpec

    def accepted(self, change: Accepted) -> None:
        """A model is a reference: engines fetch its weights, so that being well formed is all there is to it."""
        if change.spec_changed:
            sentence = (
                f"Pools may serve it; their engines fetch {change.spec.source} at revision {change.spec.revision}."
            )
            put_condition(change.obj, Condition("Ready", "True", "Accepted", sentence, change.obj.generation))

    def status(self, obj: Any) -> dict[str, Any]:
        """Adds what follows from the declared shape: bytes of KV cache per token, None where no shape is known."""
        spec = ModelSpec.from_document(obj.spec)
        return {
            **super().status(obj),
            "servedName": spec.served_name or obj.name,
            "kvBytesPerToken": spec.shape.kv_bytes_per_token if spec.shape else None,
        }


MODEL = ModelKind()
