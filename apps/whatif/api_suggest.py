"""REST of suggested variants: a model, a load and an SLO in; accelerators, replicas and cost out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog.domain.accelerators import accelerators
from apps.catalog.domain.fit import Asked, fit
from apps.catalog.domain.model import BYTES_PER_VALUE, ModelSpec, Shape
from apps.core import access
from apps.core.api.base import ApiView, actor_of, answer
from apps.core.api.schema import problem_responses
from apps.core.domain.refusals import Fault, Invalid, Missing
from apps.core.domain.units import HourlyPrice, parse_duration, parse_fraction
from apps.core.kinds import find_reference
from apps.physics import catalogue
from apps.physics.catalogue import ModelSize, Timing, step_time_for
from apps.whatif.domain.suggest import Option, Suggestion, Wanted, suggest

__all__ = ["SuggestionsView"]

_TENSORS = (1, 2, 4, 8)
_T = TypeVar("_T")


def _number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise ValueError(f"it is a number from {least:g} to {most:g}")
        return value

    return read


def _seconds(text: str) -> float:
    value = parse_duration(text).total_seconds()
    if value <= 0:
        raise ValueError("it is longer than nothing")
    return value


def _share(text: str) -> float:
    return float(parse_fraction(text))


class SuggestionsView(ApiView):
    """Variants that would keep an SLO for a model, the cheapest first. From priors: nothing has been measured yet."""

    @extend_schema(
        operation_id="models_suggestions",
        summary="Accelerators, replicas and cost that would keep an SLO for this model",
        parameters=[
            OpenApiParameter("requestsPerSecond", OpenApiTypes.FLOAT, required=True, description="Of the busy hours."),
            OpenApiParameter("promptTokens", OpenApiTypes.FLOAT, description="Mean of a prompt (1000)."),
            OpenApiParameter("outputTokens", OpenApiTypes.FLOAT, description="Mean of an answer (200)."),
            OpenApiParameter("cached", OpenApiTypes.FLOAT, description="Share of prompt tokens found cached (0)."),
            OpenApiParameter("ttft", OpenApiTypes.STR, description="Time to first token, such as 500ms."),
            OpenApiParameter("tpot", OpenApiTypes.STR, description="Mean time per output token, such as 50ms."),
            OpenApiParameter("fraction", OpenApiTypes.STR, description="Of requests that keep it, such as 95% (95%)."),
            OpenApiParameter("maxModelLen", OpenApiTypes.INT, description="Tokens of the longest request."),
        ],
        responses={200: {"type": "object"}, **problem_responses(404, 422)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        access.require_read(actor_of(request), team)
        model = find_reference("Model", team, name)
        if model is None:
            raise Missing(f"there is no Model {name} for team {team}")
        shape = ModelSpec.from_document(model.spec).shape
        if shape is None or shape.parameters is None:
            what = f"Model {name} declares no spec.shape with parameters: without it there is nothing to reckon with"
            raise Invalid.of([Fault("", what)])
        wanted, longest = _wanted(request.query_params)
        options = _options(shape, longest)
        found = suggest([option for option, *_ in options], wanted)
        known = {(option.accelerator, option.tensor): (timing, price) for option, timing, price in options}
        best: dict[str, Suggestion] = {}
        for one in found:
            best.setdefault(one.option.accelerator, one)
        items = [_item(one, *known[one.option.accelerator, one.option.tensor], wanted) for one in best.values()]
        return answer({"items": items, "next": None, "unknown": _without_times(shape)})


def _wanted(query: Mapping[str, str]) -> tuple[Wanted, int | None]:
    faults: list[Fault] = []

    def read(name: str, how: Callable[[str], _T], default: _T) -> _T:
        text = query.get(name, "")
        if text == "":
            return default
        try:
            return how(text)
        except (ValueError, ArithmeticError) as error:
            faults.append(Fault(f"?{name}", f"{name} cannot be {text[:40]}: {error}"))
            return default

    wanted = Wanted(
        requests_per_second=read("requestsPerSecond", _number(0.001, 1e6), 0.0),
        prompt=read("promptTokens", _number(1, 1e6), 1000.0),
        output=read("outputTokens", _number(1, 1e6), 200.0),
        cached=read("cached", _number(0, 0.99), 0.0),
        ttft=read("ttft", _seconds, None),
        tpot=read("tpot", _seconds, None),
        fraction=read("fraction", _share, 0.95),
    )
    longest = read("maxModelLen", _number(1, 10_000_000), None)
    if not query.get("requestsPerSecond"):
        faults.append(Fault("?requestsPerSecond", "say how many requests a second the busy hours bring"))
    if not query.get("ttft") and not query.get("tpot"):
        faults.append(Fault("?ttft", "name at least one objective: ttft, such as 500ms, or tpot, such as 50ms"))
    if faults:
        raise Invalid.of(faults)
    return wanted, int(longest) if longest is not None else None


def _options(shape: Shape, longest: int | None) -> list[tuple[Option, Timing, HourlyPrice | None]]:
    """Every accelerator with step times over every number of them that the model fits into."""
    size = _size(shape)
    found = []
    for name, row in accelerators().items():
        if name not in catalogue.accelerators():
            continue
        for tensor in _TENSORS:
            fits = fit(shape, row.memory, Asked(tensor=tensor, max_model_len=longest))
            if fits.verdict not in ("fits", "tight") or not fits.kv_tokens:
                continue
            price = replace(row.price, amount=row.price.amount * tensor) if row.price is not None else None
            timing = step_time_for(size, name, tensor)
            amount = float(price.amount) if price is not None else None
            found.append((Option(name, tensor, timing.step_time, fits.kv_tokens, amount), timing, price))
    return found


def _without_times(shape: Shape) -> list[str]:
    """Accelerators that the model would fit on and that no step times are known of."""
    return sorted(
        name
        for name, row in accelerators().items()
        if name not in catalogue.accelerators() and fit(shape, row.memory, Asked()).verdict in ("fits", "tight")
    )


def _size(shape: Shape) -> ModelSize:
    assert shape.parameters is not None
    weights = shape.parameters * BYTES_PER_VALUE[shape.dtype]
    return ModelSize(float(shape.parameters), shape.layers, weights, shape.kv_bytes_per_token)


def _item(one: Suggestion, timing: Timing, price: HourlyPrice | None, wanted: Wanted) -> dict[str, Any]:
    keeps = one.verdict == "keeps"
    total = replace(price, amount=price.amount * Decimal(one.replicas)) if price is not None and keeps else None
    return {
        "accelerator": one.option.accelerator,
        "tensor": one.option.tensor,
        "verdict": one.verdict,
        "replicas": one.replicas if keeps else None,
        "accelerators": one.replicas * one.option.tensor if keeps else None,
        "requestsPerReplica": round(one.carries, 3) if keeps else None,
        "attained": round(one.attained, 4),
        "kvTokens": one.option.kv_tokens,
        "cost": str(total) if total is not None else None,
        "origin": timing.origin,
        "basis": timing.basis,
        "sentence": _sentence(one, wanted, total),
    }


def _sentence(one: Suggestion, wanted: Wanted, total: HourlyPrice | None) -> str:
    each = f"{one.option.tensor} x {one.option.accelerator}" if one.option.tensor > 1 else one.option.accelerator
    if one.verdict == "never":
        return (
            f"On {each} even an idle replica keeps the promise for {_percent(one.attained)} of requests, not for "
            f"{_percent(wanted.fraction)}: take a faster accelerator, spread a replica over more, or promise less."
        )
    many = "replica" if one.replicas == 1 else "replicas"
    cost = f" for {total}" if total is not None else ""
    return (
        f"{one.replicas} {many} of {each}{cost}: each carries {one.carries:.3g} requests/s within the promise; "
        f"about {_percent(one.attained)} of requests keep it."
    )


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
