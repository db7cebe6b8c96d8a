"""The HTTP side of the API server: who asks, for what, and in which form the answer goes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from apps.embedded.apiserver import discovery, openapi
from apps.embedded.apiserver.admission import Admission
from apps.embedded.apiserver.call import Answer, Call, User
from apps.embedded.apiserver.definitions import Definitions
from apps.embedded.apiserver.domain.faults import WATCH, Faults, Rule, read_script, refusal
from apps.embedded.apiserver.domain.rbac import MASTERS, Attributes
from apps.embedded.apiserver.domain.request import (
    ResourcePath,
    boolean,
    negotiate,
    parse_resource_path,
)
from apps.embedded.apiserver.domain.status import (
    ApiError,
    bad_request,
    forbidden,
    method_not_allowed,
    no_such_resource,
    not_implemented,
)
from apps.embedded.apiserver.logs import Logs
from apps.embedded.apiserver.registry import Registry, Resource
from apps.embedded.apiserver.representation import EventLines, encode, represent
from apps.embedded.apiserver.resources import Resources
from apps.embedded.apiserver.reviews import is_own_review, rights_in
from apps.embedded.apiserver.store import Store
from apps.embedded.apiserver.subresources import Subresources
from apps.embedded.apiserver.watches import faulty, watch

log = logging.getLogger(__name__)
Object = dict[str, Any]
MAX_BODY = 3 * 1024 * 1024
ADMIN = User("kubernetes-admin", (MASTERS, "system:authenticated"))
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
OPEN_TO_USERS = ("", "api", "apis", "healthz", "livez", "readyz", "openapi", "version")
TEXT = "text/plain; charset=utf-8"
FAULTS_PAGE = "/debug/faults"
MOST_STALLED = 10_000


class NoSuchPage(Exception):
    """A path that nobody serves: answered with plain text, as the real server does."""


class ApiServer:
    """Answers requests over one store. ``tokens`` says which bearer token is which user."""

    def __init__(
        self,
        store: Store,
        tokens: Mapping[str, User],
        *,
        service_cidr: str = "10.96.0.0/16",
        faults: Faults | None = None,
    ) -> None:
        """``faults``: a script that tests may change at /debug/faults; None: there is no such page."""
        self.faults = faults
        self.store = store
        self.registry = Registry()
        self.admission = Admission(store, service_cidr)
        definitions = Definitions(store, self.registry)
        self.admission.on_stored.append(definitions.stored)
        self.admission.on_removed.append(definitions.removed)
        self.resources = Resources(store, self.registry, self.admission, tokens)
        self.rights = rights_in(store)
        self.subresources = Subresources(self.resources)
        self.logs = Logs(store)
        self._tokens = dict(tokens)
        self._watching: set[asyncio.Task[Any]] = set()
        self._busy: dict[int, asyncio.Semaphore] = {}
        self._event_lines = EventLines()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._route(request)
        except ApiError as error:
            return _refusal(error)
        except NoSuchPage:
            return web.Response(status=404, text="404 page not found\n", content_type="text/plain", charset="utf-8")
        except (RecursionError, orjson.JSONEncodeError):
            return _refusal(bad_request("the object is nested too deeply"))
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            return _refusal(ApiError(500, "InternalError", f"Internal error occurred: {error}"))

    async def stop(self) -> None:
        """End all watches, so that their connections can close."""
        for task in list(self._watching):
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await self.logs.close()

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        user = self._authenticate(request.headers.get("Authorization", ""))
        if self.faults is not None and request.path == FAULTS_PAGE and MASTERS in user.groups:
            return await self._script(request)
        path = parse_resource_path(request.path)
        if path is None:
            return self._other(request, user)
        resource = self._resource(path)
        call = await self._call(request, path, resource, user)
        verb = _verb(call)
        self._authorize(call, verb)
        if verb not in (resource.subresources[path.subresource].verbs if path.subresource else resource.verbs):
            raise method_not_allowed()
        fault = self._fault(call, verb)
        if fault is not None and fault.fault not in (*WATCH, "lost-answer"):
            await self._strike(request, call, fault)
        if verb == "watch":
            return await self._stream(request, call, fault)
        if path.subresource == "log":
            return await self.logs.stream(request, call)
        form = negotiate(request.headers.get("Accept", ""))
        answer = self._answer(call, verb)
        if fault is not None and fault.fault == "lost-answer":
            raise _cut(request)
        content_type, body = encode(represent(call, answer.body, form), form)
        return _response(body, content_type, answer.status, call.warnings)

    async def _script(self, request: web.BaseRequest) -> web.StreamResponse:
        """The page where tests set, read and clear the script of faults."""
        assert self.faults is not None
        if request.method == "PUT":
            try:
                self.faults.rules = read_script(orjson.loads(await request.read())).rules
            except (ValueError, TypeError) as error:
                raise bad_request(f"the fault script cannot be used: {error}") from None
        elif request.method == "DELETE":
            self.faults.rules = []
        return web.Response(body=orjson.dumps(self.faults.show()), content_type="application/json")

    def _fault(self, call: Call, verb: str) -> Rule | None:
        if self.faults is None or not self.faults.rules:
            return None
        path = call.path
        what = f"{path.plural}/{path.subresource}" if path.subresource else path.plural
        name = path.name
        if verb == "create" and not name:
            try:
                name = str(orjson.loads(call.body)["metadata"]["name"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                name = ""
        return self.faults.take(verb, what, path.namespace, name)

    async def _strike(self, request: web.BaseRequest, call: Call, rule: Rule) -> None:
        """Let a fault happen before the request does anything."""
        log.info("%s %s: scripted fault %s", call.method, request.path, rule.fault)
        if rule.fault == "stall":
            async with self._busy.setdefault(rule.slots, asyncio.Semaphore(rule.slots or MOST_STALLED)):
                await asyncio.sleep(rule.seconds)
        elif rule.fault == "reset":
            raise _cut(request)
        elif rule.fault == "not-served":
            raise NoSuchPage
        else:
            raise refusal(rule, call.path.group, call.path.plural, call.path.name)

    def _answer(self, call: Call, verb: str) -> Answer:
        if call.path.subresource not in ("", "status", "finalize"):
            return self.subresources.answer(call, verb)
        resources = self.resources
        verbs = {
            "get": resources.get,
            "list": resources.list,
            "create": resources.create,
            "update": resources.update,
            "patch": resources.patch,
            "delete": resources.delete,
            "deletecollection": resources.delete_collection,
        }
        return verbs[verb](call)

    def _authenticate(self, header: str) -> User:
        if not header:
            return ANONYMOUS
        user = self._tokens.get(header.removeprefix("Bearer ").strip())
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return user

    def _authorize(self, call: Call, verb: str) -> None:
        if MASTERS in call.user.groups or (is_own_review(call.resource) and call.user is not ANONYMOUS):
            return
        resource, path = call.resource, call.path
        namespace = path.name if resource.storage == "/namespaces" else path.namespace
        what = f"{resource.plural}/{path.subresource}" if path.subresource else resource.plural
        wanted = Attributes(verb, resource.group, what, path.name, namespace)
        if self.rights.allowed(call.user.name, call.user.groups, wanted):
            return
        scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        why = f'User "{call.user.name}" cannot {verb} resource "{what}" in API group "{resource.group}" {scope}'
        raise forbidden(resource.group, resource.plural, path.name, why)

    def _other(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        """Everything that is not a resource: discovery, health, version."""
        path = request.path.rstrip("/") or "/"
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        if user is ANONYMOUS and path not in PUBLIC:
            message = f'forbidden: User "{user.name}" cannot get path "{path}"'
            raise ApiError(403, "Forbidden", message, {})
        if path in ("/healthz", "/livez", "/readyz", "/healthz/ping", "/livez/ping", "/readyz/ping"):
            return web.Response(text="ok", content_type="text/plain", charset="utf-8")
        if MASTERS not in user.groups and path.split("/")[1] not in OPEN_TO_USERS:
            message = f'forbidden: User "{user.name}" cannot get path "{path}"'
            raise ApiError(403, "Forbidden", message, {})
        if path.startswith("/openapi/"):
            found = openapi.index(self.registry) if path == "/openapi/v3" else openapi.find(self.registry, path[12:])
            if found is None:
                return web.Response(status=404)
            return _response(orjson.dumps(found), TEXT if path == "/openapi/v3" else "application/json", 200, [])
        body = discovery.document(path, request.headers.get("Accept", ""), self.registry, request.host)
        if body is None:
            raise NoSuchPage
        content_type, document = body
        return web.Response(body=orjson.dumps(document), headers={"Content-Type": content_type})

    def _resource(self, path: ResourcePath) -> Resource:
        resource = self.registry.find(path.group, path.version, path.plural)
        if resource is None:
            if f"{path.group}/{path.version}/{path.plural}" in self.registry.known:
                raise not_implemented(f"{path.plural} ({path.group or 'core'}/{path.version})")
            group = path.group
            if group and (group not in self.registry.groups() or self.registry.is_custom(group)):
                raise NoSuchPage
            raise no_such_resource()
        if path.subresource and path.subresource not in resource.subresources:
            if f"{path.group}/{path.version}/{path.plural}/{path.subresource}" in self.registry.known:
                raise not_implemented(f"{path.plural}/{path.subresource} ({path.group or 'core'}/{path.version})")
            raise no_such_resource()
        if bool(path.namespace) and not resource.namespaced:
            raise no_such_resource()
        return resource

    async def _call(self, request: web.BaseRequest, path: ResourcePath, resource: Resource, user: User) -> Call:
        if (request.content_length or 0) > MAX_BODY:
            raise _too_large()
        body = await request.read() if request.body_exists else b""
        if len(body) > MAX_BODY:
            raise _too_large()
        query = dict(request.query.items())
        return Call(
            method=request.method,
            path=path,
            resource=resource,
            query=query,
            dry_runs=request.query.getall("dryRun", []),
            content_type=request.headers.get("Content-Type", "").split(";")[0].strip(),
            body=body,
            user=user,
            user_agent=request.headers.get("User-Agent", ""),
            now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            warnings=[resource.deprecated] if resource.deprecated else [],
        )

    async def _stream(self, request: web.BaseRequest, call: Call, fault: Rule | None) -> web.StreamResponse:
        form = negotiate(request.headers.get("Accept", ""))
        batches = watch(self.store, call)
        if fault is not None:
            batches = faulty(batches, fault)
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        response.enable_chunked_encoding()
        task = asyncio.current_task()
        assert task is not None
        self._watching.add(task)
        try:
            await response.prepare(request)
            first = True
            async for batch in batches:
                lines = []
                for kind, obj in batch:
                    lines.append(self._event_lines.line(call, kind, obj, form, first=first))
                    first = False
                if lines:
                    await response.write(b"".join(lines))
            await response.write_eof()
        except ConnectionError:
            log.debug("a watch of %s lost its reader", call.resource.plural)
        finally:
            self._watching.discard(task)
            await batches.aclose()
        return response


def _verb(call: Call) -> str:
    named = bool(call.path.name)
    watching = call.path.watch or (boolean(call.query, "watch") and not named)
    if call.method in ("GET", "HEAD"):
        if watching:
            return "watch"
        return "get" if named else "list"
    if call.method == "POST" and (not named or call.path.subresource):
        return "create"
    if call.method == "PUT" and named:
        return "update"
    if call.method == "PATCH" and named:
        return "patch"
    if call.method == "DELETE":
        return "delete" if named else "deletecollection"
    raise method_not_allowed()


def _cut(request: web.BaseRequest) -> ConnectionError:
    """Cut the connection: the client never learns what became of its request."""
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("a scripted fault cut the connection")


def _json(body: Object, status: int, warnings: list[str] | None = None) -> web.Response:
    return _response(orjson.dumps(body), "application/json", status, warnings)


def _response(body: bytes, content_type: str, status: int, warnings: list[str] | None) -> web.Response:
    response = web.Response(body=body, status=status, headers={"Content-Type": content_type})
    for warning in warnings or ():
        escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    return response


def _refusal(error: ApiError) -> web.Response:
    response = _json(error.to_status(), error.code, list(error.warnings))
    response.headers.update(error.headers)
    return response


def _too_large() -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY}")
