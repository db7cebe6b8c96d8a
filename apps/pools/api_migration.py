"""REST of migrations: the declaration of a pool for another llm-d release. Nothing is changed."""

from __future__ import annotations

from typing import Literal

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog.domain.dialects import dialect
from apps.clusters.selectors import spec_of as cluster_spec
from apps.core.api.base import answer
from apps.core.api.parsers import only_document
from apps.core.api.schema import problem_responses
from apps.core.domain.documents import API_VERSION, Spec
from apps.core.domain.refusals import Missing
from apps.pools import selectors
from apps.pools.api import PoolView
from apps.pools.domain.migrating import migrate


class _Body(Spec):
    """What POST …/migration takes."""

    to: Literal["current", "0.5"]


class MigrationView(PoolView):
    """A pool for another release of llm-d: its document, and what a person should know. Plan it to see the diff."""

    @extend_schema(
        operation_id="pools_migration",
        summary="The declaration of a pool for another llm-d release, with notes; nothing is changed",
        request={"application/json": {"type": "object"}},
        responses={200: {"type": "object"}, **problem_responses(400, 404, 422)},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        body = _Body.from_document(only_document(request).value, at="")
        cluster = selectors.cluster_of(pool)
        if cluster is None:
            raise Missing(f"cluster {pool.spec['cluster']} of pool {name} is not declared any more")
        spec = selectors.spec_of(pool)
        present = spec.dialect or cluster_spec(cluster).dialect
        made = migrate(spec, dialect(present), dialect(body.to))
        document = {
            "apiVersion": API_VERSION,
            "kind": "Pool",
            "metadata": {
                "name": pool.name,
                "team": pool.team,
                "labels": pool.labels,
                "annotations": pool.annotations,
                "version": pool.version,
            },
            "spec": made.spec,
        }
        return answer(
            {
                "from": present,
                "to": body.to,
                "document": document,
                "notes": list(made.notes),
                "blocked": list(made.blocked),
            }
        )
