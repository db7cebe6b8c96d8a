"""Lists: selection, pages that stay consistent while objects change, and what resourceVersion asks for."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from apps.embedded.apiserver.call import Call
from apps.embedded.apiserver.domain.kinds import strategy_for
from apps.embedded.apiserver.domain.kinds.events import TO_OLD
from apps.embedded.apiserver.domain.request import ListOptions, parse_list_options
from apps.embedded.apiserver.domain.selectors import field_value, parse_field_selector, parse_label_selector
from apps.embedded.apiserver.domain.status import ApiError, Cause, bad_request, details_of, expired
from apps.embedded.apiserver.registry import Resource
from apps.embedded.apiserver.store import Compacted, Store

Object = dict[str, Any]
EXPIRED_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without"
    " the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
    " Continuing with the provided token results in an inconsistent list - objects that were created, modified, or"
    " deleted between the time the first chunk was returned and now may show up in the list."
)


class Lists:
    def __init__(self, store: Store) -> None:
        self._store = store

    def select(self, call: Call) -> list[Object]:
        """All objects that the call's selectors match, as stored."""
        matches = matcher(call.resource, parse_list_options(call.query), call.path.name)
        return [obj for obj in self._store.objects(call.resource.storage, call.path.namespace or None) if matches(obj)]

    def envelope(self, resource: Resource, items: list[Object], **metadata: Any) -> Object:
        head = {"resourceVersion": str(self._store.revision), **metadata}
        if resource.custom is not None:
            head.setdefault("continue", "")
        return {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": head, "items": items}

    def item(self, resource: Resource, obj: Object) -> Object:
        return _item(resource, obj)

    def list(self, call: Call) -> Object:
        options = parse_list_options(call.query)
        resource, namespace = call.resource, call.path.namespace or None
        matches = matcher(resource, options)
        revision, after = self._position(options)
        try:
            objects = self._store.objects_at(revision, resource.storage, namespace)
        except Compacted as compacted:
            if options.continue_token:
                error = expired(EXPIRED_PAGE)
                error.metadata = {"continue": _token(0, after)}
                raise error from None
            raise expired(f"The provided resource version is too old: {compacted.wanted}") from None
        chosen = [obj for obj in objects if matches(obj) and _key(obj) > after]
        metadata: Object = {"resourceVersion": str(revision)}
        limit = 0 if options.resource_version == "0" else options.limit
        if limit and len(chosen) > limit:
            metadata["continue"] = _token(revision, _key(chosen[limit - 1]))
            if not options.label_selector and not options.field_selector:
                metadata["remainingItemCount"] = len(chosen) - limit
            chosen = chosen[:limit]
        return self.envelope(resource, [_item(resource, obj) for obj in chosen], **metadata)

    def _position(self, options: ListOptions) -> tuple[int, tuple[str, str]]:
        """The revision to show and the key after which to begin."""
        now = self._store.revision
        if options.continue_token:
            if options.resource_version not in ("", "0"):
                raise bad_request("specifying resource version is not allowed when using continue")
            revision, after = _read_token(options.continue_token)
            return revision or now, after
        if options.resource_version in ("", "0"):
            return now, ("", "")
        wanted = parse_resource_version(options.resource_version)
        if wanted > now:
            raise too_large(wanted, now)
        return (wanted if options.resource_version_match == "Exact" else now), ("", "")


def parse_resource_version(text: str) -> int:
    if not text.isdecimal():
        why = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise bad_request(f"invalid resource version: {why}")
    return int(text)


def too_large(wanted: int, now: int) -> ApiError:
    cause = Cause("ResourceVersionTooLarge", "Too large resource version")
    details = details_of("", "", causes=[cause], retryAfterSeconds=1)
    error = ApiError(504, "Timeout", f"Timeout: Too large resource version: {wanted}, current: {now}", details)
    error.headers["Retry-After"] = "1"
    return error


def matcher(resource: Resource, options: ListOptions, name: str = "") -> Callable[[Object], bool]:
    """A test for the selectors of a request. ApiError 400 when a selector cannot be read or is not supported."""
    try:
        labels = parse_label_selector(options.label_selector)
        fields = tuple(
            replace(term, path=stored_field(resource, term.path))
            for term in parse_field_selector(options.field_selector)
        )
    except ValueError as error:
        raise bad_request(str(error)) from None
    strategy = resource.custom.strategy if resource.custom is not None else strategy_for(resource.group, resource.kind)
    known = ("metadata.name", "metadata.namespace", *selectable_fields(resource))
    for term in fields:
        if strategy.stored_field(term.path) not in known:
            raise unknown_field(resource, term.path)

    def matches(obj: Object) -> bool:
        if name and obj["metadata"]["name"] != name:
            return False
        return labels.matches(obj["metadata"].get("labels")) and all(
            (field_value(obj, strategy.stored_field(term.path)) == term.value) is term.equal for term in fields
        )

    return matches


def stored_field(resource: Resource, path: str) -> str:
    """Where a field selector of events.k8s.io looks: events are stored under the names of the core group."""
    head, dot, rest = path.partition(".")
    if resource.group == "events.k8s.io" and head in TO_OLD:
        return TO_OLD[head] + dot + rest
    return path


def selectable_fields(resource: Resource) -> tuple[str, ...]:
    return (
        resource.custom.selectable
        if resource.custom is not None
        else strategy_for(resource.group, resource.kind).selectable_fields
    )


def unknown_field(resource: Resource, path: str) -> ApiError:
    if resource.custom is not None or selectable_fields(resource):
        return bad_request(f"field label not supported: {path}")
    return bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')


def _item(resource: Resource, obj: Object) -> Object:
    """Items of built-in lists carry no kind and apiVersion; those of custom resources do."""
    if resource.custom is not None:
        return {**obj, "kind": resource.kind, "apiVersion": resource.api_version}
    shown = strategy_for(resource.group, resource.kind).present(obj, resource.group)
    return {key: value for key, value in shown.items() if key not in ("kind", "apiVersion")}


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _token(revision: int, after: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"rv": revision, "after": after})).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        content = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = content["after"]
        return int(content["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise bad_request(f"invalid continue token: continue key is not valid: {_not_json(token)}") from None


def _not_json(token: str) -> str:
    """What a JSON reader says of the first byte of a token that is none of ours."""
    with contextlib.suppress(ValueError):
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if raw and raw[:1] != b"{":
            shown = chr(raw[0]) if 32 <= raw[0] < 127 else f"\\u{raw[0]:04x}"
            return f"invalid character '{shown}' looking for beginning of value"
    return "it is not one that this server made"
