"""Well-lit path `predicted-latency`: a model trained online predicts TTFT and TPOT of a request on each replica, and
the request goes where it meets its latency best (section B.6 of the reference). One server trains, others predict, all
in the picker's pod."""

from __future__ import annotations

from typing import Any

from apps.pools.domain.context import Context
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.path_settings import Prediction
from apps.pools.domain.paths.path import BOTH_ROLES, LONGEST_MATCH, NEEDS_PICKER, ONE_POD, Path
from apps.pools.domain.picker import PickerParts
from apps.pools.domain.scheduling import Plugin, Scheduling, Step

TRAINING_PORT = 8020
FIRST_PREDICTION_PORT = 8021
# above this a cached prefix is left for a shorter wait (ms): the guide's value
_TTFT_PENALTY_MS = 5000
_TRAINING = {
    "LATENCY_RETRAINING_INTERVAL_SEC": "1",
    "LATENCY_MIN_SAMPLES_FOR_RETRAIN": "100",
    "LATENCY_MODEL_TYPE": "xgboost",
    "LATENCY_QUANTILE_ALPHA": "0.9",
    "LATENCY_MAX_TRAINING_DATA_SIZE_PER_BUCKET": "5000",
    "LATENCY_TTFT_MODEL_PATH": "/models/ttft.joblib",
    "LATENCY_TPOT_MODEL_PATH": "/models/tpot.joblib",
    "LATENCY_TTFT_SCALER_PATH": "/models/ttft_scaler.joblib",
    "LATENCY_TPOT_SCALER_PATH": "/models/tpot_scaler.joblib",
}
_PREDICTION = {
    "LATENCY_MODEL_TYPE": "xgboost",
    "LOCAL_TTFT_MODEL_PATH": "/server_models/ttft.joblib",
    "LOCAL_TPOT_MODEL_PATH": "/server_models/tpot.joblib",
    "LOCAL_TTFT_SCALER_PATH": "/server_models/ttft_scaler.joblib",
    "LOCAL_TPOT_SCALER_PATH": "/server_models/tpot_scaler.joblib",
    "MODEL_SYNC_INTERVAL_SEC": "10",
}


def settings(context: Context) -> Prediction:
    return context.spec.routing.prediction or Prediction()


def _scheduling(context: Context) -> Scheduling:
    return _old(context) if context.dialect.picker_hash_seed else _current(context)


def _old(context: Context) -> Scheduling:
    chosen = settings(context)
    rest = round(1 - chosen.ttft_weight, 6)
    scorer = Plugin(
        "predicted-latency-scorer",
        {
            "sloBufferFactor": chosen.slo_buffer,
            "headroomTTFTWeight": chosen.ttft_weight,
            "headroomTPOTWeight": rest,
            "negHeadroomTTFTWeight": chosen.ttft_weight,
            "negHeadroomTPOTWeight": rest,
            "headroomSelectionStrategy": "least",
            "affinityGateTau": chosen.affinity,
            "streamingMode": chosen.streaming,
        },
    )
    plugins = (
        Plugin("queue-scorer"),
        Plugin("kv-cache-utilization-scorer"),
        Plugin("prefix-cache-scorer"),
        scorer,
        Plugin("max-score-picker"),
    )
    # the scorer reads what the others found; their weight of 0 keeps them out of the sum
    steps: tuple[Step, ...] = (
        ("queue-scorer", 0),
        ("kv-cache-utilization-scorer", 0),
        ("prefix-cache-scorer", 0),
        ("predicted-latency-scorer", 1),
        ("max-score-picker", None),
    )
    return Scheduling(plugins, {"default": steps}, gates=("prepareDataPlugins",))


def _current(context: Context) -> Scheduling:
    chosen = settings(context)
    plugins = [
        Plugin("approx-prefix-cache-producer", {"maxPrefixTokensToMatch": LONGEST_MATCH}),
        Plugin("inflight-load-producer"),
        Plugin("predicted-latency-producer", _said(sloBufferFactor=chosen.slo_buffer, streamingMode=chosen.streaming)),
        Plugin(
            "prefix-cache-affinity-filter",
            {
                "affinityThreshold": chosen.affinity,
                "ttftSource": "latencyPredictor",
                "maxTTFTPenaltyMs": _TTFT_PENALTY_MS,
            },
        ),
        Plugin("slo-headroom-tier-filter"),
        Plugin(
            "latency-scorer",
            {
                "ttftWeight": chosen.ttft_weight,
                "tpotWeight": round(1 - chosen.ttft_weight, 6),
                "headroomSelectionStrategy": "least",
            },
        ),
        *([Plugin("latency-slo-admitter")] if chosen.admission else []),
        Plugin("weighted-random-picker"),
    ]
    steps: tuple[Step, ...] = (
        ("prefix-cache-affinity-filter", None),
        ("slo-headroom-tier-filter", None),
        ("latency-scorer", 1),
        ("weighted-random-picker", None),
    )
    return Scheduling(tuple(plugins), {"default": steps})


