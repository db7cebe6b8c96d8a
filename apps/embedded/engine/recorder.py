"""From what the engine did to its metrics. Durations are machine seconds: what a client of this process can see."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from apps.embedded.engine.metrics import EngineMetrics
from apps.embedded.engine.tier_recorder import TierRecorder
from apps.physics import Counters, Engine, Finished, Source
from apps.physics.tiers import Activity

_HITS = {Source.DEVICE: "device", Source.HOST: "host", Source.DISK: "disk", Source.P2P: "p2p"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the client asked for, and when the server got it and sent the last of it (model seconds)."""

    arrival: float
    sent: float
    max_tokens: int
    n: int


class Recorder:
    """Writes into EngineMetrics; `scale` turns model seconds into machine seconds. token_bytes: KV of a token."""

    def __init__(
        self, metrics: EngineMetrics, scale: float, tiers: TierRecorder | None = None, token_bytes: float = 0.0
    ) -> None:
        one = metrics.one
        self._tiers = tiers
        self._token_bytes = token_bytes
        self._seconds = 1 / scale
        self._seen = Counters()
        self._one = one
        self._iteration = one("vllm:iteration_tokens_total")
        self._ttft = one("vllm:time_to_first_token_seconds")
        self._itl = one("vllm:inter_token_latency_seconds")
        self._tpot = one("vllm:request_time_per_output_token_seconds")
        self._e2e = one("vllm:e2e_request_latency_seconds")
        self._queue = one("vllm:request_queue_time_seconds")
        self._inference = one("vllm:request_inference_time_seconds")
        self._prefill = one("vllm:request_prefill_time_seconds")
        self._decode = one("vllm:request_decode_time_seconds")
        self.sleep_state("awake")

    def sleep_state(self, state: str | None) -> None:
        """`state` is awake, weights_offloaded or discard_all; None for an engine that is only paused."""
        for name in ("awake", "weights_offloaded", "discard_all"):
            self._one("vllm:engine_sleep_state", sleep_state=name).set(name == state)

    @contextlib.contextmanager
    def sleep_operation(self, operation: str) -> Iterator[None]:
        """Falling asleep (`sleep`) or waking (`wake`) goes on inside; durations are the machine's."""
        under_way = self._one("vllm:sleep_mode_operations_in_flight", operation=operation)
        under_way.inc()
        begun = time.monotonic()
        try:
            yield
        finally:
            under_way.dec()
            self._one("vllm:sleep_mode_operation_duration_seconds", operation=operation).observe(
                time.monotonic() - begun
            )

    def step(self, tokens: int) -> None:
        self._iteration.observe(tokens)

    def first_token(self, after: float) -> None:
        self._ttft.observe(after * self._seconds)

    def next_token(self, after: float) -> None:
        self._itl.observe(after * self._seconds)

    def offloaded(self, activity: Activity) -> None:
        """What the tiers did since they were last asked."""
        if self._tiers is not None:
            self._tiers.did(activity)

    def pulled(self, tokens: int, seconds: float) -> None:
        """KV of so many prompt tokens came from another engine (NIXL)."""
        self._one("vllm:nixl_xfer_time_seconds").observe(seconds * self._seconds)
        self._one("vllm:nixl_bytes_transferred").observe(tokens * self._token_bytes)

    def adapters(
        self, most: int, ids: tuple[set[int], set[int]], names: Callable[[set[int]], str], now: float | None = None
    ) -> None:
        """Adapters that run and wait; the value is the time, and what was true before stays on the page, as in vLLM."""
        running, waiting = (names(each) for each in ids)
        self._one(
            "vllm:lora_requests_info",
            max_lora=str(most),
            running_lora_adapters=running,
            waiting_lora_adapters=waiting,
        ).set(time.time() if now is None else now)

    def rejected(self, reason: str) -> None:
        self._one("vllm:admission_rejections_total", reason=reason).inc()

    def finished(self, end: Finished, asked: Asked, reason: str) -> None:
        """A request ended with vLLM's `reason`: stop, length, abort."""
        one, seconds = self._one, self._seconds
        one("vllm:request_success_total", finished_reason=reason).inc()
        one("vllm:request_prompt_tokens").observe(end.prompt_tokens)
        one("vllm:request_generation_tokens").observe(end.output_tokens)
        one("vllm:request_max_num_generation_tokens").observe(end.output_tokens)
        one("vllm:request_params_n").observe(asked.n)
        one("vllm:request_params_max_tokens").observe(asked.max_tokens)
        one("vllm:request_num_preemptions").observe(end.preemptions)
        one("vllm:request_prefill_kv_computed_tokens").observe(max(end.prompt_tokens - end.cached_tokens, 0))
        self._e2e.observe((asked.sent - asked.arrival) * seconds)
        scheduled = end.finished if end.scheduled is None else end.scheduled
        first = end.finished if end.first_token is None else end.first_token
        self._queue.observe(max(scheduled - end.arrival, 0) * seconds)
        self._prefill.observe(max(first - scheduled, 0) * seconds)
        self._decode.observe(max(end.finished - first, 0) * seconds)
        self._inference.observe(max(end.finished - scheduled, 0) * seconds)
        if end.output_tokens > 1:
            self._tpot.observe((end.finished - first) / (end.output_tokens - 1) * seconds)

    def refresh(self, engine: Engine) -> None:
        """Bring gauges and counters up to date; called when the page is read."""
        one, gauges, now, before = self._one, engine.gauges(), engine.counters, self._seen
        one("vllm:num_requests_running").set(gauges.running)
        one("vllm:num_requests_waiting").set(gauges.waiting)
        one("vllm:num_requests_waiting_by_reason", reason="capacity").set(gauges.waiting_capacity)
        one("vllm:num_requests_waiting_by_reason", reason="deferred").set(gauges.waiting_deferred)
        one("vllm:kv_cache_usage_perc").set(gauges.kv_usage)
        for name, value, old in (
            ("prefix_cache_queries", now.prefix_cache_queries, before.prefix_cache_queries),
            ("prefix_cache_hits", now.prefix_cache_hits, before.prefix_cache_hits),
            ("external_prefix_cache_queries", now.external_queries, before.external_queries),
            ("external_prefix_cache_hits", now.external_hits, before.external_hits),
            ("prompt_tokens", now.prompt_tokens, before.prompt_tokens),
            ("generation_tokens", now.generation_tokens, before.generation_tokens),
            ("num_preemptions", now.preemptions, before.preemptions),
        ):
            one(f"vllm:{name}_total").inc(value - old)
        if engine.config.draft_tokens:
            self._drafted(now, before, engine.config.draft_tokens)
        if self._tiers is not None and engine.tiers is not None:
            self._tiers.refresh(engine.tiers, gauges)
        gained = {
            source: now.prompt_tokens_by_source[source] - before.prompt_tokens_by_source[source] for source in Source
        }
        hits = sum(gained[source] for source in _HITS)
        for source, label in _HITS.items():
            one("vllm:prompt_tokens_cached_by_source_total", source=label).inc(gained[source])
        one("vllm:prompt_tokens_cached_total").inc(hits)
        for label, tokens in (
            ("local_compute", gained[Source.COMPUTED]),
            ("local_cache_hit", gained[Source.DEVICE]),
            ("external_kv_transfer", hits - gained[Source.DEVICE]),
        ):
            one("vllm:prompt_tokens_by_source_total", source=label).inc(tokens)
        self._seen = Counters(
            prompt_tokens=now.prompt_tokens,
            generation_tokens=now.generation_tokens,
            prompt_tokens_by_source=dict(now.prompt_tokens_by_source),
            prefix_cache_queries=now.prefix_cache_queries,
            prefix_cache_hits=now.prefix_cache_hits,
            external_queries=now.external_queries,
            external_hits=now.external_hits,
            preemptions=now.preemptions,
            drafts=now.drafts,
            accepted_by_position=list(now.accepted_by_position),
        )

    def _drafted(self, now: Counters, before: Counters, tokens: int) -> None:
        """What speculation proposed and had right since the page was read last."""
        drafts = now.drafts - before.drafts
        if not drafts:
            return
        old = before.accepted_by_position or [0] * tokens
        self._one("vllm:spec_decode_num_drafts_total").inc(drafts)
        self._one("vllm:spec_decode_num_draft_tokens_total").inc(drafts * tokens)
        gained = [new - was for new, was in zip(now.accepted_by_position, old, strict=True)]
        self._one("vllm:spec_decode_num_accepted_tokens_total").inc(sum(gained))
        for position, count in enumerate(gained):
            self._one("vllm:spec_decode_num_accepted_tokens_per_pos_total", position=str(position)).inc(count)
