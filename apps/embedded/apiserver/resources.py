"""The verbs on resources: what a request does to the store, through defaults, validation and field ownership."""

from __future__ import annotations

import copy
import random
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from apps.embedded.apiserver import ownership, types
from apps.embedded.apiserver.admission import Admission
from apps.embedded.apiserver.call import Answer, Call, User, check_write_options
from apps.embedded.apiserver.domain import jsonbody
from apps.embedded.apiserver.domain import metadata as meta
from apps.embedded.apiserver.domain.deletion import DeleteOptions, finalizers_for, parse_delete_options
from apps.embedded.apiserver.domain.kinds import strategy_for
from apps.embedded.apiserver.domain.patches import PatchError, patched
from apps.embedded.apiserver.domain.ssa import typed
from apps.embedded.apiserver.domain.status import (
    MODIFIED,
    ApiError,
    Cause,
    already_exists,
    bad_request,
    conflict,
    details_of,
    invalid,
    not_found,
    success,
)
from apps.embedded.apiserver.domain.strategy import Strategy
from apps.embedded.apiserver.lists import Lists, too_large
from apps.embedded.apiserver.registry import Registry, Resource
from apps.embedded.apiserver.reviews import is_review, review, rights_in
from apps.embedded.apiserver.store import Store

Object = dict[str, Any]
NAMESPACES = "/namespaces"
GENERATED = "bcdfghjklmnpqrstvwxz2456789"
APPLY = "application/apply-patch+yaml"
SYSTEM_FIELDS = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


