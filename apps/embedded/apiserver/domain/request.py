"""What a request asks for, read from its path, query and headers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.embedded.apiserver.domain.status import ApiError, Cause, bad_request, invalid


@dataclass(frozen=True)
class ResourcePath:
    """A path under /api or /apis that names a resource. ``group`` "" is the core group, ``namespace`` "" is none."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    watch: bool = False


def parse_resource_path(path: str) -> ResourcePath | None:
    """None when the path is too short to name a resource (discovery) or lies outside /api and /apis."""
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, parts = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return None
    watch = parts[0] == "watch" and len(parts) > 1
    if watch:
        parts = parts[1:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in ("status", "finalize"):
        namespace, parts = parts[1], parts[2:]
    parts += [""] * (3 - len(parts))
    return ResourcePath(group, version, parts[0], namespace, parts[1], parts[2], rest="/".join(parts[3:]), watch=watch)


@dataclass(frozen=True)
class Representation:
    """How the answer is to look: plain objects, only their metadata, or a table."""

    form: str = "Object"
    media_type: str = "application/json"


JSON = Representation()
_FORMS = {"Table", "PartialObjectMetadata", "PartialObjectMetadataList"}
_PRODUCIBLE = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


def negotiate(accept: str, *, watching: bool = False) -> Representation:
    """Pick the first representation of an Accept header that we can serve. ApiError 406 when there is none."""
    if not accept:
        return JSON
    transforms_refused = False
    for clause in accept.split(","):
        media, *raw = [part.strip() for part in clause.split(";")]
        parameters = dict(part.split("=", 1) for part in raw if "=" in part)
        if media not in ("application/json", "application/yaml", "*/*", "application/*"):
            continue
        form = parameters.get("as", "")
        if form and (
            form not in _FORMS or parameters.get("g") != "meta.k8s.io" or parameters.get("v") not in ("v1", "v1beta1")
        ):
            transforms_refused = True
            continue
        media = "application/yaml" if media == "application/yaml" else "application/json"
        return Representation(form or "Object", media)
    if transforms_refused:
        raise ApiError(406, "NotAcceptable", f"only the following media types are accepted: {_PRODUCIBLE}")
    streams = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
    message = f"406: Not Acceptable\n\nAvailable representations: {_PRODUCIBLE}, {streams}"
    raise ApiError(406, "NotAcceptable", message, {})


@dataclass(frozen=True)
class ListOptions:
    """The query of a list or a watch, checked."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    watch: bool = False
    timeout_s: int | None = None
    bookmarks: bool = False
    send_initial_events: bool | None = None


def parse_list_options(query: Mapping[str, str], *, watch: bool = False) -> ListOptions:
    """ApiError 400 for values of the wrong type, 422 for combinations that make no sense."""
    options = ListOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        limit=integer(query, "limit") or 0,
        continue_token=query.get("continue", ""),
        resource_version=query.get("resourceVersion", ""),
        resource_version_match=query.get("resourceVersionMatch", ""),
        watch=watch or boolean(query, "watch"),
        timeout_s=integer(query, "timeoutSeconds"),
        bookmarks=boolean(query, "allowWatchBookmarks"),
        send_initial_events=boolean(query, "sendInitialEvents") if "sendInitialEvents" in query else None,
    )
    causes = list(_watch_causes(options) if options.watch else _list_causes(options))
    if causes:
        raise invalid("meta.k8s.io", "ListOptions", "", causes)
    return options


def _watch_causes(options: ListOptions) -> list[Cause]:
    match = options.resource_version_match
    field = "resourceVersionMatch"
    causes = []
    if options.send_initial_events is None:
        if match:
            causes.append(_forbidden(field, f"{field} is forbidden for watch unless sendInitialEvents is provided"))
        return causes
    if match != "NotOlderThan":
        causes.append(_forbidden(field, f"sendInitialEvents requires setting {field} to NotOlderThan"))
        if match:
            causes.append(_unsupported(field, match, ['"NotOlderThan"']))
    return causes


def _list_causes(options: ListOptions) -> list[Cause]:
    match, version = options.resource_version_match, options.resource_version
    field = "resourceVersionMatch"
    causes = []
    if options.send_initial_events is not None:
        causes.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if match and not version:
        causes.append(_forbidden(field, f"{field} is forbidden unless resourceVersion is provided"))
    if match and options.continue_token:
        causes.append(_forbidden(field, f"{field} is forbidden when continue is provided"))
    if match not in ("", "Exact", "NotOlderThan"):
        causes.append(_unsupported(field, match, ['"Exact"', '"NotOlderThan"', '""']))
    if match == "Exact" and version == "0":
        causes.append(_forbidden(field, f'{field} "exact" is forbidden for resourceVersion "0"'))
    return causes


def _forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def _unsupported(field: str, value: str, supported: list[str]) -> Cause:
    return Cause(
        "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {", ".join(supported)}', field
    )


def integer(query: Mapping[str, str], name: str) -> int | None:
    raw = query.get(name)
    if not raw:
        return None
    try:
        return int(raw)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{raw}": invalid syntax') from None


def boolean(query: Mapping[str, str], name: str) -> bool:
    """Absent, "0" and "false" are false; everything else is true, as the real server reads it."""
    return query.get(name, "0").lower() not in ("0", "false")
