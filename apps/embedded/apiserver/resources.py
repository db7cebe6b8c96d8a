"""The verbs on resources: what a request does to the store, through defaults, validation and field ownership."""

from __future__ import annotations

import copy
import random
import uuid
from collections.abc import Callable
from typing import Any

import orjson

from apps.embedded.apiserver.call import Answer, Call, check_write_options
from apps.embedded.apiserver.domain import metadata as meta
from apps.embedded.apiserver.domain.deletion import DeleteOptions, finalizers_for, parse_delete_options
from apps.embedded.apiserver.domain.kinds import strategy_for
from apps.embedded.apiserver.domain.patches import apply_json_patch, merge_patch
from apps.embedded.apiserver.domain.status import (
    MODIFIED,
    ApiError,
    Cause,
    already_exists,
    bad_request,
    conflict,
    details_of,
    forbidden,
    invalid,
    not_found,
    success,
)
from apps.embedded.apiserver.domain.strategy import Strategy
from apps.embedded.apiserver.lists import Lists
from apps.embedded.apiserver.registry import Registry, Resource
from apps.embedded.apiserver.store import Store

Object = dict[str, Any]
NAMESPACES = "/namespaces"
GENERATED = "bcdfghjklmnpqrstvwxz2456789"


class Resources:
    def __init__(self, store: Store, registry: Registry) -> None:
        self.store = store
        self.registry = registry
        self.lists = Lists(store)

    def get(self, call: Call) -> Answer:
        return Answer(self._show(call.resource, self._existing(call)))

    def list(self, call: Call) -> Answer:
        return Answer(self.lists.list(call))

    def create(self, call: Call) -> Answer:
        check_write_options(call, "CreateOptions")
        obj = self._decode(call, call.body)
        self._check_namespace_field(call, obj)
        return self._create(call, obj)

    def update(self, call: Call) -> Answer:
        check_write_options(call, "UpdateOptions")
        obj = self._decode(call, call.body)
        self._check_namespace_field(call, obj)
        name = obj["metadata"].get("name", "")
        if name != call.path.name:
            raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.path.name})")
        old = self._find(call)
        if old is None:
            if self._strategy(call.resource).create_on_update and not call.path.subresource:
                return self._create(call, obj)
            raise not_found(call.resource.group, call.resource.plural, call.path.name)
        return self._update(call, old, obj)

    def patch(self, call: Call) -> Answer:
        check_write_options(call, "PatchOptions")
        old = self._find(call)
        if call.content_type == "application/apply-patch+yaml":
            raise ApiError(501, "NotImplemented", "server-side apply is not there yet")
        if old is None:
            raise not_found(call.resource.group, call.resource.plural, call.path.name)
        patched = self._patched(call, self._show(call.resource, old))
        return self._update(call, old, self._decode(call, orjson.dumps(patched)))

    def delete(self, call: Call) -> Answer:
        options = parse_delete_options(call.body, call.query)
        old = self._existing(call)
        _check_preconditions(call.resource, old, options)
        return self._delete(call, old, options)

    def delete_collection(self, call: Call) -> Answer:
        options = parse_delete_options(call.body, call.query)
        listed = self.lists.select(call)
        answers = [self._delete(call, obj, options) for obj in listed]
        items = [
            {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
            if answer.body["kind"] == "Status"
            else answer.body
            for obj, answer in zip(listed, answers, strict=True)
        ]
        return Answer(self.lists.envelope(call.resource, items))

    # -- writing --

    def _create(self, call: Call, obj: Object) -> Answer:
        resource, strategy = call.resource, self._strategy(call.resource)
        metadata = obj["metadata"]
        if metadata.get("resourceVersion") not in (None, "", "0"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + "".join(random.choices(GENERATED, k=5))  # noqa: S311
        if resource.namespaced:
            metadata["namespace"] = call.path.namespace
        for field in (
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "resourceVersion",
            "managedFields",
        ):
            metadata.pop(field, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = call.now
        strategy.set_defaults(obj)
        strategy.prepare_create(obj)
        self._admit_namespace(call, metadata.get("name", ""))
        causes = meta.validate(obj, namespaced=resource.namespaced) + strategy.validate(obj)
        if causes:
            raise invalid(resource.group, resource.kind, metadata.get("name", ""), causes)
        existing = self.store.get(resource.storage, metadata.get("namespace", ""), metadata["name"])
        if existing is not None:
            error = already_exists(resource.group, resource.plural, metadata["name"])
            if existing["metadata"].get("deletionTimestamp"):
                error = ApiError(409, "AlreadyExists", f"object is being deleted: {error.message}", error.details)
            raise error
        if not call.dry_run:
            obj = self.store.put(resource.storage, metadata.get("namespace", ""), metadata["name"], obj)
        return Answer(self._show(resource, obj), 201)

    def _update(self, call: Call, old: Object, new: Object) -> Answer:
        resource, strategy = call.resource, self._strategy(call.resource)
        _check_lock(resource, old, new)
        for field in ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "uid"):
            _keep_metadata(new, old, field)
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if resource.namespaced:
            new["metadata"]["namespace"] = old["metadata"]["namespace"]
        if "managedFields" not in new["metadata"]:
            _keep_metadata(new, old, "managedFields")
        status = call.path.subresource == "status"
        strategy.set_defaults(new)
        (strategy.prepare_status_update if status else strategy.prepare_update)(new, old)
        causes = meta.validate_update(new, old)
        causes += (strategy.validate_status_update if status else strategy.validate_update)(new, old)
        if causes:
            raise invalid(resource.group, resource.kind, new["metadata"]["name"], causes)
        if new == old or call.dry_run:
            return Answer(self._show(resource, new))
        return Answer(self._show(resource, self._store_update(resource, new)))

    def _store_update(self, resource: Resource, new: Object) -> Object:
        metadata = new["metadata"]
        namespace = metadata.get("namespace", "")
        if metadata.get("deletionTimestamp") and not _held(new) and not metadata.get("deletionGracePeriodSeconds"):
            self.store.delete(resource.storage, namespace, metadata["name"], new)
            return new
        return self.store.put(resource.storage, namespace, metadata["name"], new)

    def _delete(self, call: Call, old: Object, options: DeleteOptions) -> Answer:
        resource, strategy = call.resource, self._strategy(call.resource)
        new = copy.deepcopy(old)
        metadata = new["metadata"]
        finalizers = finalizers_for(old, options, strategy.default_propagation)
        if finalizers:
            metadata["finalizers"] = finalizers
        else:
            metadata.pop("finalizers", None)
        if _held(new):
            if not metadata.get("deletionTimestamp"):
                metadata["deletionTimestamp"] = call.now
                if resource.storage != NAMESPACES:
                    metadata["deletionGracePeriodSeconds"] = 0
                else:
                    new.setdefault("status", {})["phase"] = "Terminating"
                if "generation" in metadata:
                    metadata["generation"] += 1
            if new != old and not call.dry_run:
                new = self.store.put(resource.storage, metadata.get("namespace", ""), metadata["name"], new)
            return Answer(self._show(resource, new))
        if not call.dry_run:
            self.store.delete(resource.storage, metadata.get("namespace", ""), metadata["name"], new)
        return Answer(success(details_of(resource.group, resource.plural, metadata["name"], uid=metadata["uid"])))

    # -- reading --

    def _find(self, call: Call) -> Object | None:
        return self.store.get(call.resource.storage, call.path.namespace, call.path.name)

    def _existing(self, call: Call) -> Object:
        found = self._find(call)
        if found is None:
            raise not_found(call.resource.group, call.resource.plural, call.path.name)
        return found

    def _show(self, resource: Resource, obj: Object) -> Object:
        return {**obj, "kind": resource.kind, "apiVersion": resource.api_version}

    def _decode(self, call: Call, body: bytes) -> Object:
        try:
            obj = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise bad_request(f"the object provided is not JSON: {error}") from None
        obj.setdefault("metadata", {})
        obj["kind"], obj["apiVersion"] = call.resource.kind, call.resource.api_version
        return obj

    def _patched(self, call: Call, old: Object) -> Object:
        patch = orjson.loads(call.body)
        if call.content_type == "application/json-patch+json":
            return apply_json_patch(old, patch)
        return merge_patch(old, patch)

    def _check_namespace_field(self, call: Call, obj: Object) -> None:
        stated = obj["metadata"].get("namespace")
        if stated and stated != call.path.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")

    def _admit_namespace(self, call: Call, name: str) -> None:
        if not call.resource.namespaced:
            return
        namespace = self.store.get(NAMESPACES, "", call.path.namespace)
        if namespace is None:
            raise not_found("", "namespaces", call.path.namespace)
        if namespace["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {call.path.namespace} because it is being terminated"
            terminating = f"namespace {call.path.namespace} is being terminated"
            cause = Cause("NamespaceTerminating", terminating, "metadata.namespace")
            raise forbidden(call.resource.group, call.resource.plural, name, why, [cause])

    def _strategy(self, resource: Resource) -> Strategy:
        return strategy_for(resource.group, resource.kind)


def _held(obj: Object) -> bool:
    return bool(
        obj["metadata"].get("finalizers") or (obj["kind"] == "Namespace" and obj.get("spec", {}).get("finalizers"))
    )


def _keep_metadata(new: Object, old: Object, field: str) -> None:
    if field in old["metadata"]:
        new["metadata"][field] = old["metadata"][field]
    else:
        new["metadata"].pop(field, None)


def _check_lock(resource: Resource, old: Object, new: Object) -> None:
    name = old["metadata"]["name"]
    version = new["metadata"].get("resourceVersion")
    if version not in (None, "", "0") and version != old["metadata"]["resourceVersion"]:
        raise conflict(resource.group, resource.plural, name, MODIFIED)


def _check_preconditions(resource: Resource, old: Object, options: DeleteOptions) -> None:
    group, kind, name = resource.group, resource.kind, old["metadata"]["name"]
    uid, version = old["metadata"]["uid"], old["metadata"]["resourceVersion"]
    if options.uid and options.uid != uid:
        why = f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid})."
        raise conflict(group, kind, name, f"{why} The object might have been deleted and then recreated")
    if options.resource_version and options.resource_version != version:
        record = f"does not match the ResourceVersion in record ({version})."
        why = f"the ResourceVersion in the precondition ({options.resource_version}) {record}"
        raise conflict(group, kind, name, f"{why} The object might have been modified")


Verb = Callable[[Call], Answer]
