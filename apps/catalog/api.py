"""The catalog's own endpoints."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog.domain.accelerators import accelerators
from apps.core.api.base import ApiView


class AcceleratorsView(ApiView):
    """The accelerators that a pool's variants may name."""

    @extend_schema(
        operation_id="accelerators",
        summary="List known accelerators",
        responses={
            200: {
                "type": "object",
                "properties": {
                    "items": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "name": {"type": "string"},
                                "title": {"type": "string"},
                                "vendor": {"type": "string"},
                                "resource": {"type": ["string", "null"]},
                                "memoryBytes": {"type": "integer"},
                                "price": {"type": ["string", "null"]},
                                "pricedOn": {"type": ["string", "null"]},
                                "priceSource": {"type": ["string", "null"]},
                            },
                        },
                    }
                },
            }
        },
    )
    def get(self, request: Request) -> Response:
        items = [
            {
                "name": a.name,
                "title": a.title,
                "vendor": a.vendor,
                "resource": a.resource,
                "memoryBytes": a.memory,
                "price": str(a.price) if a.price else None,
                "pricedOn": a.priced_on,
                "priceSource": a.price_source or None,
            }
            for a in accelerators().values()
        ]
        return Response({"items": items, "next": None})