class Resources:
    def __init__(self, store: Store, registry: Registry, admission: Admission, users: Mapping[str, User]) -> None:
        """``users``: who a bearer token stands for."""
        self.users = users
        self.store = store
        self.registry = registry
        self.admission = admission
        self.lists = Lists(store)

    def get(self, call: Call) -> Answer:
        version = call.query.get("resourceVersion", "")
        if version.isdecimal() and int(version) > self.store.revision:
            raise too_large(int(version), self.store.revision)
        return Answer(show(call.resource, self.existing(call)))

    def list(self, call: Call) -> Answer:
        return Answer(self.lists.list(call))

    def create(self, call: Call) -> Answer:
        check_write_options(call, "CreateOptions")
        if is_review(call.resource):
            return Answer(review(call, types.read_object(call, call.body), self.users, rights_in(self.store)), 201)
        obj = types.read_object(call, call.body)
        self._check_namespace_field(call, obj)
        return self._create(call, obj)

    def update(self, call: Call) -> Answer:
        check_write_options(call, "UpdateOptions")
        obj = types.read_object(call, call.body)
        self._check_namespace_field(call, obj)
        self._check_name_field(call, obj)
        old = self.find(call)
        if old is None:
            if strategy_of(call.resource).create_on_update and not call.path.subresource:
                return self._create(call, obj)
            raise not_found(call.resource.group, call.resource.plural, call.path.name)
        return self.replace(call, old, obj)

    def patch(self, call: Call) -> Answer:
        applying = call.content_type == APPLY
        check_write_options(call, "PatchOptions", applying=applying)
        old = self.find(call)
        if applying:
            return self._apply(call, old)
        if old is None:
            raise not_found(call.resource.group, call.resource.plural, call.path.name)
        new = self._patched(call, old)
        self._check_name_field(call, new)
        self._check_namespace_field(call, new)
        return self.replace(call, old, new)

    def delete(self, call: Call) -> Answer:
        options = parse_delete_options(call.body, call.query)
        old = self.existing(call)
        _check_preconditions(call.resource, old, options)
        return self.remove(call, old, options)

    def delete_collection(self, call: Call) -> Answer:
        options = parse_delete_options(call.body, call.query)
        listed = self.lists.select(call)
        for obj in listed:
            self.remove(call, obj, options)
        return Answer(self.lists.envelope(call.resource, [self.lists.item(call.resource, obj) for obj in listed]))

    # -- reading --

    def find(self, call: Call) -> Object | None:
        return self.store.get(call.resource.storage, call.path.namespace, call.path.name)

    def existing(self, call: Call) -> Object:
        found = self.find(call)
        if found is None:
            raise not_found(call.resource.group, call.resource.plural, call.path.name)
        return found

    # -- writing --

    def _create(self, call: Call, obj: Object, *, applied: bool = False) -> Answer:
        resource, strategy = call.resource, strategy_of(call.resource)
        metadata = obj["metadata"]
        if metadata.get("resourceVersion") not in (None, "", "0") and not applied:
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + "".join(random.choices(GENERATED, k=5))  # noqa: S311
        self.admission.check_namespace(resource, call.path.namespace, metadata.get("name", ""))
        if resource.namespaced:
            metadata["namespace"] = call.path.namespace
        for field in (*SYSTEM_FIELDS, "selfLink", "resourceVersion"):
            metadata.pop(field, None)
        self.set_defaults(resource, obj)
        strategy.check_version(obj, resource.group)
        if not applied:
            ownership.track_update(call, types.blank(resource), obj, types.schema_of(resource), strategy, creating=True)
        obj = strategy.from_version(obj, resource.group)
        metadata = obj["metadata"]
        strategy.after_tracking(obj)
        call.warnings.extend(strategy.warnings(obj))
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = call.now
        self.admission.mutate_create(call, obj)
        strategy.prepare_create(obj)
        if metadata.get("name"):
            self._refuse_existing(call, obj)
        causes = meta.validate(obj, strategy) + strategy.validate(obj)
        if causes:
            raise invalid(_error_group(resource), resource.kind, metadata.get("name", ""), causes)
        self.admission.check_quota(call, obj)
        self.admission.allocate(call, obj, None)
        if not call.dry_run:
            obj = self.store.put(resource.storage, metadata.get("namespace", ""), metadata["name"], obj)
            self.admission.stored(call.resource, obj)
        return Answer(show(resource, obj), 201)

    def replace(self, call: Call, old: Object, new: Object, *, tracked: bool = False) -> Answer:
        """Store ``new`` in place of ``old``. ``tracked``: its managedFields are already what they should be."""
        resource, strategy = call.resource, strategy_of(call.resource)
        self._check_lock(call, old, new)
        stated_deletion = new["metadata"].get("deletionTimestamp")
        for field in SYSTEM_FIELDS:
            _keep_metadata(new, old, field)
        if not new["metadata"].get("uid"):
            _keep_metadata(new, old, "uid")
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if resource.namespaced:
            new["metadata"]["namespace"] = old["metadata"]["namespace"]
        self.set_defaults(resource, new)
        if not tracked:
            shown = show(resource, old)
            ownership.track_update(call, shown, new, types.schema_of(resource), strategy, creating=False)
        new = strategy.from_version(new, resource.group)
        strategy.after_tracking(new)
        self.admission.mutate_update(call, new, old)
        status = call.path.subresource == "status"
        prepare = strategy.prepare_finalize if call.path.subresource == "finalize" else strategy.prepare_update
        (strategy.prepare_status_update if status else prepare)(new, old)
        causes = meta.validate_update(new, old, stated_deletion)
        if status:
            causes += strategy.validate_status_update(new, old)
        else:
            causes += strategy.validate_update(new, old)
            causes += strategy.validate_version_update(new, old, resource.group)
        if causes:
            raise invalid(_error_group(resource), resource.kind, new["metadata"]["name"], causes)
        self.admission.allocate(call, new, old)
        if ownership.same_but_times(new, old):
            if new["metadata"].get("managedFields") is not None:
                _keep_metadata(new, old, "managedFields")
            if not _finished(new):
                return Answer(show(resource, old))
        if call.dry_run:
            return Answer(show(resource, new))
        return Answer(show(resource, self._store_update(resource, new)))

    def _store_update(self, resource: Resource, new: Object) -> Object:
        metadata = new["metadata"]
        namespace = metadata.get("namespace", "")
        if _finished(new):
            last = self.store.delete(resource.storage, namespace, metadata["name"])
            self.admission.removed(resource, last)
            return new
        stored = self.store.put(resource.storage, namespace, metadata["name"], new)
        self.admission.stored(resource, stored)
        return stored

    def _apply(self, call: Call, old: Object | None) -> Answer:
        resource, strategy = call.resource, strategy_of(call.resource)
        try:
            config = jsonbody.parse_yaml(call.body)
        except jsonbody.BodyError as error:
            raise bad_request(f"error decoding YAML: {error}") from None
        if old is None and call.path.subresource:
            raise not_found(resource.group, resource.plural, call.path.name)
        config = _checked_config(call, config)
        live = show(resource, old) if old is not None else types.blank(resource)
        schema = types.schema_of(resource)
        complaint = next(typed.validate(config, schema), None)
        if complaint is not None:
            where = f"{config['metadata'].get('namespace', '')}/{call.path.name}; {_gvk(resource)}"
            raise ApiError(500, "", f"failed to create typed patch object ({where}): {complaint}")
        if old is not None:
            self._check_lock(call, old, config)
        stated_uid = config["metadata"].get("uid")
        merged = ownership.apply(call, live, config, schema, strategy)
        if merged is None:
            assert old is not None
            return Answer(show(resource, old))
        managed = merged["metadata"].pop("managedFields", None)
        decoded, _ = types.decode(merged, resource)
        if managed is not None:
            decoded["metadata"]["managedFields"] = managed
        if old is None:
            return self._create(call, decoded, applied=True)
        if stated_uid is None:
            _keep_metadata(decoded, old, "uid")
        return self.replace(call, old, decoded, tracked=True)

    def remove(self, call: Call, old: Object, options: DeleteOptions) -> Answer:
        """Delete now, or mark for deletion when finalizers or a kubelet still hold the object."""
        resource, strategy = call.resource, strategy_of(call.resource)
        dry_run = call.dry_run or options.dry_run
        new = copy.deepcopy(old)
        metadata = new["metadata"]
        finalizers = finalizers_for(old, options, strategy.default_propagation)
        if finalizers:
            metadata["finalizers"] = finalizers
        else:
            metadata.pop("finalizers", None)
        grace = strategy.grace_period(new, options.grace_period_s)
        if strategy.held(new) or (grace and not _finished_grace(old, grace)):
            self._mark(call, new, grace if strategy.graceful else 0)
            strategy.prepare_deletion(new)
            call.warnings.extend(strategy.deletion_warnings(options.propagation))
            if new != old and not dry_run:
                new = self.store.put(resource.storage, metadata.get("namespace", ""), metadata["name"], new)
            return Answer(show(resource, new))
        if strategy.graceful:
            self._mark(call, new, 0)
            if not dry_run and new != old:
                self.store.put(resource.storage, metadata.get("namespace", ""), metadata["name"], new)
        if not dry_run:
            last = self.store.delete(resource.storage, metadata.get("namespace", ""), metadata["name"])
            self.admission.removed(resource, last)
            new = last
        call.warnings.extend(strategy.deletion_warnings(options.propagation))
        if strategy.answers_deleted_object:
            return Answer(show(resource, new))
        return Answer(success(details_of(resource.group, resource.plural, metadata["name"], uid=metadata["uid"])))

    def _mark(self, call: Call, obj: Object, grace: int) -> None:
        metadata, strategy = obj["metadata"], strategy_of(call.resource)
        if not metadata.get("deletionTimestamp"):
            if "generation" in metadata:
                metadata["generation"] += 1
            metadata["deletionTimestamp"] = later(call.now, grace)
            if strategy.deletion_has_grace:
                metadata["deletionGracePeriodSeconds"] = grace
        elif strategy.graceful and grace < metadata.get("deletionGracePeriodSeconds", 0):
            metadata["deletionTimestamp"] = later(call.now, grace)
            metadata["deletionGracePeriodSeconds"] = grace

    def set_defaults(self, resource: Resource, obj: Object) -> None:
        if resource.custom is not None:
            resource.custom.set_defaults(obj)
        else:
            strategy_of(resource).set_defaults(obj)

    def _patched(self, call: Call, old: Object) -> Object:
        resource = call.resource
        try:
            operations = orjson.loads(call.body)
        except orjson.JSONDecodeError as error:
            raise bad_request(f"error decoding patch: {jsonbody.complaint(call.body, error)}") from None
        try:
            schema, custom = types.schema_of(resource), resource.custom is not None
            value = patched(show(resource, old), operations, call.content_type, schema, custom=custom)
        except PatchError as error:
            raise ApiError(error.code, error.reason, str(error), error.details) from None
        try:
            decoded, unknown = types.decode(value, resource)
            types.report_unknown(call, resource, [f'unknown field "{path}"' for path in unknown])
        except ApiError as error:
            why = error.message.partition(f"cannot be handled as a {resource.kind}: ")[2] or error.message
            cause = Cause("FieldValueInvalid", f'Invalid value: "{_go_map(operations)}": {why}', "patch")
            raise invalid("", "", "", [cause]) from None
        return decoded

    # -- checks --

    def _refuse_existing(self, call: Call, obj: Object) -> None:
        resource, name = call.resource, obj["metadata"]["name"]
        existing = self.store.get(resource.storage, obj["metadata"].get("namespace", ""), name)
        if existing is None:
            return
        error = already_exists(resource.group, resource.plural, name)
        if existing["metadata"].get("deletionTimestamp"):
            error = ApiError(409, "AlreadyExists", f"object is being deleted: {error.message}", error.details)
        raise error

    def _check_namespace_field(self, call: Call, obj: Object) -> None:
        stated = obj["metadata"].get("namespace")
        if stated and stated != call.path.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")

    def _check_name_field(self, call: Call, obj: Object) -> None:
        name = obj["metadata"].get("name", "")
        if name != call.path.name:
            raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.path.name})")

    def _check_lock(self, call: Call, old: Object, new: Object) -> None:
        """The optimistic lock: resourceVersion and uid, where stated, must be those of the stored object."""
        resource, name = call.resource, old["metadata"]["name"]
        version = new["metadata"].get("resourceVersion")
        if version in (None, "", "0"):
            if strategy_of(resource).version_required and call.method == "PUT":
                why = "Invalid value: 0: must be specified for an update"
                cause = Cause("FieldValueInvalid", why, "metadata.resourceVersion")
                raise invalid(resource.group, resource.plural, name, [cause])
        elif not str(version).isdecimal():
            raise ApiError(500, "", f'strconv.ParseUint: parsing "{version}": invalid syntax')
        elif version != old["metadata"]["resourceVersion"]:
            raise conflict(resource.group, resource.plural, name, MODIFIED)
        uid = new["metadata"].get("uid")
        if uid and uid != old["metadata"]["uid"] and call.method == "PUT":
            key = f"/registry/{resource.plural}/{call.path.namespace}/{name}"
            storage = f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
            failed = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}"
            raise conflict(resource.group, resource.plural, name, storage + failed)


