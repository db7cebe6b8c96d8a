"""The endpoint picker's command line, as far as it is rendered. Go spellings: one dash or two, `--x=v` or `--x v`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

_IGNORED = (
    "--zap-encoder", "--zap-log-level", "--v", "--tracing", "--metrics-endpoint-auth", "--secure-serving",
    "--ha-enable-leader-election", "--grpc-port", "--pool-group", "--model-server-metrics-port", "--cert-path",
    "--enable-pprof", "--lora-info-metric", "--allow-experimental-plugins", "--kv-cache-info-metric",
)  # fmt: skip


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The picker's options; exits with status 2 and a sentence on one that it does not have."""
    parser = argparse.ArgumentParser(prog="epp", allow_abbrev=False)
    _flag(parser, "--pool-name", required=True, help="InferencePool to route for")
    _flag(parser, "--pool-namespace", default="default", help="its namespace")
    _flag(parser, "--config-file", default=None, help="EndpointPickerConfig, YAML")
    _flag(parser, "--config-text", default=None, help="the same as text")
    _flag(parser, "--metrics-port", type=int, default=9090)
    _flag(parser, "--grpc-health-port", type=int, default=9003, help="health is served here over HTTP")
    _flag(parser, "--http-port", type=int, default=8081, help="the data plane of standalone mode")
    _flag(parser, "--kv-cache-usage-percentage-metric", default="vllm:kv_cache_usage_perc")
    _flag(parser, "--total-queued-requests-metric", default="vllm:num_requests_waiting")
    _flag(parser, "--total-running-requests-metric", default="vllm:num_requests_running")
    _flag(parser, "--refresh-metrics-interval", type=_duration, default=0.2, help="Go duration")
    _flag(parser, "--refresh-idle-interval", type=_duration, default=5.0, help="the same while there is no traffic")
    for name in _IGNORED:
        _flag(parser, name, nargs="?", default=None, const="true", help=argparse.SUPPRESS)
    return parser.parse_args(list(argv))


def _flag(parser: argparse.ArgumentParser, name: str, **options: object) -> None:
    names = [name] if not name.startswith("--") else [name, name[1:]]
    parser.add_argument(*dict.fromkeys(names), dest=name.lstrip("-").replace("-", "_"), **options)  # type: ignore[arg-type]


def _duration(text: str) -> float:
    for suffix, seconds in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a duration; write it like 200ms or 5s")
