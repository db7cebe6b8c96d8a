"""Volumes of a pod as folders on this machine.

Supported: emptyDir, configMap, secret, downwardAPI, projected (service account token included), hostPath and
persistentVolumeClaim (both as folders under the kubelet's data, shared between pods). Any other volume is refused.
A process sees a mount through its command line and environment: container paths in them are rewritten.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.embedded.domain.objects import Object
from apps.embedded.kubelet.domain.environment import ConfigError, Sources, field_value, resource_value


@dataclass(frozen=True)
class ServiceAccountFiles:
    """What is mounted for a service account."""

    token: str
    ca_pem: str


def _inside(directory: Path, relative: str) -> Path:
    """``relative`` below ``directory``. ConfigError when it would lead out of it."""
    path = Path(os.path.normpath(directory / relative))
    if not path.is_relative_to(directory):
        raise ConfigError(f"{relative!r} leads out of its volume")
    return path


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = _inside(directory, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(content)
        partial.chmod(0o600)
        partial.replace(path)


def _chosen(data: Mapping[str, bytes], items: list[Object] | None, what: str, optional: bool) -> dict[str, bytes]:
    if not items:
        return dict(data)
    files = {}
    for item in items:
        if item["key"] in data:
            files[item["path"]] = data[item["key"]]
        elif not optional:
            raise ConfigError(f"{what} has no key {item['key']}")
    return files


def _config_map(spec: Mapping[str, Any], sources: Sources) -> dict[str, bytes]:
    name, optional = spec.get("name", ""), bool(spec.get("optional"))
    found = sources.config_maps.get(name)
    if found is None:
        if optional:
            return {}
        raise ConfigError(f'configmap "{name}" not found')
    data = {key: value.encode() for key, value in (found.get("data") or {}).items()}
    data |= {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
    return _chosen(data, spec.get("items"), f'configmap "{name}"', optional)


def _secret(spec: Mapping[str, Any], sources: Sources) -> dict[str, bytes]:
    name, optional = spec.get("secretName") or spec.get("name", ""), bool(spec.get("optional"))
    found = sources.secrets.get(name)
    if found is None:
        if optional:
            return {}
        raise ConfigError(f'secret "{name}" not found')
    data = {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
    return _chosen(data, spec.get("items"), f'secret "{name}"', optional)


def _downward(pod: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, bytes]:
    files = {}
    for item in spec.get("items") or []:
        if "fieldRef" in item:
            value = field_value(pod, item["fieldRef"]["fieldPath"])
        else:
            value = resource_value(pod, pod["spec"]["containers"][0], item["resourceFieldRef"])
        files[item["path"]] = value.encode()
    return files


def _projected(
    pod: Mapping[str, Any], spec: Mapping[str, Any], sources: Sources, account: ServiceAccountFiles
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for source in spec.get("sources") or []:
        if "configMap" in source:
            name = source["configMap"].get("name")
            if name == "kube-root-ca.crt" and name not in sources.config_maps:
                files["ca.crt"] = account.ca_pem.encode()
            else:
                files |= _config_map(source["configMap"], sources)
        elif "secret" in source:
            files |= _secret(source["secret"], sources)
        elif "downwardAPI" in source:
            files |= _downward(pod, source["downwardAPI"])
        elif "serviceAccountToken" in source:
            files[source["serviceAccountToken"]["path"]] = account.token.encode()
    return files


def materialise(
    pod: Mapping[str, Any],
    volume: Mapping[str, Any],
    directory: Path,
    shared: Path,
    sources: Sources,
    account: ServiceAccountFiles,
) -> Path:
    """Make one volume under ``directory`` (under ``shared`` when other pods may see it); returns its folder."""
    place = _inside(directory, volume["name"])
    if "hostPath" in volume:
        digest = hashlib.sha256(volume["hostPath"]["path"].encode()).hexdigest()[:16]
        place = shared / "host" / digest
    elif "persistentVolumeClaim" in volume:
        place = shared / "claims" / pod["metadata"]["namespace"] / volume["persistentVolumeClaim"]["claimName"]
    place.mkdir(parents=True, exist_ok=True)
    if "configMap" in volume:
        _write(place, _config_map(volume["configMap"], sources))
    elif "secret" in volume:
        _write(place, _secret(volume["secret"], sources))
    elif "downwardAPI" in volume:
        _write(place, _downward(pod, volume["downwardAPI"]))
    elif "projected" in volume:
        _write(place, _projected(pod, volume["projected"], sources, account))
    elif not volume.keys() & {"emptyDir", "hostPath", "persistentVolumeClaim"}:
        kind = next((key for key in volume if key != "name"), "nothing")
        raise ConfigError(f'volume "{volume["name"]}": the embedded cluster has no {kind} volumes')
    return place


def mounts_of(container: Mapping[str, Any], places: Mapping[str, Path]) -> dict[str, str]:
    """Container path → folder or file on this machine. ConfigError for a mount of a volume that is not there."""
    mounts: dict[str, str] = {}
    for mount in container.get("volumeMounts") or []:
        place = places.get(mount["name"])
        if place is None:
            raise ConfigError(f'container "{container["name"]}" mounts volume "{mount["name"]}", which the pod lacks')
        target = _inside(place, mount["subPath"]) if mount.get("subPath") else place
        mounts[mount["mountPath"]] = str(target)
    return mounts


def needed_objects(pod: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The names of all ConfigMaps and Secrets that the pod's volumes and environment refer to."""
    maps: set[str] = set()
    secrets: set[str] = set()
    for volume in pod["spec"].get("volumes") or []:
        for source in [volume, *((volume.get("projected") or {}).get("sources") or [])]:
            if "configMap" in source:
                maps.add(source["configMap"].get("name", ""))
            if "secret" in source:
                secrets.add(source["secret"].get("secretName") or source["secret"].get("name", ""))
    for container in [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]:
        for entry in container.get("envFrom") or []:
            maps |= {entry["configMapRef"]["name"]} if "configMapRef" in entry else set()
            secrets |= {entry["secretRef"]["name"]} if "secretRef" in entry else set()
        for entry in container.get("env") or []:
            source = entry.get("valueFrom") or {}
            maps |= {source["configMapKeyRef"]["name"]} if "configMapKeyRef" in source else set()
            secrets |= {source["secretKeyRef"]["name"]} if "secretKeyRef" in source else set()
    return maps - {""}, secrets - {""}