def strategy_of(resource: Resource) -> Strategy:
    return resource.custom.strategy if resource.custom is not None else strategy_for(resource.group, resource.kind)


def show(resource: Resource, obj: Object) -> Object:
    """The object as the resource's version presents it."""
    shown = {**obj, "kind": resource.kind, "apiVersion": resource.api_version}
    return strategy_of(resource).present(shown, resource.group)


def _error_group(resource: Resource) -> str:
    """Validation speaks of the stored kind, whose group may be another one (Events)."""
    return resource.storage.partition("/")[0]


def later(now: str, seconds: int) -> str:
    if not seconds:
        return now
    from datetime import datetime, timedelta

    moment = datetime.fromisoformat(now) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _finished(obj: Object) -> bool:
    """Is this an object under deletion that nothing holds any more?"""
    metadata = obj["metadata"]
    return bool(
        metadata.get("deletionTimestamp")
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not (obj.get("kind") == "Namespace" and obj.get("spec", {}).get("finalizers"))
    )


def _finished_grace(old: Object, grace: int) -> bool:
    return bool(old["metadata"].get("deletionTimestamp")) and grace == 0


def _keep_metadata(new: Object, old: Object, field: str) -> None:
    if field in old["metadata"]:
        new["metadata"][field] = old["metadata"][field]
    else:
        new["metadata"].pop(field, None)


def _checked_config(call: Call, config: Any) -> Object:
    """The applied configuration, if its head fits the request. ApiError 400 otherwise."""
    resource = call.resource
    head = config if isinstance(config, dict) else {}
    version, kind = head.get("apiVersion") or "", head.get("kind") or ""
    if not (isinstance(kind, str) and isinstance(version, str)):
        raise bad_request("apiVersion and kind must be strings")
    group, _, short = version.rpartition("/")
    if (group, short, kind) != (resource.group, resource.version, resource.kind):
        raise bad_request(f"invalid object type: {group}/{short}, Kind={kind}")
    metadata = head.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise bad_request("metadata must be an object")
    if metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    name = metadata.get("name", "")
    if not name:
        raise bad_request(
            f"the name of the object ({call.path.name} based on URL) was undeterminable: name must be provided"
        )
    if name != call.path.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.path.name})")
    if metadata.get("namespace") and metadata["namespace"] != call.path.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return {**head, "metadata": metadata}


def _gvk(resource: Resource) -> str:
    return f"{resource.group}/{resource.version}, Kind={resource.kind}"


def _go_map(value: Any) -> str:
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_map(child)}" for key, child in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go_map(child) for child in value) + "]"
    return "<nil>" if value is None else str(value)


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
