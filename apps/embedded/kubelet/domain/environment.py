"""The environment and the command line of a container, from its pod and the objects that it refers to."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.embedded.domain.objects import Object
from apps.embedded.domain.quantity import parse_quantity

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")


class ConfigError(Exception):
    """A container cannot be configured; the message is what a kubelet writes as CreateContainerConfigError."""


@dataclass(frozen=True)
class Sources:
    """ConfigMaps and Secrets by name, as far as they exist."""

    config_maps: Mapping[str, Object] = field(default_factory=dict)
    secrets: Mapping[str, Object] = field(default_factory=dict)

    def config_map(self, name: str) -> dict[str, str] | None:
        found = self.config_maps.get(name)
        return None if found is None else dict(found.get("data") or {})

    def secret(self, name: str) -> dict[str, str] | None:
        found = self.secrets.get(name)
        if found is None:
            return None
        return {
            key: base64.b64decode(value).decode(errors="replace") for key, value in (found.get("data") or {}).items()
        }


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by its value; ``$$`` is a dollar sign, an unknown name stays as it is written."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return values.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


def field_value(pod: Mapping[str, Any], path: str) -> str:
    """A ``fieldRef`` of the downward API. ConfigError when it is not one that a kubelet knows."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    simple = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": status.get("podIP", ""),
        "status.hostIP": status.get("hostIP", ""),
        "status.hostIPs": status.get("hostIP", ""),
    }
    if path in simple:
        return str(simple[path])
    indexed = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if indexed:
        return str((metadata.get(indexed[1]) or {}).get(indexed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = metadata.get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(entries.items()))
    raise ConfigError(f"unsupported fieldPath: {path}")


def resource_value(pod: Mapping[str, Any], container: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    """A ``resourceFieldRef``: the container's limit or request, divided and rounded up."""
    name = reference.get("containerName", container["name"])
    everyone = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]
    chosen = next((other for other in everyone if other["name"] == name), container)
    section, _, resource = reference["resource"].partition(".")
    amounts = (chosen.get("resources") or {}).get(section) or {}
    divisor = parse_quantity(reference.get("divisor") or "1") or parse_quantity("1")
    return str(-(-parse_quantity(amounts.get(resource, "0")) // divisor))


def _pick(data: dict[str, str] | None, kind: str, reference: Mapping[str, Any], namespace: str) -> str | None:
    name, key = reference.get("name", ""), reference["key"]
    if data is None:
        if reference.get("optional"):
            return None
        raise ConfigError(f'{kind} "{name}" not found')
    if key not in data:
        if reference.get("optional"):
            return None
        raise ConfigError(f"couldn't find key {key} in {kind.capitalize()} {namespace}/{name}")
    return data[key]


def _entry_value(
    pod: Mapping[str, Any], container: Mapping[str, Any], source: Mapping[str, Any], sources: Sources
) -> str | None:
    namespace = pod["metadata"]["namespace"]
    if reference := source.get("fieldRef"):
        return field_value(pod, reference["fieldPath"])
    if reference := source.get("resourceFieldRef"):
        return resource_value(pod, container, reference)
    if reference := source.get("configMapKeyRef"):
        return _pick(sources.config_map(reference.get("name", "")), "configmap", reference, namespace)
    if reference := source.get("secretKeyRef"):
        return _pick(sources.secret(reference.get("name", "")), "secret", reference, namespace)
    raise ConfigError(f"valueFrom has none of fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef: {source}")


def container_environment(
    pod: Mapping[str, Any], container: Mapping[str, Any], sources: Sources, base: Mapping[str, str]
) -> dict[str, str]:
    """``base``, then ``envFrom``, then ``env`` in order; a value may use ``$(NAME)`` of what stands before it."""
    values = dict(base)
    for entry in container.get("envFrom") or []:
        kind = "secret" if "secretRef" in entry else "configmap"
        reference = entry.get("secretRef") or entry.get("configMapRef") or {}
        name = reference.get("name", "")
        data = sources.secret(name) if kind == "secret" else sources.config_map(name)
        if data is None:
            if not reference.get("optional"):
                raise ConfigError(f'{kind} "{name}" not found')
            continue
        values |= {entry.get("prefix", "") + key: value for key, value in data.items()}
    for entry in container.get("env") or []:
        if "valueFrom" in entry:
            value = _entry_value(pod, container, entry["valueFrom"], sources)
            if value is None:
                continue
        else:
            value = expand(entry.get("value") or "", values)
        values[entry["name"]] = value
    return values


def translate_paths(text: str, mounts: Mapping[str, str]) -> str:
    """Rewrite container paths under a mount to where the mount is on this machine, the longest mount first.

    A path counts where it starts a word (after a space, ``=``, ``:``, ``,``, a quote or a bracket) and ends in one.
    """
    if not mounts:
        return text
    longest_first = sorted(mounts, key=len, reverse=True)
    pattern = re.compile(
        r"(?<![\w./-])(" + "|".join(re.escape(mount.rstrip("/")) for mount in longest_first) + r")(?=$|[/\s:,;\"'\])}])"
    )
    places = {mount.rstrip("/"): place for mount, place in mounts.items()}
    return pattern.sub(lambda match: places[match[1]], text)
