"""Signal integrity: whether every loop that reads a pool is fed, told by what its own query finds on the pages.

The fault that this is about is silent: a renamed model, a metric that a version dropped, a page that repeats itself.
Charts are then empty or flat, an autoscaler holds, and everything is green.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "COUNTERS", "FROZEN_AFTER", "LOOPS", "RUNNING", "Facts", "Finding", "Page", "Report", "SeriesFacts", "examine",
    "needs_of_slo",
]  # fmt: skip

# seconds that a busy process may go without counting anything
FROZEN_AFTER = 120.0

RUNNING = "vllm:num_requests_running"
WAITING = "vllm:num_requests_waiting"
KV = "vllm:kv_cache_usage_perc"
REQUESTS = "vllm:request_success_total"
PROMPT = "vllm:prompt_tokens_total"
GENERATED = "vllm:generation_tokens_total"
LATENCY: Mapping[str, str] = {
    "ttft": "vllm:time_to_first_token_seconds",
    "itl": "vllm:inter_token_latency_seconds",
    "tpot": "vllm:request_time_per_output_token_seconds",
    "e2e": "vllm:e2e_request_latency_seconds",
}
GATEWAY: Mapping[str, str] = {
    "ttft": "llm_d_epp_request_ttft_seconds",
    "itl": "llm_d_epp_request_streaming_itl_seconds",
    "tpot": "llm_d_epp_request_streaming_tpot_seconds",
    "e2e": "llm_d_epp_request_duration_seconds",
    "errors": "llm_d_epp_request_duration_seconds",
}

# loop -> metrics of the engines that it reads: those of apps.telemetry.domain.engine that its decisions rest on
LOOPS: Mapping[str, tuple[str, ...]] = {
    "dashboard": (REQUESTS, PROMPT, GENERATED, RUNNING, WAITING, KV, *LATENCY.values()),
    "autoscaler": (RUNNING, WAITING, KV, REQUESTS, PROMPT, GENERATED, LATENCY["ttft"], LATENCY["itl"]),
    "offload": (KV, PROMPT, "vllm:prompt_tokens_cached_total", "vllm:prefix_cache_queries_total"),
}

# of engines: what moves while one works
COUNTERS = (REQUESTS, PROMPT, GENERATED, *LATENCY.values())

State = Literal["fed", "starved", "unknown"]


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """A metric on one page: the model names of its series; `total`: the sum of its finite values, None without any."""

    models: frozenset[str] = frozenset()
    total: float | None = None
    finite: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """One process and what its page says. `silent`: a sentence when it could not be read.

    `moved_at`: when a counter of it last moved (Unix seconds; None while unknown). `busy`: it has requests, by its own
    account or by the picker's.
    """

    name: str
    series: Mapping[str, SeriesFacts] = field(default_factory=dict)
    silent: str = ""
    moved_at: float | None = None
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one pool. `served`: names that its engines may report (model and adapters); `wanted`: loop ->
    metrics of engines; `wanted_of_picker`: the same of the endpoint picker; `desired`: replicas that should run;
    `unlisted`: a sentence when the cluster could not be asked for pods."""

    served: frozenset[str]
    engines: Sequence[Page]
    pickers: Sequence[Page]
    wanted: Mapping[str, tuple[str, ...]]
    wanted_of_picker: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    picker_expected: bool = True
    desired: int | None = None
    unlisted: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong: `reason` for programs, `message` says what and how to mend it; `loops` that it starves."""

    reason: str
    message: str
    loops: tuple[str, ...]
    targets: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "reason": self.reason,
            "message": self.message,
            "loops": list(self.loops),
            "targets": list(self.targets)[:20],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Each loop with its state, and all findings, the gravest first."""

    loops: Mapping[str, State]
    findings: tuple[Finding, ...]

    @property
    def state(self) -> State:
        states = set(self.loops.values())
        return "starved" if "starved" in states else "unknown" if "unknown" in states else "fed"


