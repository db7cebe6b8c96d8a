"""Proposing documents for what runs in a namespace already: plain vLLM Deployments, llm-d releases, KServe's services.

A proposal repeats what is there as closely as a Pool can say it, so that its plan shows what would really change. Where
pool and variant can be named so that our Deployment has the present one's name, that one is adopted in place; what
cannot be carried over is said in a note. Nothing is ever guessed silently, and no secret is copied.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.catalog.domain.vllm import ParsedArgs, flags, parse_args
from apps.core.domain.documents import API_VERSION
from apps.pools.domain.adoption import present_managers
from apps.pools.domain.engines import ENGINE_PORT, RENDERED_ENV, RESERVED_FLAGS
from apps.pools.domain.manifests import POOL_UID, AcceleratorFacts
from apps.pools.domain.masking import Masker
from apps.pools.domain.replicas import Scaler
from apps.pools.domain.spec import LONGEST_POOL_AND_VARIANT, Engine

Via = Literal["deployment", "llm-d", "kserve"]
TAKE_OWNERSHIP = "lamplight.dev/take-ownership-from"
_NEWEST = "0.33"
_NAME = re.compile(r"[^a-z0-9]+")
_IMAGE = re.compile(r"^[a-z0-9][A-Za-z0-9._:/-]{0,200}(@sha256:[a-f0-9]{64})?$")
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,100}$")
_HUB = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$")
# rendered with valueFrom: a value beside it would be refused
_FROM_ELSEWHERE = frozenset({"HF_TOKEN", "POD_IP"})
# fields of parallelism and the like have a place of their own in the spec; these are rendered, so they are not repeated
_PLACED = frozenset({"tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"})


@dataclass(frozen=True)
class Surroundings:
    """What is known around the Deployments of a namespace.

    `cluster`: its name in documents. `accelerators`: by name. `products`: those that the cluster has. `scalers`: what
    scales Deployments there. `selectors`: labels that the InferencePools of the namespace select by. `models`: sources
    of declared Models by name.
    """

    cluster: str
    namespace: str
    accelerators: Mapping[str, AcceleratorFacts]
    products: frozenset[str] = frozenset()
    scalers: Sequence[Scaler] = ()
    selectors: Sequence[Mapping[str, str]] = ()
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """Documents for one thing that runs. `notes`: what they do not carry over. `adopts`: objects, as `Kind/name`."""

    via: Via
    kind: str
    name: str
    documents: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    adopts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "via": self.via,
            "source": {"kind": self.kind, "name": self.name},
            "adopts": list(self.adopts),
            "documents": list(self.documents),
            "notes": list(self.notes),
        }


def propose(
    deployments: Iterable[Mapping[str, Any]], services: Iterable[Mapping[str, Any]], around: Surroundings
) -> list[Proposal]:
    """Proposals for the Deployments (`apps/v1`) and LLMInferenceServices of a namespace, by name.

    Deployments of Lamplight's pools, of KServe's services and those that run no vLLM are left out.
    """
    kserve = list(services)
    names = {service["metadata"]["name"] for service in kserve}
    found = []
    for obj in sorted(deployments, key=lambda obj: str(obj["metadata"]["name"])):
        metadata = obj["metadata"]
        owners = {owner.get("kind") for owner in metadata.get("ownerReferences") or []}
        labels = metadata.get("labels") or {}
        if POOL_UID in labels or "LLMInferenceService" in owners or labels.get("app.kubernetes.io/name") in names:
            continue
        container = _engine_container((obj["spec"]["template"].get("spec") or {}).get("containers") or [])
        if container is not None:
            found.append(_of_deployment(obj, container, around))
    found += [_of_service(obj, around) for obj in sorted(kserve, key=lambda obj: str(obj["metadata"]["name"]))]
    return found


_ROLES = "to keep prefill and decode apart declare path pd-disaggregation with a variant of each role"


def command_line(container: Mapping[str, Any]) -> list[str] | None:
    """What follows `vllm serve` in a container's command and args, None where it runs no vLLM."""
    words = [str(word) for word in [*(container.get("command") or []), *(container.get("args") or [])]]
    if len(words) >= 3 and words[0].rpartition("/")[2] in ("sh", "bash") and words[1].startswith("-"):
        words = _of_script(words[2])
    for i, word in enumerate(words):
        if word.rpartition("/")[2] == "vllm" and words[i + 1 : i + 2] == ["serve"]:
            return words[i + 2 :]
        if word == "vllm.entrypoints.openai.api_server":
            return words[i + 1 :]
    image = str(container.get("image", ""))
    if "vllm" in image and not container.get("command"):
        return words[1:] if words[:1] == ["serve"] else words
    return None


