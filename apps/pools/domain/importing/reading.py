"""What the container of an engine says, in the words of the documents: model, image, arguments, accelerators."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.catalog.domain.vllm import ParsedArgs, flags, parse_args, version_of_image
from apps.core.domain.documents import API_VERSION
from apps.pools.domain.engines import ENGINE_PORT, RENDERED_ENV, RESERVED_FLAGS
from apps.pools.domain.importing.hub_cache import HubCache, hub_cache
from apps.pools.domain.importing.proposal import Surroundings, name_of
from apps.pools.domain.masking import Masker

_NEWEST = "0.33"
_IMAGE = re.compile(r"^[a-z0-9][A-Za-z0-9._:/-]{0,200}(@sha256:[a-f0-9]{64})?$")
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,100}$")
_HUB = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$")
# fields of parallelism and the like have a place of their own in the spec; these are rendered, so they are not repeated
_PLACED = frozenset({"tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"})


@dataclass(frozen=True)
class Rendered:
    """What a path renders by itself, so that a document need not repeat it: destinations of flags, and variables.

    `port`: where the engine may listen beside the usual port without a word about it.
    """

    flags: frozenset[str] = frozenset()
    env: frozenset[str] = frozenset()
    port: int = ENGINE_PORT


@dataclass(frozen=True)
class Reading:
    """One engine. `args` and `env`: what a pool repeats. `revision`: of the weights. `resources`: cpu and memory."""

    argv: tuple[str, ...]
    parsed: ParsedArgs | str
    served: str
    source: str
    revision: str | None
    image: str | None
    accelerator: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    parallelism: Mapping[str, int] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    # where what it downloads outlives its pods
    cache: HubCache | None = None

    def engine(self) -> dict[str, Any]:
        """As `spec.engine` of a Pool."""
        image = {"image": self.image} if self.image else {}
        return {
            **image,
            **({"args": list(self.args)} if self.args else {}),
            **({"env": dict(self.env)} if self.env else {}),
        }

    def variant(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "accelerator": self.accelerator,
            "parallelism": dict(self.parallelism),
            "resources": dict(self.resources),
        }

    def model(self, name: str) -> dict[str, Any]:
        """As a Model document."""
        spec = {"source": self.source, "servedName": self.served}
        spec |= {"revision": self.revision} if self.revision else {}
        return {"apiVersion": API_VERSION, "kind": "Model", "metadata": {"name": name}, "spec": spec}

    def model_name(self, around: Surroundings) -> tuple[str, bool]:
        """The Model that serves the same, and whether it is declared already."""
        declared = next((name for name, source in around.models.items() if source == self.source), None)
        return declared or name_of(self.served.rpartition("/")[2]), declared is not None


def read_engine(
    container: Mapping[str, Any],
    pod: Mapping[str, Any],
    around: Surroundings,
    notes: list[str],
    *,
    rendered: Rendered | None = None,
    group_size: int = 1,
) -> Reading:
    """Read one engine's container; what cannot be carried over is added to `notes`. `group_size`: pods of a replica."""
    renders = rendered or Rendered()
    image = str(container.get("image") or "")
    known = bool(_IMAGE.fullmatch(image))
    if image and not known:
        notes.append(f"its image {image[:100]} is not one that a pool can name: the default stands in its place")
    version = (version_of_image(image) if known else None) or _NEWEST
    argv = _expanded(command_line(container) or [], container, group_size)
    parsed = parse_args(version, argv)
    if not isinstance(parsed, ParsedArgs) and renders.flags:
        # a path's own flags often hold what a shell computes, and are not needed to read the others
        others = [flag.words for flag in _flags_of(argv, version) if flag.destination not in renders.flags]
        parsed = parse_args(version, [word for words in others for word in words])
    if not isinstance(parsed, ParsedArgs):
        notes.append(f"vLLM {version} would not take its arguments ({parsed}): check engine.args")
    served, source = _model_of(argv, parsed, container, pod, notes)
    accelerator, per_pod = _accelerator(container, pod, around, notes)
    parallelism = {
        word: int(parsed[f"{word}_parallel_size"] or 1) if isinstance(parsed, ParsedArgs) else 1
        for word in ("tensor", "pipeline", "data")
    }
    if per_pod and parallelism["tensor"] * parallelism["pipeline"] * parallelism["data"] != per_pod * group_size:
        notes.append(
            f"its container asks for {per_pod} accelerators, and its parallelism needs another number: "
            "a pool asks for as many as the parallelism needs"
        )
    return Reading(
        argv=tuple(argv),
        parsed=parsed,
        served=served,
        source=source,
        revision=parsed["revision"] if isinstance(parsed, ParsedArgs) else None,
        image=image if known else None,
        accelerator=accelerator,
        args=_shown(_own_args(argv, version, renders, notes), Masker([{"kind": "Pod", "spec": pod}]), notes),
        env=_env(container, renders, notes),
        parallelism=parallelism,
        resources=_resources(container),
        cache=hub_cache(container, pod, argv) if source.startswith("hf://") else None,
    )


