"""Pods of one model on several machines of an NVLink rack read each other's memory only through an IMEX channel.
NVIDIA's DRA driver makes one for a ComputeDomain (resource.nvidia.com/v1beta1, as of 2026-11), and the template of the
claim by which pods ask for it."""

from __future__ import annotations

from apps.catalog.domain.accelerators import accelerators as catalogue
from apps.pools.domain.context import Context
from apps.pools.domain.manifests import Manifest, labels_of, object_meta
from apps.pools.domain.options.option import Option
from apps.pools.domain.parts import EngineParts
from apps.pools.domain.spec import PoolSpec, Variant

KIND, GROUP = "ComputeDomain", "resource.nvidia.com"
COMPONENT_DOMAIN = "compute-domain"
CHANNEL = "imex-channel"


def spans_machines(spec: PoolSpec, variant: Variant) -> bool:
    """Whether pods of a variant exchange memory with others over NVLink: the rest of their group, or another role."""
    row = catalogue().get(variant.accelerator)
    together = variant.group_size > 1 or any(v.role != "both" for v in spec.variants)
    return row is not None and row.multi_node_nvlink and together


def _made(context: Context) -> bool:
    # without the driver the machines' owner keeps a channel open on them, or there is none: a warning of the plan
    return context.inputs.has(KIND, GROUP)


def template_name(pool: str) -> str:
    return f"{pool}-imex"


def _parts(context: Context, variant: Variant) -> EngineParts:
    if not _made(context) or not spans_machines(context.spec, variant):
        return EngineParts()
    return EngineParts(claims=((CHANNEL, template_name(context.pool.name)),))


def _objects(context: Context) -> tuple[Manifest, ...]:
    if not _made(context):
        return ()
    # one for the pool: prefill hands KV to decode over the same links
    return (
        {
            "apiVersion": f"{GROUP}/v1beta1",
            "kind": KIND,
            "metadata": object_meta(context.pool, context.pool.name, labels_of(context.pool, COMPONENT_DOMAIN)),
            "spec": {
                # the driver's daemons find each other by name and wait for no count
                "numNodes": 0,
                "channel": {"resourceClaimTemplate": {"name": template_name(context.pool.name)}},
            },
        },
    )


OPTION = Option(
    name="compute-domain",
    title="NVLink between machines",
    about="Engines on several machines of an NVLink rack share memory through an IMEX channel of their own.",
    on=lambda spec: any(spans_machines(spec, variant) for variant in spec.variants),
    parts=_parts,
    objects=_objects,
)