def needs_of_slo(source: str, metrics: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(metrics of engines, metrics of the picker) that objectives on these metrics are counted from."""
    if source == "gateway":
        return (), tuple(dict.fromkeys(GATEWAY[metric] for metric in metrics))
    of_engines = (REQUESTS if metric == "errors" else LATENCY[metric] for metric in metrics)
    return tuple(dict.fromkeys(of_engines)), ()


def examine(facts: Facts, now: float) -> Report:
    """Judge one pool at `now` (Unix seconds)."""
    loops = tuple(dict.fromkeys((*facts.wanted, *facts.wanted_of_picker)))
    reads_engines = tuple(loop for loop in loops if facts.wanted.get(loop))
    reads_picker = tuple(loop for loop in loops if facts.wanted_of_picker.get(loop))
    if facts.unlisted:
        finding = Finding("ClusterSilent", f"{facts.unlisted} Nothing can be said of the pool's signals.", loops)
        return Report(dict.fromkeys(loops, "unknown"), (finding,))
    findings: list[Finding] = []
    unknown: set[str] = set()
    if facts.engines:
        findings += _silent(facts.engines, reads_engines, "engine")
        answering = [page for page in facts.engines if not page.silent]
        findings += _mismatched(answering, facts.served, reads_engines)
        findings += _missing(answering, facts.wanted, "engine")
        findings += _not_finite(answering, facts.wanted)
        findings += _frozen(answering, now, reads_engines)
        if len(answering) == 0:
            unknown |= set(reads_engines)
    elif facts.desired == 0:
        findings.append(Finding("NothingRuns", "No replica is meant to run: there is nothing to read.", reads_engines))
        unknown |= set(reads_engines)
    elif reads_engines:
        message = "No replica is ready, so no engine can be read: see the pool's condition Healthy for why."
        findings.append(Finding("NoTargets", message, reads_engines))
        unknown |= set(reads_engines)
    if reads_picker:
        findings += _of_pickers(facts, reads_picker)
    idle = {"NothingRuns", "NoTargets"}
    starved = {loop for finding in findings if finding.reason not in idle for loop in finding.loops}
    states: dict[str, State] = {
        loop: "starved" if loop in starved else "unknown" if loop in unknown else "fed" for loop in loops
    }
    return Report(states, tuple(findings))


def _silent(pages: Sequence[Page], loops: tuple[str, ...], what: str) -> list[Finding]:
    silent = [page for page in pages if page.silent]
    if not silent:
        return []
    share = f"{len(silent)} of {len(pages)} {what}s cannot be read" if len(pages) > 1 else f"The {what} cannot be read"
    message = (
        f"{share}: {silent[0].silent} What it does is unknown; see `kubectl logs {silent[0].name}`, or delete the pod."
    )
    return [Finding("TargetSilent", message, loops, _names(silent))]


def _mismatched(pages: Sequence[Page], served: frozenset[str], loops: tuple[str, ...]) -> list[Finding]:
    found: dict[str, list[Page]] = {}
    for page in pages:
        models = frozenset(model for series in page.series.values() for model in series.models)
        if models and served and not models & served:
            found.setdefault(", ".join(sorted(models)), []).append(page)
    expected = " or ".join(sorted(served)[:3])
    return [
        Finding(
            "ModelMismatch",
            f"{_several(wrong, 'engine')} model_name {models}, but the pool serves {expected}: a query for the pool's "
            f"model finds none of them. Set servedName of the Model to {models.split(', ')[0]}, or remove "
            "--served-model-name from the pool's engine.args.",
            loops,
            _names(wrong),
        )
        for models, wrong in found.items()
    ]


def _several(pages: Sequence[Page], what: str) -> str:
    return f"{pages[0].name} reports" if len(pages) == 1 else f"{len(pages)} {what}s report"


def _missing(pages: Sequence[Page], wanted: Mapping[str, tuple[str, ...]], what: str) -> list[Finding]:
    # a page without any metric of the kind has them switched off; one metric less is a matter of the version
    findings = []
    everything = {metric for metrics in wanted.values() for metric in metrics}
    bare = [page for page in pages if not everything & page.series.keys()]
    if bare and everything:
        message = (
            f"{_several(bare, what)} none of the metrics that Lamplight reads: remove --disable-log-stats from the "
            "pool's engine.args, and check that the image is vLLM."
            if what == "engine"
            else f"{bare[0].name} has none of the metrics that Lamplight reads: check that the image is llm-d's picker."
        )
        findings.append(Finding("NoMetrics", message, tuple(wanted), _names(bare)))
    rest = [page for page in pages if page not in bare]
    absent: dict[str, list[Page]] = {}
    for page in rest:
        for metric in sorted(everything - page.series.keys()):
            absent.setdefault(metric, []).append(page)
    for metric, without in absent.items():
        loops = tuple(loop for loop, metrics in wanted.items() if metric in metrics)
        who = without[0].name if len(without) == 1 else f"{len(without)} {what}s"
        message = (
            f"{metric} is not on the page of {who}: its version does not export it. Set the pool's engine.image "
            "to a version that does (docs/concepts/integrity.md lists them), or wait until a rollout is over."
        )
        findings.append(Finding("MetricMissing", message, loops, _names(without)))
    return findings


def _not_finite(pages: Sequence[Page], wanted: Mapping[str, tuple[str, ...]]) -> list[Finding]:
    broken: dict[str, list[Page]] = {}
    for page in pages:
        for metric, series in page.series.items():
            if not series.finite:
                broken.setdefault(metric, []).append(page)
    findings = []
    for metric, pages_with in sorted(broken.items()):
        loops = tuple(loop for loop, metrics in wanted.items() if metric in metrics)
        if loops:
            message = (
                f"{metric} of {pages_with[0].name} is not a number: it is left out, and what it would say is unknown. "
                f"Restart the pod: kubectl delete pod {pages_with[0].name}."
            )
            findings.append(Finding("NotFinite", message, loops, _names(pages_with)))
    return findings


def _frozen(pages: Sequence[Page], now: float, loops: tuple[str, ...]) -> list[Finding]:
    frozen = [page for page in pages if page.busy and page.moved_at is not None and now - page.moved_at > FROZEN_AFTER]
    if not frozen:
        return []
    longest = max(now - page.moved_at for page in frozen if page.moved_at is not None)
    message = (
        f"{frozen[0].name}{f' and {len(frozen) - 1} more' if len(frozen) > 1 else ''} has requests, but none of its "
        f"counters has moved for {int(longest // 60)} min: the engine hangs, or its page is not its own. "
        f"Restart it: kubectl delete pod {frozen[0].name}."
    )
    return [Finding("Frozen", message, loops, _names(frozen))]


def _of_pickers(facts: Facts, loops: tuple[str, ...]) -> list[Finding]:
    if not facts.pickers:
        if not facts.picker_expected:
            message = (
                "The pool has no endpoint picker: set routing.picker to true, or measuredAt of its SLOs to engine."
            )
            return [Finding("NoPicker", message, loops)]
        message = (
            "No endpoint picker is ready: see the pool's condition Healthy, or set measuredAt of its SLOs to engine."
        )
        return [Finding("PickerNotReady", message, loops)]
    answering = [page for page in facts.pickers if not page.silent]
    found = _silent(facts.pickers, loops, "picker")
    # a histogram appears with its first observation: only a page with nothing at all is a fault
    bare = [page for page in answering if not page.series]
    if bare:
        found += _missing(bare, facts.wanted_of_picker, "picker")
    return found


def _names(pages: Iterable[Page]) -> tuple[str, ...]:
    return tuple(sorted(page.name for page in pages))