def _said(**parameters: Any) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _picker(context: Context) -> PickerParts:
    dialect, servers = context.dialect, settings(context).servers
    ports = [FIRST_PREDICTION_PORT + i for i in range(servers)]
    training = f"http://127.0.0.1:{TRAINING_PORT}"
    env = (
        {"name": "PREDICTION_SERVER_URL", "value": ",".join(f"http://127.0.0.1:{port}" for port in ports)},
        {"name": "TRAINING_SERVER_URL", "value": training},
    )
    app = dialect.prediction_app
    trainer = _server(
        "training-server",
        dialect.training_image,
        app.replace("prediction_server", "training_server"),
        TRAINING_PORT,
        {**_TRAINING, "SERVER_TYPE": "training"},
        ("/models", "training-models"),
        requests={"cpu": "2", "memory": "4Gi"},
        memory="8Gi",
    )
    predictors = [
        _server(
            f"prediction-server-{i + 1}",
            dialect.prediction_image,
            app,
            port,
            {
                **_PREDICTION,
                "PREDICT_PORT": str(port),
                "SERVER_TYPE": f"prediction-{i + 1}",
                "TRAINING_SERVER_URL": training,
            },
            ("/server_models", f"prediction-models-{i + 1}"),
            requests={"cpu": "1", "memory": "1Gi"},
            memory="2Gi",
        )
        for i, port in enumerate(ports)
    ]
    volumes = ["training-models", *(f"prediction-models-{i + 1}" for i in range(servers))]
    return PickerParts(
        env=env,
        containers=(trainer, *predictors),
        volumes=tuple({"name": name, "emptyDir": {"sizeLimit": "10Gi"}} for name in volumes),
    )


def _server(
    name: str,
    image: str,
    app: str,
    port: int,
    env: dict[str, str],
    volume: tuple[str, str],
    *,
    requests: dict[str, str],
    memory: str,
) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "command": ["uvicorn"],
        "args": [app, "--host", "0.0.0.0", "--port", str(port)],  # noqa: S104  (its pod's address)
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "ports": [{"containerPort": port, "protocol": "TCP"}],
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": port},
            "initialDelaySeconds": 15,
            "periodSeconds": 20,
        },
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": port}, "periodSeconds": 5, "failureThreshold": 10},
        "resources": {"requests": requests, "limits": {"memory": memory}},
        "volumeMounts": [{"name": volume[1], "mountPath": volume[0]}],
    }


# --- what must hold ------------------------------------------------------------------------------------------------
def _homogeneous(q: Question) -> str | None:
    kinds = {(v.accelerator, v.parallelism.tensor, v.parallelism.pipeline) for v in q.spec.variants}
    if len(kinds) > 1:
        return (
            "the latency model learns one kind of replica, and the variants of this pool differ in accelerator or "
            "parallelism: keep one kind, or make a pool of each behind one Endpoint"
        )
    return None


def _streaming(q: Question) -> str | None:
    chosen = q.spec.routing.prediction
    if q.dialect is not None and q.dialect.picker_hash_seed and chosen is not None and not chosen.streaming:
        return (
            f"llm-d {q.dialect.name} learns from streamed answers only: set routing.prediction.streaming to true, or "
            "use a cluster with dialect current"
        )
    return None


def _admission(q: Question) -> str | None:
    chosen = q.spec.routing.prediction
    if q.dialect is not None and q.dialect.picker_hash_seed and chosen is not None and chosen.admission:
        return (
            f"llm-d {q.dialect.name} cannot refuse by predicted latency: set routing.prediction.admission to false, or "
            "use a cluster with dialect current"
        )
    return None


_AT = "/spec/routing/prediction"
PATH = Path(
    name="predicted-latency",
    title="Predicted-latency balancing",
    about="A model trained on the pool's own requests predicts TTFT and TPOT on each replica; headroom decides.",
    scheduling=_scheduling,
    invariants=(
        NEEDS_PICKER,
        BOTH_ROLES,
        ONE_POD,
        Invariant("ReplicasDiffer", "All replicas are of one kind.", _homogeneous),
        Invariant("StreamingNotInRelease", "The release learns from the answers that the pool gives.", _streaming, _AT),
        Invariant("AdmissionNotInRelease", "The release can refuse by predicted latency.", _admission, _AT),
    ),
    picker=_picker,
)
