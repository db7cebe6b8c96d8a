"""CustomResourceDefinitions themselves: names filled in, accepted at once."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy, keep

Object = dict[str, Any]


class DefinitionStrategy(Strategy):
    has_status = True
    has_generation = True
    name_check = staticmethod(checks.subdomain)

    def set_defaults(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        names = spec.setdefault("names", {})
        if names.get("kind"):
            names.setdefault("singular", names["kind"].lower())
            names.setdefault("listKind", f"{names['kind']}List")
        spec.setdefault("conversion", {"strategy": "None"})

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        now = obj["metadata"]["creationTimestamp"]
        accepted = [("NamesAccepted", "NoConflicts", "no conflicts found")]
        accepted += [("Established", "InitialNamesAccepted", "the initial names have been accepted")]
        obj["status"] = {
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}
                for kind, reason, message in accepted
            ],
            "acceptedNames": obj["spec"].get("names", {}),
            "storedVersions": [v["name"] for v in obj["spec"].get("versions") or () if v.get("storage")],
        }

    def prepare_update(self, new: Object, old: Object) -> None:
        super().prepare_update(new, old)
        keep(new, old, "status")
        new["status"]["acceptedNames"] = new["spec"].get("names", {})

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        names = spec.get("names", {})
        causes = [checks.required(f"spec.names.{field}") for field in ("plural", "kind") if not names.get(field)]
        wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
        if not causes and obj["metadata"].get("name") != wanted:
            why = 'must be spec.names.plural+"."+spec.group'
            causes.append(checks.invalid("metadata.name", obj["metadata"].get("name", ""), why))
        causes += checks.one_of("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
        versions = spec.get("versions") or []
        if sum(bool(version.get("storage")) for version in versions) != 1:
            why = "must have exactly one version marked as storage version"
            causes.append(checks.invalid("spec.versions", [version.get("name") for version in versions], why))
        for index, version in enumerate(versions):
            if not (version.get("schema") or {}).get("openAPIV3Schema"):
                field = f"spec.versions[{index}].schema.openAPIV3Schema"
                causes.append(checks.required(field, "schemas are required"))
        return causes

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        causes = checks.immutable("spec.group", new["spec"].get("group"), old["spec"].get("group"))
        causes += checks.immutable("spec.scope", new["spec"].get("scope"), old["spec"].get("scope"))
        return causes + self.validate(new)
