"""What a write triggers beyond its own object: namespaces that must exist, addresses, service accounts, new kinds."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from typing import Any

from apps.embedded.apiserver.call import Call
from apps.embedded.apiserver.domain import quota
from apps.embedded.apiserver.domain.limits import apply_limit_ranges
from apps.embedded.apiserver.domain.status import Cause, forbidden, invalid, not_found
from apps.embedded.apiserver.registry import Resource
from apps.embedded.apiserver.store import Store

Object = dict[str, Any]
NODE_PORTS = range(30000, 32768)
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
QUOTAS = "/resourcequotas"
Hook = Callable[[Resource, Object], None]


class Admission:
    def __init__(self, store: Store, service_cidr: str) -> None:
        self._store = store
        self._network = ipaddress.ip_network(service_cidr)
        self.on_stored: list[Hook] = []
        self.on_removed: list[Hook] = []

    def check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        """ApiError 404 or 403 when nothing can be created in the namespace."""
        if not resource.namespaced:
            return
        found = self._store.get("/namespaces", "", namespace)
        if found is None:
            raise not_found("", "namespaces", namespace)
        if found["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            terminating = f"namespace {namespace} is being terminated"
            cause = Cause("NamespaceTerminating", terminating, "metadata.namespace")
            raise forbidden(resource.group, resource.plural, name, why, [cause])

    def mutate_create(self, call: Call, obj: Object) -> None:
        if call.resource.storage == "/pods":
            self._admit_pod(call, obj)

    def check_quota(self, call: Call, obj: Object) -> None:
        """ApiError 403 when the object would take its namespace beyond a ResourceQuota."""
        resource, namespace = call.resource, call.path.namespace
        quotas = [each for each in self._quotas(namespace) if quota.is_enforced(each)]
        if not quotas or resource.storage == QUOTAS:
            return
        used = self._usage(namespace, quotas)
        for each in quotas:
            quota.check(each, resource.group, resource.plural, obj, used)

    def _quotas(self, namespace: str) -> list[Object]:
        return self._store.objects(QUOTAS, namespace) if namespace else []

    def _usage(self, namespace: str, quotas: list[Object]) -> quota.Usage:
        """What the namespace uses of what its quotas name. The server holds every object: nothing has to be counted
        along, and nothing can be miscounted."""
        names = {name for each in quotas for name in each["spec"]["hard"]}
        storages = {_storage_of(name) for name in names}
        return quota.total(
            quota.usage_of(storage.partition("/")[0], storage.partition("/")[2], obj)
            for storage in storages
            for obj in self._store.objects(storage, namespace)
        )

    def _write_usage(self, resource: Resource, obj: Object) -> None:
        """Bring the status of the namespace's quotas up to date after a write there."""
        quotas = self._quotas(obj["metadata"].get("namespace", ""))
        enforced = [each for each in quotas if quota.is_enforced(each)]
        if not enforced or not any(_storage_of(name) == resource.storage or resource.storage == QUOTAS
                                   for each in enforced for name in each["spec"]["hard"]):  # fmt: skip
            return
        used = self._usage(obj["metadata"]["namespace"], enforced)
        for each in enforced:
            status = quota.status_of(each, used)
            if each.get("status") != status:
                metadata = each["metadata"]
                self._store.put(QUOTAS, metadata["namespace"], metadata["name"], {**each, "status": status})

    def mutate_update(self, call: Call, new: Object, old: Object) -> None:
        """Nothing yet is changed on update."""

    def allocate(self, call: Call, obj: Object, old: Object | None) -> None:
        """Give a Service its addresses. ApiError 422 when the one asked for is taken or out of range."""
        if call.resource.storage != "/services" or call.path.subresource:
            return
        spec = obj["spec"]
        if spec.get("type") == "ExternalName":
            return
        self._allocate_ports(spec)
        wanted = spec.get("clusterIP", "")
        if old is not None and wanted and wanted == old["spec"].get("clusterIP"):
            return
        if not wanted:
            wanted = self._free_address()
        elif wanted != "None":
            self._check_address(obj, wanted)
        spec["clusterIP"] = wanted
        spec["clusterIPs"] = [wanted]

    def _allocate_ports(self, spec: Object) -> None:
        if spec.get("type") not in ("NodePort", "LoadBalancer"):
            return
        taken = self._ports_taken()
        for port in spec.get("ports", ()):
            if not port.get("nodePort"):
                port["nodePort"] = next(
                    number for number in random.sample(NODE_PORTS, len(NODE_PORTS)) if number not in taken
                )
                taken.add(port["nodePort"])

    def stored(self, resource: Resource, obj: Object) -> None:
        for hook in self.on_stored:
            hook(resource, obj)
        self._write_usage(resource, obj)

    def removed(self, resource: Resource, obj: Object) -> None:
        for hook in self.on_removed:
            hook(resource, obj)
        self._write_usage(resource, obj)

    def _admit_pod(self, call: Call, pod: Object) -> None:
        spec = pod["spec"]
        account = spec.get("serviceAccountName") or "default"
        namespace = call.path.namespace
        if self._store.get("/serviceaccounts", namespace, account) is None:
            # on a real server names are generated only after admission, so a refusal knows the prefix alone
            name = pod["metadata"].get("generateName") or pod["metadata"].get("name", "")
            why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise forbidden("", "pods", name, why)
        apply_limit_ranges(pod, self._store.objects("/limitranges", namespace))
        spec["serviceAccountName"] = spec["serviceAccount"] = account
        if spec.get("automountServiceAccountToken") is not False:
            _mount_token(spec)
        for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
            if not any(toleration.get("key") in (key, None) for toleration in spec.get("tolerations", ())):
                toleration = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
                spec.setdefault("tolerations", []).append(toleration)
        spec.setdefault("priority", 0)
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")

    def _ports_taken(self) -> set[int]:
        services = self._store.objects("/services")
        return {port.get("nodePort", 0) for service in services for port in service["spec"].get("ports", ())}

    def _used(self) -> set[str]:
        return {service["spec"].get("clusterIP", "") for service in self._store.objects("/services")}

    def _free_address(self) -> str:
        """Any free address of the range, not in order, so that a freed one is not reused at once."""
        used = self._used()
        size = self._network.num_addresses
        start = random.randrange(size)  # noqa: S311
        for step in range(size - 2):
            address = str(self._network[1 + (start + step) % (size - 2)])
            if address not in used:
                return address
        raise forbidden("", "services", "", f"the range {self._network} has no free address for another Service")

    def _check_address(self, obj: Object, wanted: str) -> None:
        name = obj["metadata"]["name"]
        try:
            inside = ipaddress.ip_address(wanted) in self._network
        except ValueError:
            return
        if not inside:
            why = f"failed to allocate IP {wanted}: the provided network does not match the current range"
        elif wanted in self._used():
            why = f"failed to allocate IP {wanted}: provided IP is already allocated"
        else:
            return
        cause = Cause("FieldValueInvalid", f'Invalid value: ["{wanted}"]: {why}', "spec.clusterIPs")
        raise invalid("", "Service", name, [cause])


def _storage_of(name: str) -> str:
    """The collection that a name in a quota counts; pods for what they ask for."""
    if name.startswith("count/"):
        plural, _, group = name.removeprefix("count/").partition(".")
        return f"{group}/{plural}"
    return f"/{name}" if name in quota.OWN_NAME else "/pods"


def _mount_token(spec: Object) -> None:
    """Every container that mounts nothing there gets the service account's token, the CA and the namespace."""
    name = f"kube-api-access-{''.join(random.choices(SUFFIX, k=5))}"  # noqa: S311
    mounted = False
    for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        mounts = container.setdefault("volumeMounts", [])
        if not any(mount.get("mountPath") == TOKEN_PATH for mount in mounts):
            mounts.append({"name": name, "readOnly": True, "mountPath": TOKEN_PATH})
            mounted = True
    if not mounted:
        return
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    volume = {"name": name, "projected": {"sources": sources, "defaultMode": 420}}
    spec["volumes"] = [*spec.get("volumes", ()), volume]
