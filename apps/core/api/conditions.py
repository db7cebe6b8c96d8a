"""The reference of conditions over REST."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import reasons
from apps.core.api.base import ApiView, answer


class ConditionsView(ApiView):
    """Every condition type with its place in the tree, and every reason with its meaning."""

    @extend_schema(
        operation_id="conditions",
        summary="What conditions may say: types, their tree, reasons with meaning and what to do",
        responses={200: {"type": "object"}},
    )
    def get(self, request: Request) -> Response:
        types = [
            {"kind": entry.kind, "type": entry.type, "parent": entry.parent, "question": entry.question}
            for entry in reasons.condition_types()
        ]
        items = [
            {
                "kind": row.kind,
                "type": row.type,
                "reason": row.reason,
                "meaning": row.meaning,
                "doNext": row.do_next or None,
            }
            for row in reasons.reasons()
        ]
        return answer({"types": types, "items": items, "next": None})
