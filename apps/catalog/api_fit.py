"""REST of the fit check: on which accelerators does a model fit, and how."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog.domain.accelerators import Accelerator, accelerators
from apps.catalog.domain.fit import DEFAULT_UTILIZATION, Asked, Fit, fit
from apps.catalog.domain.model import ModelSpec, Shape
from apps.core import access
from apps.core.api.base import ApiView, actor_of, answer
from apps.core.api.schema import problem_responses
from apps.core.domain.refusals import Fault, Invalid, Missing
from apps.core.kinds import find_reference

# what people try: over how many accelerators a replica is spread
TENSORS = (1, 2, 4, 8)


def _parameter(name: str, type_: Any, description: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, type_, description=description, **more)


class ModelFitView(ApiView):
    """Whether a model fits: weights, activations and KV cache against the memory of each kind of accelerator."""

    @extend_schema(
        operation_id="models_fit",
        summary="On which accelerators a model fits, over how many of them, and how many tokens the cache holds",
        parameters=[
            _parameter("accelerator", OpenApiTypes.STR, "Only this one; else all."),
            _parameter("tensor", OpenApiTypes.INT, "Only this tensor parallelism; else 1, 2, 4 and 8."),
            _parameter("pipeline", OpenApiTypes.INT, "Pipeline stages (1)."),
            _parameter("maxModelLen", OpenApiTypes.INT, "Tokens of the longest request; at least one must fit."),
            _parameter("utilization", OpenApiTypes.FLOAT, f"Share of memory for the engine ({DEFAULT_UTILIZATION})."),
            _parameter(
                "kvCacheDtype", OpenApiTypes.STR, "Of the KV cache, where it is not the model's.", enum=["auto", "fp8"]
            ),
        ],
        responses={200: {"type": "object"}, **problem_responses(404, 422)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        access.require_read(actor_of(request), team)
        model = find_reference("Model", team, name)
        if model is None:
            raise Missing(f"there is no Model {name} for team {team}")
        shape = ModelSpec.from_document(model.spec).shape
        chosen = request.query_params.get("accelerator")
        known = accelerators()
        if chosen is not None and chosen not in known:
            raise _refused(
                "accelerator", f"{chosen} is not an accelerator we know; known are {', '.join(sorted(known))}"
            )
        asked = Asked(
            pipeline=_int(request, "pipeline", 1, 1, 64) or 1,
            utilization=_float(request, "utilization", DEFAULT_UTILIZATION),
            max_model_len=_int(request, "maxModelLen", None, 1, 10_000_000),
            kv_element=1 if request.query_params.get("kvCacheDtype") == "fp8" else None,
        )
        only = _int(request, "tensor", None, 1, 1024)
        rows = [known[chosen]] if chosen is not None else list(known.values())
        items = [
            _item(row, tensor, fit(shape, row.memory, replace(asked, tensor=tensor)))
            for row in rows
            for tensor in ((only,) if only is not None else TENSORS)
        ]
        return answer({"items": items, "next": None, "kvBytesPerToken": _per_token(shape)})


def _item(row: Accelerator, tensor: int, found: Fit) -> dict[str, Any]:
    price = row.price
    return {
        "accelerator": row.name,
        "tensor": tensor,
        "verdict": found.verdict,
        "memoryBytes": found.memory,
        "weightsBytes": found.weights,
        "activationsBytes": found.activations,
        "overheadBytes": found.overhead,
        "kvCacheBytes": found.kv_cache,
        "kvTokens": found.kv_tokens,
        "requests": round(found.requests, 1) if found.requests is not None else None,
        "pricePerReplica": str(replace(price, amount=price.amount * tensor)) if price is not None else None,
        "reason": found.reason or None,
        "mend": found.mend or None,
    }


def _per_token(shape: Shape | None) -> int | None:
    return shape.kv_bytes_per_token if shape is not None else None


def _int(request: Request, name: str, default: int | None, least: int, most: int) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise _refused(name, f"{name} is a whole number from {least} to {most}, not {text[:40]}")
    return int(text)


def _float(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise _refused(name, f"{name} is a share between 0 and 1, not {text[:40]}")
    return value


def _refused(name: str, sentence: str) -> Invalid:
    return Invalid.of([Fault(f"?{name}", sentence)])
