"""Proof of rendered manifests against real schemas: what a real API server, vLLM and the endpoint picker would refuse.

Built-in kinds by kubernetes-validate (the OpenAPI schemas of Kubernetes, unknown fields refused); custom kinds by the
OpenAPI schema of their CRD, unknown fields refused, and by the CRD's CEL rules.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import cel
import jsonschema
import kubernetes_validate.utils
import yaml
from kubernetes_validate.utils import InvalidSchemaError, ValidationError, VersionNotSupportedError

from apps.catalog.domain.picker_config import misfits
from apps.catalog.domain.vllm import ParsedArgs, option_faults, parse_args
from tests.support.shared import shared_file

Manifest = Mapping[str, Any]
KUBERNETES = "1.36"
# the library reads a megabyte of schemas for each object that it looks at
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)
# what ../shared has no CRD of: fields and types of NVIDIA's DRA driver (its Helm chart's computedomains, as of 2026-11)
_TEMPLATE = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
_CHANNEL = {
    "type": "object",
    "required": ["resourceClaimTemplate"],
    "properties": {"allocationMode": {"enum": ["All", "Single"]}, "resourceClaimTemplate": _TEMPLATE},
}
_COMPUTE_DOMAIN = {
    "type": "object",
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "spec": {
            "type": "object",
            "required": ["channel"],
            "properties": {"numNodes": {"type": "integer", "minimum": 0}, "channel": _CHANNEL},
        },
    },
}
# metadata is the API server's own: a CRD says nothing of it
_METADATA = {"type": "object"}


def faults(manifest: Manifest) -> list[str]:
    """Why a real API server would refuse a manifest; [] when it would take it. Skips the test without the CRDs."""
    name = f"{manifest['kind']}/{manifest['metadata']['name']}"
    crd = _crds().get((manifest["apiVersion"], manifest["kind"]))
    if crd is None:
        found = builtin_faults(manifest)
    else:
        found = [*_against(manifest, crd), *_rules(manifest, crd)]
    return [f"{name}: {fault}" for fault in found]


def builtin_faults(manifest: Manifest) -> list[str]:
    """Why a real API server would refuse an object of a kind of its own."""
    return list(_builtin(json.dumps(manifest, sort_keys=True)))


def command_faults(manifest: Manifest, version: str) -> list[str]:
    """Why vLLM at `version` would refuse a command line of a manifest's pods."""
    found = []
    for container in _containers(manifest):
        words = [*container.get("command", ()), *container.get("args", ())]
        if words[:2] == ["/bin/sh", "-c"]:
            # sh -c 'exec vllm serve "$@" --more' name args...
            script = re.sub(r"\$\(\(.*?\)\)", "1", words[2].removeprefix("exec "))
            before, _, after = script.partition(' "$@"')
            words = [*before.split(), *words[4:], *after.split()]
        if words[:2] != ["vllm", "serve"]:
            continue
        parsed = parse_args(version, [_expanded(word) for word in words[2:]])
        name = f"{manifest['metadata']['name']}/{container['name']}"
        if isinstance(parsed, ParsedArgs):
            found += [f"{name}: {fault}" for fault in option_faults(parsed, version)]
        else:
            found.append(f"{name}: {parsed}")
    return found


def picker_faults(manifests: Iterable[Manifest], dialect: str) -> list[str]:
    """What the endpoint picker of a dialect would refuse or overlook in the configurations of config maps."""
    found = []
    experimental = any(
        "--allow-experimental-plugins" in container.get("args", ())
        for manifest in manifests
        for container in _containers(manifest)
    )
    for manifest in manifests:
        text = (manifest.get("data") or {}).get("config.yaml") if manifest["kind"] == "ConfigMap" else None
        if text is not None:
            document = yaml.safe_load(text)
            found += [f"{m.pointer}: {m.sentence}" for m in misfits(document, dialect, experimental=experimental)]
    return found


def _containers(manifest: Manifest) -> Iterator[Mapping[str, Any]]:
    """Containers of all pods that a manifest makes."""

    def specs(value: Any) -> Iterator[Mapping[str, Any]]:
        if isinstance(value, Mapping):
            if "containers" in value:
                yield value
            for inner in value.values():
                yield from specs(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from specs(inner)

    for pod in specs(manifest.get("spec")):
        yield from pod["containers"]
        yield from pod.get("initContainers") or ()


def _expanded(word: str) -> str:
    """A word as the container gets it: $(VARIABLE) stands for something that the pod knows."""
    return re.sub(r"\$\([A-Z_]+\)", "1", word)


@functools.lru_cache(maxsize=4096)
def _builtin(text: str) -> tuple[str, ...]:
    try:
        kubernetes_validate.validate(json.loads(text), KUBERNETES, strict=True)
    except ValidationError as error:
        return (f"{'/'.join(str(part) for part in error.path)}: {error.message}",)
    except (InvalidSchemaError, VersionNotSupportedError) as error:
        return (str(error),)
    return ()


@functools.cache
def _crds() -> dict[tuple[str, str], dict[str, Any]]:
    """Schemas of custom kinds by apiVersion and kind."""
    found: dict[tuple[str, str], dict[str, Any]] = {("resource.nvidia.com/v1beta1", "ComputeDomain"): _COMPUTE_DOMAIN}
    for path in sorted(shared_file("k8s/crds").glob("*/*.yaml")):
        for crd in yaml.load_all(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if not crd or crd["kind"] != "CustomResourceDefinition":
                continue
            for version in crd["spec"]["versions"]:
                key = (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
                found[key] = version["schema"]["openAPIV3Schema"]
    return found


def _against(manifest: Manifest, schema: Mapping[str, Any]) -> Iterator[str]:
    for error in _validator(manifest["apiVersion"], manifest["kind"]).iter_errors(manifest):
        yield f"{'/'.join(str(part) for part in error.absolute_path)}: {error.message[:300]}"


@functools.cache
def _validator(version: str, kind: str) -> Any:
    schema = _strict(_crds()[version, kind])
    schema["properties"] = {**schema["properties"], "metadata": _METADATA}
    return jsonschema.Draft7Validator(schema)


def _strict(schema: Any) -> Any:
    """A structural schema as JSON Schema in which unknown fields are refused, as `--validate=strict` does."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties"):
            made[key] = {name: _strict(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties", "not", "allOf", "anyOf", "oneOf"):
            made[key] = _strict(value)
        elif key in ("enum", "required", "default"):
            made[key] = value
        elif key == "pattern":
            made[key] = value.replace(r"\z", r"\Z")
        elif not key.startswith("x-") and key not in ("description", "nullable", "format", "example"):
            made[key] = value
    preserved = schema.get("x-kubernetes-preserve-unknown-fields")
    closed = schema.get("type") == "object" and "properties" in schema and "additionalProperties" not in schema
    if closed and not preserved:
        made["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return made


def _rules(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """CEL rules that a value breaks; those about its old state are about updates, and there is none here."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" not in rule["rule"] and not cel.evaluate(rule["rule"], {"self": value}):
            yield f"{path}: {rule.get('message') or rule['rule']}"
    if isinstance(value, Mapping):
        for name, inner in value.items():
            child = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if isinstance(child, Mapping):
                yield from _rules(inner, child, f"{path}/{name}")
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for i, inner in enumerate(value):
            yield from _rules(inner, schema["items"], f"{path}/{i}")
