"""Where the weights come from: what that means for an engine's command line and pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.pools.domain.manifests import ModelFacts, PlanRefused

MODELS_PATH = "/models"
HUB_TOKEN = "HF_TOKEN"  # noqa: S105 - the name of a variable
DEFAULT_SECRET = "llm-d-hf-token"  # noqa: S105 - the name of llm-d's Secret, which need not exist


def hub_token(model: ModelFacts) -> dict[str, Any]:
    """The variable with the token for Hugging Face, by reference. A Secret that the Model declares must be there; the
    one that llm-d's guides name may."""
    if model.token is not None:
        name, key = model.token
        return {"name": HUB_TOKEN, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
    token = {"name": DEFAULT_SECRET, "key": HUB_TOKEN, "optional": True}
    return {"name": HUB_TOKEN, "valueFrom": {"secretKeyRef": token}}


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
            return ServedFrom(
                argument=rest,
                args=(f"--revision={model.revision}",) if model.revision and model.revision != "main" else (),
                env=(hub_token(model),),
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
