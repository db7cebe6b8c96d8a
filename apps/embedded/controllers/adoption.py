"""Claiming children: adopt orphans that the selector matches, release children that it no longer matches."""

from __future__ import annotations

from apps.embedded.client import KubeClient, KubeError
from apps.embedded.domain.objects import (
    Object,
    controller_of,
    controller_reference,
    is_deleting,
    matches_selector,
)
from apps.embedded.view import View


async def claim(
    children: View, client: KubeClient, *, owner: Object, owner_kind: tuple[str, str], owners: View
) -> list[Object]:
    """The children that ``owner`` controls after adoption and release.

    Before adopting, the owner is read live: one that is being deleted, or was replaced under its name, adopts nothing.
    """
    namespace, uid = owner["metadata"]["namespace"], owner["metadata"]["uid"]
    selector = owner["spec"]["selector"]
    may_adopt: bool | None = None
    claimed: list[Object] = []
    for child in children.all(namespace):
        matches = matches_selector(selector, child["metadata"].get("labels"))
        reference = controller_of(child)
        if reference is not None:
            if reference["uid"] != uid:
                continue
            if matches:
                claimed.append(child)
            elif not is_deleting(owner):
                await _release(children, client, child, uid)
            continue
        if not matches or is_deleting(owner) or is_deleting(child):
            continue
        if may_adopt is None:
            may_adopt = await _is_alive(client, owners, owner)
        if may_adopt:
            adopted = await _adopt(children, client, child, controller_reference(owner, *owner_kind))
            if adopted is not None:
                claimed.append(adopted)
    return claimed


async def _is_alive(client: KubeClient, owners: View, owner: Object) -> bool:
    metadata = owner["metadata"]
    try:
        live = await client.get(*owners.resource, metadata["name"], namespace=metadata["namespace"])
    except KubeError as error:
        if error.status == 404:
            return False
        raise
    return live["metadata"]["uid"] == metadata["uid"] and not is_deleting(live)


async def _adopt(children: View, client: KubeClient, child: Object, reference: Object) -> Object | None:
    metadata = child["metadata"]
    patch = {
        "metadata": {
            "uid": metadata["uid"],
            "ownerReferences": [*(metadata.get("ownerReferences") or []), reference],
        }
    }
    return await _patch(children, client, child, patch)


async def _release(children: View, client: KubeClient, child: Object, owner_uid: str) -> None:
    metadata = child["metadata"]
    left = [entry for entry in metadata["ownerReferences"] if entry["uid"] != owner_uid]
    await _patch(children, client, child, {"metadata": {"uid": metadata["uid"], "ownerReferences": left or None}})


async def _patch(children: View, client: KubeClient, child: Object, patch: Object) -> Object | None:
    """None when the child is gone or was replaced: then there is nothing to claim."""
    metadata = child["metadata"]
    patch["metadata"]["resourceVersion"] = metadata["resourceVersion"]
    try:
        patched = await client.patch(*children.resource, metadata["name"], patch, namespace=metadata["namespace"])
    except KubeError as error:
        if error.status in (404, 422):
            return None
        raise
    children.put(patched)
    return patched
