"""ConfigMaps and Secrets."""

from __future__ import annotations

import base64
import json
from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy

Object = dict[str, Any]
MAX_BYTES = 1024 * 1024
IMMUTABLE = "field is immutable when `immutable` is set"
REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _size(*maps: Object | None) -> int:
    return sum(len(value) for values in maps for value in (values or {}).values())


def _frozen(new: Object, old: Object, fields: tuple[str, ...]) -> list[Cause]:
    """What an immutable object does not let change."""
    if not old.get("immutable"):
        return []
    causes = []
    if not new.get("immutable"):
        causes.append(checks.forbidden("immutable", IMMUTABLE))
    causes += [checks.forbidden(field, IMMUTABLE) for field in fields if new.get(field) != old.get(field)]
    return causes


class ConfigMapStrategy(Strategy):
    name_check = staticmethod(checks.subdomain)

    def validate(self, obj: Object) -> list[Cause]:
        causes: list[Cause] = []
        for field in ("data", "binaryData"):
            for key in obj.get(field, {}):
                causes += checks.config_key(f"{field}[{key}]", key)
        for key in obj.get("data", {}):
            if key in obj.get("binaryData", {}):
                causes.append(checks.invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        if _size(obj.get("data"), obj.get("binaryData")) > MAX_BYTES:
            causes.append(Cause("FieldValueTooLong", f"Too long: may not be more than {MAX_BYTES} bytes", ""))
        return causes

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        return _frozen(new, old, ("data", "binaryData")) + self.validate(new)


class SecretStrategy(Strategy):
    name_check = staticmethod(checks.subdomain)
    selectable_fields = ("type",)

    def set_defaults(self, obj: Object) -> None:
        obj.setdefault("type", "Opaque")

    def after_tracking(self, obj: Object) -> None:
        """stringData is write-only: it goes into data, but those who own it own it as stringData."""
        text = obj.pop("stringData", None)
        if text:
            data = obj.setdefault("data", {})
            data.update({key: base64.b64encode(value.encode()).decode() for key, value in text.items()})

    def validate(self, obj: Object) -> list[Cause]:
        data = obj.get("data", {})
        causes: list[Cause] = []
        for key in data:
            causes += checks.config_key(f"data[{key}]", key)
        if _size(data) * 3 // 4 > MAX_BYTES:
            causes.append(Cause("FieldValueTooLong", f"Too long: may not be more than {MAX_BYTES} bytes", "data"))
        kind = obj.get("type", "")
        for key in REQUIRED_KEYS.get(kind, ()):
            if key not in data:
                causes.append(checks.required(f"data[{key}]"))
            elif kind in ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"):
                causes += _validate_json(f"data[{key}]", data[key])
        return causes

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        causes = checks.immutable("type", new.get("type"), old.get("type"))
        return causes + _frozen(new, old, ("data",)) + self.validate(new)


def _validate_json(field: str, encoded: str) -> list[Cause]:
    try:
        json.loads(base64.b64decode(encoded))
    except ValueError:
        return [checks.invalid(field, "<secret contents redacted>", "unexpected end of JSON input")]
    return []
