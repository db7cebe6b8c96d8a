"""Model rewrite: requests for one name are served by others, by weight (canaries of adapters, names that stay)."""

from __future__ import annotations

from apps.pools.domain.context import Context
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.manifests import Manifest, labels_of, object_meta
from apps.pools.domain.options.option import Option
from apps.pools.domain.picker import COMPONENT_PICKER


def _objects(context: Context) -> tuple[Manifest, ...]:
    pool, rewrites = context.pool, context.spec.routing.rewrites or ()
    return (
        {
            "apiVersion": context.dialect.rewrite_api_version,
            "kind": "InferenceModelRewrite",
            "metadata": object_meta(pool, pool.name, labels_of(pool, COMPONENT_PICKER)),
            "spec": {
                "poolRef": {"name": pool.name},
                "rules": [
                    {
                        "matches": [{"model": {"type": "Exact", "value": rewrite.model}}],
                        "targets": [{"modelRewrite": t.model, "weight": t.weight} for t in rewrite.targets if t.weight],
                    }
                    for rewrite in rewrites
                ],
            },
        },
    )


def _kind(q: Question) -> str | None:
    if not q.spec.routing.rewrites or q.inputs is None or q.dialect is None:
        return None
    group = q.dialect.rewrite_api_version.partition("/")[0]
    if not q.inputs.has("InferenceModelRewrite", group):
        return (
            f"names are rewritten by the kind InferenceModelRewrite of {group}, which this cluster does not have: "
            "install the CRDs of its llm-d release, or leave routing.rewrites out"
        )
    return None


def _served(q: Question) -> str | None:
    if not q.spec.routing.rewrites or q.model is None:
        return None
    known = {q.model.served_name, *(adapter.name for adapter in q.model.adapters)}
    runtime = q.spec.adapters is not None and q.spec.adapters.runtime
    for rewrite in q.spec.routing.rewrites:
        for target in rewrite.targets:
            if target.model not in known and not runtime:
                return (
                    f"routing.rewrites sends requests for {rewrite.model} to {target.model}, which nobody serves: "
                    f"engines of this pool serve {', '.join(sorted(known))}"
                )
    return None


def _distinct(q: Question) -> str | None:
    names = [rewrite.model for rewrite in q.spec.routing.rewrites or ()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return f"two rewrites are for {twice[0]}: put all its targets into one"
    return None


_AT = "/spec/routing/rewrites"
OPTION = Option(
    name="rewrites",
    title="Model rewrite",
    about="Requests for one model name are served by others, by weight.",
    on=lambda spec: bool(spec.routing.rewrites),
    invariants=(
        Invariant("RewriteMissing", "The cluster knows InferenceModelRewrite.", _kind, _AT),
        Invariant("RewriteToNobody", "Every target of a rewrite is served.", _served, _AT),
        Invariant("RewriteTwice", "A name is rewritten by one rule.", _distinct, _AT),
    ),
    objects=_objects,
)
