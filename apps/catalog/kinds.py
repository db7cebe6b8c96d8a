"""The document kind of this room."""

from __future__ import annotations

from typing import Any

from apps.catalog.domain.model import ModelSpec
from apps.catalog.models import Model
from apps.core.kinds import KindHandler


class ModelKind(KindHandler):
    kind = "Model"
    plural = "models"
    singular = "model"
    model = Model
    spec_model = ModelSpec

    def status(self, obj: Any) -> dict[str, Any]:
        """Adds what follows from the declared shape: bytes of KV cache per token, None where no shape is known."""
        spec = ModelSpec.from_document(obj.spec)
        return {
            **super().status(obj),
            "servedName": spec.served_name or obj.name,
            "kvBytesPerToken": spec.shape.kv_bytes_per_token if spec.shape else None,
        }


MODEL = ModelKind()
