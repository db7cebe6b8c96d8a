"""Where the weights come from: what that means for an engine's command line and pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.pools.domain.manifests import ModelFacts, PlanRefused

MODELS_PATH = "/models"


@dataclass(frozen=True)
class ServedFrom:
    """`argument`: the model as `vllm serve` takes it; then what else its source needs."""

    argument: str
    args: tuple[str, ...] = ()
    env: tuple[dict[str, Any], ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()


def served_from(model: ModelFacts) -> ServedFrom:
    """How an engine reaches the weights of a model."""
    scheme, _, rest = model.source.partition("://")
    mount = ({"name": "weights", "mountPath": MODELS_PATH, "readOnly": True},)
    match scheme:
        case "hf":
            token = {"name": "llm-d-hf-token", "key": "HF_TOKEN", "optional": True}
            return ServedFrom(
                argument=rest,
                args=(f"--revision={model.revision}",) if model.revision and model.revision != "main" else (),
                env=({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": token}},),
            )
        case "pvc":
            claim, _, path = rest.partition("/")
            return ServedFrom(
                argument=f"{MODELS_PATH}/{path}".rstrip("/"),
                volumes=({"name": "weights", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}},),
                mounts=mount,
            )
        case "oci":
            return ServedFrom(
                argument=MODELS_PATH,
                volumes=({"name": "weights", "image": {"reference": rest, "pullPolicy": "IfNotPresent"}},),
                mounts=mount,
            )
        case "s3":
            return ServedFrom(argument=model.source, args=("--load-format=runai_streamer",))
    raise PlanRefused("UnknownModelSource", f"model {model.name}: {model.source} is not hf://, pvc://, oci:// or s3://")
