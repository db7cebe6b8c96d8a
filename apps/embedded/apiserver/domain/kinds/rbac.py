"""Roles and their bindings."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.rbac import GROUP
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy

Object = dict[str, Any]


class RoleStrategy(Strategy):
    """`cluster`: of a ClusterRole, which may speak of paths that are no resources."""

    def __init__(self, *, cluster: bool) -> None:
        self._cluster = cluster

    def validate(self, obj: Object) -> list[Cause]:
        causes: list[Cause] = []
        for index, rule in enumerate(obj.get("rules") or ()):
            where = f"rules[{index}]"
            if not rule.get("verbs"):
                causes.append(checks.required(f"{where}.verbs", "verbs must contain at least one value"))
            if rule.get("nonResourceURLs"):
                if not self._cluster:
                    why = "namespaced rules cannot apply to non-resource URLs"
                    causes.append(checks.invalid(f"{where}.nonResourceURLs", rule["nonResourceURLs"], why))
                elif rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                    why = "rules cannot apply to both regular resources and non-resource URLs"
                    causes.append(checks.invalid(f"{where}.nonResourceURLs", rule["nonResourceURLs"], why))
                continue
            for field, word in (("apiGroups", "api groups"), ("resources", "resources")):
                if not rule.get(field):
                    why = f"resource rules must supply at least one {word[:-1].rstrip()}"
                    causes.append(checks.required(f"{where}.{field}", why))
        return causes

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        return self.validate(new)


class BindingStrategy(Strategy):
    """`kinds`: what a roleRef may refer to."""

    def __init__(self, *kinds: str) -> None:
        self._kinds = kinds

    def set_defaults(self, obj: Object) -> None:
        reference = obj.get("roleRef")
        if isinstance(reference, dict) and not reference.get("apiGroup"):
            reference["apiGroup"] = GROUP
        for subject in obj.get("subjects") or ():
            if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
                subject["apiGroup"] = GROUP

    def validate(self, obj: Object) -> list[Cause]:
        reference = obj.get("roleRef") or {}
        causes: list[Cause] = []
        if reference.get("apiGroup") != GROUP:
            causes += checks.one_of("roleRef.apiGroup", reference.get("apiGroup", ""), [GROUP])
        causes += checks.one_of("roleRef.kind", reference.get("kind", ""), self._kinds)
        if not reference.get("name"):
            causes.append(checks.required("roleRef.name"))
        for index, subject in enumerate(obj.get("subjects") or ()):
            where = f"subjects[{index}]"
            if not subject.get("name"):
                causes.append(checks.required(f"{where}.name"))
            causes += checks.one_of(f"{where}.kind", subject.get("kind", ""), ("ServiceAccount", "User", "Group"))
        return causes

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        causes = self.validate(new)
        if new.get("roleRef") != old.get("roleRef"):
            reference = new.get("roleRef") or {}
            shown = {name: reference.get(name[0].lower() + name[1:], "") for name in ("Kind", "Name")}
            shown = checks.InOrder({"APIGroup": reference.get("apiGroup", ""), **shown})
            causes.append(checks.invalid("roleRef", shown, "cannot change roleRef"))
        return causes