def documents_of(
    pool: str, variant: str, reading: Reading, around: Surroundings
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A Pool of one variant and, where none is declared that serves the same, a Model."""
    name, declared = reading.model_name(around)
    document = {
        "apiVersion": API_VERSION,
        "kind": "Pool",
        "metadata": {"name": pool},
        "spec": {
            "model": name,
            "cluster": around.cluster,
            "namespace": around.namespace,
            "engine": reading.engine(),
            "variants": [reading.variant(variant)],
        },
    }
    return document, None if declared else reading.model(name)


def engine_container(containers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The one that runs vLLM."""
    return next((c for c in containers if command_line(c) is not None), None)


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


def _expanded(argv: Sequence[str], container: Mapping[str, Any], group_size: int) -> list[str]:
    """A command line with what a shell would put in from plain variables, and with products of numbers computed:
    `$((LWS_GROUP_SIZE*DP_SIZE_LOCAL))`. What is not known stays as it is written."""
    known = {str(e.get("name")): str(e["value"]) for e in container.get("env") or [] if "value" in e}
    known |= {"LWS_GROUP_SIZE": str(group_size)}

    def product(found: re.Match[str]) -> str:
        factors = [known.get(part.strip().strip("${}"), part.strip()) for part in found[1].split("*")]
        if not all(factor.isdigit() and len(factor) < 6 for factor in factors):
            return found[0]
        result = 1
        for factor in factors:
            result *= int(factor)
        return str(result)

    def variable(found: re.Match[str]) -> str:
        return known.get(found[1] or found[2] or found[3], found[0])

    words = [re.sub(r"\$\(\(([^()]*)\)\)", product, word) for word in argv]
    return [re.sub(r"\$\{(\w+)\}|\$\((\w+)\)|\$(\w+)", variable, word) for word in words]


@dataclass(frozen=True)
class _Given:
    """One flag of a command line: `name` with dashes, and its words. A model that stands first has no name."""

    destination: str
    name: str
    words: list[str]
    many: bool = False


def _flags_of(argv: Sequence[str], version: str) -> Iterator[_Given]:
    """A command line by its flags."""
    spellings = {spelling: flag for flag in flags(version).values() for spelling in flag.spellings}
    words = list(argv)
    if words and not words[0].startswith("-"):
        yield _Given("", "", [words.pop(0)])
    i = 0
    while i < len(words):
        name, equals, _ = words[i].partition("=")
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
        yield _Given(destination, dashed, taken, many)


def _own_args(argv: Sequence[str], version: str, renders: Rendered, notes: list[str]) -> list[str]:
    """Arguments that a pool repeats: without the model, and without what Lamplight renders."""
    kept: list[str] = []
    for flag in _flags_of(argv, version):
        if not flag.name or flag.destination in _PLACED or flag.destination in renders.flags:
            continue
        if flag.destination in RESERVED_FLAGS:
            said = flag.words[0].partition("=")[2] or (flag.words[1] if len(flag.words) > 1 else "")
            if flag.destination == "port" and said in (str(ENGINE_PORT), str(renders.port)):
                continue
            if flag.destination not in ("model", "served_model_name", "revision", "host"):
                notes.append(f"{flag.name} is left out: {RESERVED_FLAGS[flag.destination]}")
            continue
        kept += [f"{flag.words[0]}={flag.words[1]}"] if len(flag.words) == 2 and not flag.many else flag.words
    return kept


def _shown(words: Sequence[str], masker: Masker, notes: list[str]) -> tuple[str, ...]:
    """Arguments without those that hold a secret."""
    kept = []
    for word in words:
        if masker.text(word) != word:
            notes.append(
                f"the value of {word.partition('=')[0]} looks like a secret and is left out: put it into a Secret"
            )
        else:
            kept.append(word)
    return tuple(kept)


def _env(container: Mapping[str, Any], renders: Rendered, notes: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    left_out = []
    masker = Masker([])
    for entry in container.get("env") or []:
        name = str(entry.get("name", ""))
        if name in RENDERED_ENV or name in renders.env or name == "HF_TOKEN":
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
    """A variant has one figure of each. Of cpu it is what is asked for, which is all that a pool declares; of memory
    the limit too, so an engine that lived between what it asked for and its limit must not be killed there."""
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    asked = {"cpu": {**limits, **requests}.get("cpu", ""), "memory": {**requests, **limits}.get("memory", "")}
    found: dict[str, str] = {}
    if re.fullmatch(r"[1-9][0-9]{0,3}|[1-9][0-9]{0,5}m", str(asked["cpu"])):
        found["cpu"] = str(asked["cpu"])
    if re.fullmatch(r"[0-9]+(Ki|Mi|Gi|Ti|k|M|G|T)", str(asked["memory"])):
        found["memory"] = str(asked["memory"])
    return found