def _of_script(text: str) -> list[str]:
    """The words of the line of a shell script that starts vLLM."""
    joined = text.replace("\\\n", " ")
    line = next((part for part in re.split(r"[;\n]|&&", joined) if re.search(r"\bvllm\b", part)), joined)
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _engine_container(containers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((c for c in containers if command_line(c) is not None), None)


def _of_deployment(obj: Mapping[str, Any], container: Mapping[str, Any], around: Surroundings) -> Proposal:
    metadata, spec = obj["metadata"], obj["spec"]
    labels = {**(metadata.get("labels") or {}), **(spec["template"]["metadata"].get("labels") or {})}
    via: Via = "llm-d" if any(name.startswith("llm-d.ai/") for name in labels) else "deployment"
    pool, variant, adopted = _names(metadata["name"])
    # what another controller keeps would be written against
    adopted = adopted and not any(owner.get("controller") for owner in metadata.get("ownerReferences") or [])
    notes: list[str] = []
    plain = [e["name"] for e in container.get("env") or [] if e.get("name") in _FROM_ELSEWHERE and "value" in e]
    if adopted and plain:
        adopted = False
        notes.append(
            f"{', '.join(plain)} is a plain value there, and a pool reads it from elsewhere: one cannot be laid over "
            "the other, so it is not adopted in place; take the variable out first, and import again"
        )
    if not adopted:
        pool, variant = _name(metadata["name"]), "main"
    document, model = _documents(pool, variant, container, spec["template"]["spec"], around, notes)
    scaler = next((s for s in around.scalers if s.deployment == metadata["name"]), None)
    replicas = int(spec.get("replicas", 1))
    document["spec"]["variants"][0]["replicas"] = {"min": replicas, "max": max(1, replicas)}
    if scaler is not None:
        document["spec"]["autoscaling"] = {"mode": "external"}
        document["spec"]["variants"][0]["replicas"] = {"min": 0, "max": 1000}
        notes.append(f"{scaler.kind} {scaler.name} scales it: autoscaling.mode is external, so that it goes on")
    role = labels.get("llm-d.ai/role", "both")
    if role not in ("both", "prefill-decode"):
        notes.append(f"it has the role {role}, and is proposed as a pool that does both: {_ROLES}")
    if not any(all(labels.get(k) == v for k, v in selector.items()) for selector in around.selectors if selector):
        document["spec"]["routing"] = {"picker": False}
    _rollout(spec, container, document)
    if adopted:
        managers = sorted(present_managers(obj))
        document["metadata"]["annotations"] = {TAKE_OWNERSHIP: ",".join(managers)} if managers else {}
        notes.append(
            f"Deployment {metadata['name']} is adopted in place; what other managers wrote and the pool does not "
            "declare stays. Remove the annotation to make new objects beside it instead"
        )
    else:
        notes.append(
            f"Deployment {metadata['name']} is left alone: the pool's objects are made beside it, delete it later"
        )
    if len(spec["template"]["spec"].get("containers") or []) > 1 or spec["template"]["spec"].get("initContainers"):
        notes.append("its other containers and init containers are not declared by the pool")
    return Proposal(
        via,
        "Deployment",
        metadata["name"],
        (model, document) if model is not None else (document,),
        tuple(notes),
        (f"Deployment/{metadata['name']}",) if adopted else (),
    )


def _of_service(obj: Mapping[str, Any], around: Surroundings) -> Proposal:
    """From a KServe LLMInferenceService: its own controller keeps its Deployments, so the pool is made beside them."""
    spec, name = obj.get("spec") or {}, obj["metadata"]["name"]
    template = spec.get("template") or {}
    containers = template.get("containers") or [{}]
    container = dict(next((c for c in containers if c.get("name") == "main"), containers[0]))
    uri = str((spec.get("model") or {}).get("uri") or "")
    parallelism = spec.get("parallelism") or {}
    args = [str(word) for word in container.get("args") or []]
    args += [
        f"--{word}-parallel-size={parallelism[word]}"
        for word in ("tensor", "pipeline", "data")
        if parallelism.get(word)
    ]
    container |= {"command": ["vllm", "serve"], "args": [uri.removeprefix("hf://") or "unknown", *args]}
    notes: list[str] = []
    pool = _name(f"{name}-pool")
    document, model = _documents(pool, "main", container, template, around, notes)
    if model is not None:
        served = (spec.get("model") or {}).get("name")
        model["spec"] |= {"source": uri} if "://" in uri else {}
        model["spec"] |= {"servedName": str(served)} if served else {}
    replicas = int(spec.get("replicas") or 1)
    document["spec"]["variants"][0]["replicas"] = {"min": replicas, "max": max(1, replicas)}
    if spec.get("prefill"):
        notes.append(f"its prefill workload is not carried over, so the pool would do both: {_ROLES}")
    if spec.get("baseRefs"):
        notes.append(
            "it inherits from baseRefs, which only KServe's controller resolves: check image, args and resources"
        )
    notes.append(f"KServe's controller keeps LLMInferenceService {name}: the pool is made beside it, delete it later")
    documents = (model, document) if model is not None else (document,)
    return Proposal("kserve", "LLMInferenceService", name, documents, tuple(notes))


def _documents(
    pool: str,
    variant: str,
    container: Mapping[str, Any],
    pod: Mapping[str, Any],
    around: Surroundings,
    notes: list[str],
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A Pool and, where none is declared that serves the same, a Model."""
    image = str(container.get("image") or "")
    engine: dict[str, Any] = {"image": image} if _IMAGE.fullmatch(image) else {}
    if image and not engine:
        notes.append(f"its image {image[:100]} is not one that a pool can name: the default stands in its place")
    version = Engine(**engine).version or _NEWEST
    argv = command_line(container) or []
    parsed = parse_args(version, argv)
    if not isinstance(parsed, ParsedArgs):
        notes.append(f"vLLM {version} would not take its arguments ({parsed}): check engine.args")
    served, source = _model_of(argv, parsed, container, pod, notes)
    masker = Masker([{"kind": "Pod", "spec": pod}])
    args = []
    for word in _own_args(argv, version, notes):
        if masker.text(word) != word:
            notes.append(
                f"the value of {word.partition('=')[0]} looks like a secret and is left out: put it into a Secret"
            )
        else:
            args.append(word)
    if args:
        engine["args"] = args
    if env := _env(container, notes):
        engine["env"] = env
    accelerator, per_pod = _accelerator(container, pod, around, notes)
    parallelism = {
        word: int(parsed[f"{word}_parallel_size"] or 1) if isinstance(parsed, ParsedArgs) else 1
        for word in ("tensor", "pipeline", "data")
    }
    if per_pod and parallelism["tensor"] * parallelism["pipeline"] * parallelism["data"] != per_pod:
        notes.append(
            f"its container asks for {per_pod} accelerators, and its parallelism needs another number: "
            "a pool asks for as many as the parallelism needs"
        )
    declared = next((name for name, other in around.models.items() if other == source), None)
    name = declared or _name(served.rpartition("/")[2])
    model = {
        "apiVersion": API_VERSION,
        "kind": "Model",
        "metadata": {"name": name},
        "spec": {"source": source, "servedName": served},
    }
    if isinstance(parsed, ParsedArgs) and parsed["revision"]:
        model["spec"]["revision"] = parsed["revision"]  # type: ignore[index]
    document = {
        "apiVersion": API_VERSION,
        "kind": "Pool",
        "metadata": {"name": pool},
        "spec": {
            "model": name,
            "cluster": around.cluster,
            "namespace": around.namespace,
            "engine": engine,
            "variants": [
                {
                    "name": variant,
                    "accelerator": accelerator,
                    "parallelism": parallelism,
                    "resources": _resources(container),
                }
            ],
        },
    }
    return document, None if declared else model


def _model_of(
    argv: Sequence[str],
    parsed: ParsedArgs | str,
    container: Mapping[str, Any],
    pod: Mapping[str, Any],
    notes: list[str],
) -> tuple[str, str]:
    """Served name and source."""
    first = argv[0] if argv and not argv[0].startswith("-") else ""
    model = str(parsed.model) if isinstance(parsed, ParsedArgs) else first or "unknown"
    names = parsed["served_model_name"] if isinstance(parsed, ParsedArgs) else None
    names = names if isinstance(names, list | tuple) else [names] if names else []
    if len(names) > 1:
        notes.append(f"it is served under {len(names)} names; a Model has one: {names[0]}")
    served = str(names[0]) if names else model
    if "://" in model:
        return served, model
    if model.startswith("/"):
        return served, _mounted(model, container, pod, notes)
    if not _HUB.fullmatch(model):
        notes.append(f"where the weights of {model} are is not told by its arguments: check the Model's source")
    return served, f"hf://{model}"


def _mounted(path: str, container: Mapping[str, Any], pod: Mapping[str, Any], notes: list[str]) -> str:
    for mount in container.get("volumeMounts") or []:
        at = str(mount.get("mountPath", "")).rstrip("/")
        volumes: list[Mapping[str, Any]] = pod.get("volumes") or []
        volume = next((v for v in volumes if v.get("name") == mount.get("name")), {})
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if at and claim and (path == at or path.startswith(at + "/")):
            inside = "/".join(part for part in (str(mount.get("subPath") or ""), path[len(at) :].strip("/")) if part)
            return f"pvc://{claim}/{inside}".rstrip("/")
    notes.append(f"the weights lie at {path}, which is no claim's volume: check the Model's source")
    return f"pvc://unknown{path}"


def _own_args(argv: Sequence[str], version: str, notes: list[str]) -> list[str]:
    """Arguments that a pool repeats: without the model, and without what Lamplight renders."""
    spellings = {spelling: flag for flag in flags(version).values() for spelling in flag.spellings}
    words = list(argv)
    if words and not words[0].startswith("-"):
        words = words[1:]
    kept: list[str] = []
    i = 0
    while i < len(words):
        name, equals, value = words[i].partition("=")
        dashed = "--" + name.lstrip("-").replace("_", "-") if name.startswith("--") else name
        flag = spellings.get(dashed)
        taken = [words[i]]
        i += 1
        takes_value = flag is not None and flag.kind == "value" and not equals
        many = flag is not None and flag.nargs == "+"
        while takes_value and i < len(words) and not words[i].startswith("--") and (len(taken) < 2 or many):
            taken.append(words[i])
            i += 1
        destination = flag.destination if flag is not None else dashed.lstrip("-").replace("-", "_")
        if destination in _PLACED:
            continue
        if destination in RESERVED_FLAGS:
            said = value or (taken[1] if len(taken) > 1 else "")
            if destination == "port" and said == str(ENGINE_PORT):
                continue
            if destination not in ("model", "served_model_name", "revision", "host"):
                notes.append(f"{dashed} is left out: {RESERVED_FLAGS[destination]}")
            continue
        kept += [f"{taken[0]}={taken[1]}"] if len(taken) == 2 and not many else taken
    return kept


def _env(container: Mapping[str, Any], notes: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    left_out = []
    masker = Masker([])
    for entry in container.get("env") or []:
        name = str(entry.get("name", ""))
        if name in RENDERED_ENV or name == "HF_TOKEN":
            continue
        shown = masker.value({"name": name, "value": entry.get("value")})["value"]
        if "value" not in entry or not _VARIABLE.fullmatch(name) or shown != entry["value"]:
            left_out.append(name)
        else:
            found[name] = str(entry["value"])
    if container.get("envFrom"):
        left_out.append("those of envFrom")
    if left_out:
        notes.append(f"these variables are not carried over (secret, or read from elsewhere): {', '.join(left_out)}")
    return found


def _accelerator(
    container: Mapping[str, Any], pod: Mapping[str, Any], around: Surroundings, notes: list[str]
) -> tuple[str, int]:
    """The accelerator's name in the catalogue, and how many one container asks for."""
    resources = container.get("resources") or {}
    asked = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
    known = {facts.resource for facts in around.accelerators.values() if facts.resource}
    resource = next((name for name in asked if name in known), None)
    if resource is None:
        plain = next((name for name, facts in sorted(around.accelerators.items()) if facts.resource is None), "cpu")
        return plain, 0
    count = int(asked[resource])
    selector = pod.get("nodeSelector") or {}
    fitting = [(name, facts) for name, facts in sorted(around.accelerators.items()) if facts.resource == resource]
    for name, facts in fitting:
        if facts.node_selector and all(selector.get(k) == v for k, v in facts.node_selector.items()):
            return name, count
    there = [name for name, facts in fitting if set(facts.node_selector.values()) & around.products]
    if len(there) == 1:
        return there[0], count
    guess = there[0] if there else fitting[0][0]
    notes.append(f"it asks for {resource} of any kind: {guess} is a guess, set variants[].accelerator")
    return guess, count


def _resources(container: Mapping[str, Any]) -> dict[str, str]:
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    found: dict[str, str] = {}
    if re.fullmatch(r"[1-9][0-9]{0,3}|[1-9][0-9]{0,5}m", str(asked.get("cpu", ""))):
        found["cpu"] = str(asked["cpu"])
    if re.fullmatch(r"[0-9]+(Ki|Mi|Gi|Ti|k|M|G|T)", str(asked.get("memory", ""))):
        found["memory"] = str(asked["memory"])
    return found


def _rollout(spec: Mapping[str, Any], container: Mapping[str, Any], document: dict[str, Any]) -> None:
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    rollout: dict[str, Any] = {}
    surge, unavailable = rolling.get("maxSurge"), rolling.get("maxUnavailable")
    if isinstance(surge, int) and isinstance(unavailable, int) and (surge or unavailable):
        rollout = {"maxSurge": surge, "maxUnavailable": unavailable}
    hook = (((container.get("lifecycle") or {}).get("preStop") or {}).get("exec") or {}).get("command") or []
    if len(hook) == 2 and hook[0] == "sleep" and str(hook[1]).isdigit():
        rollout["drainDelay"] = f"{hook[1]}s"
    if rollout:
        document["spec"]["rollout"] = rollout


def _names(deployment: str) -> tuple[str, str, bool]:
    """Pool and variant whose Deployment has this very name, where there are such."""
    pool, dash, variant = deployment.rpartition("-")
    fits = len(deployment) <= LONGEST_POOL_AND_VARIANT and variant not in ("engines", "epp")
    if dash and fits and re.fullmatch(r"[a-z0-9][a-z0-9-]*[a-z0-9]|[a-z0-9]", pool) and variant:
        return pool, variant, True
    return _name(deployment), "main", False


def _name(text: str) -> str:
    """A name of ours out of any text."""
    return _NAME.sub("-", text.lower()).strip("-")[:40].strip("-") or "imported"
