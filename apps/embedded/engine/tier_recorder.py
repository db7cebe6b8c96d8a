"""The metrics of KV tiers (`vllm:kv_offload_*`), as vLLM's OffloadingConnector shows them."""

from __future__ import annotations

from collections.abc import Callable

from apps.catalog.domain.vllm import metrics as metric_table
from apps.embedded.engine.domain.offload import OffloadSettings
from apps.embedded.engine.metrics import EngineMetrics
from apps.physics import Gauges
from apps.physics.tiers import Activity, Tiers, Transfer

HOST_TIER, STORAGE_TIER = "0:primary", "1:fs"
# what a lookup in host memory takes a real engine
LOOKUP_SECONDS = 1e-6
# and what asking a shared folder takes; neither is part of any simulated time
ANSWER_SECONDS = 1e-3
_OLD_NAMES = {"load": "CPU_to_GPU", "store": "GPU_to_CPU"}


class TierRecorder:
    """Writes into EngineMetrics; `scale` turns model seconds into machine seconds, `now` tells model time."""

    def __init__(
        self, metrics: EngineMetrics, settings: OffloadSettings, *, version: str, scale: float, now: Callable[[], float]
    ) -> None:
        self._one, self._settings = metrics.one, settings
        self._seconds, self._now = 1 / scale, now
        self._chunks = settings.physics.host_chunks
        names = metric_table(version)
        self._promotions = "vllm:kv_offload_tiering_promotion_latency_seconds" in names
        if "vllm:kv_offload_config_info" in names:
            self._configuration()

    def did(self, activity: Activity) -> None:
        for transfer in activity.transfers:
            self._moved(transfer)
        for chunks in activity.allocations:
            self._one("vllm:kv_offload_cpu_allocation_size").observe(chunks)
        for _ in range(activity.lookups):
            self._one("vllm:kv_offload_lookup_sync_delay_seconds").observe(LOOKUP_SECONDS)
        for seconds in activity.deferred_seconds:
            self._one("vllm:kv_offload_lookup_async_delay_seconds").observe(seconds * self._seconds)
        if activity.refused_stores:
            self._one("vllm:kv_offload_allocation_failure_total").inc(activity.refused_stores)
        if self._settings.tiering:
            self._looked_up(activity)
            self._failed(activity)

    def refresh(self, tiers: Tiers, gauges: Gauges) -> None:
        """Bring the gauges up to date; called when the page is read."""
        one = self._one
        writing, reading = (count / self._chunks for count in tiers.held(self._now()))
        one("vllm:kv_offload_cpu_cache_usage_perc").set(writing + reading)
        one("vllm:kv_offload_cpu_cache_write_usage_perc").set(writing)
        one("vllm:kv_offload_cpu_cache_read_usage_perc").set(reading)
        one("vllm:num_requests_kv_fetch_by_stage", stage="in_progress").set(gauges.loading)
        if self._settings.root is not None:
            for name, value in (
                ("primary_write_usage_perc", tiers.moved_chunks("read") / self._chunks),
                ("primary_read_usage_perc", tiers.moved_chunks("write") / self._chunks),
                ("active_promotion_jobs", tiers.active("read")),
                ("active_cascade_jobs", tiers.active("write")),
            ):
                one(f"vllm:kv_offload_tiering_{name}", tier=STORAGE_TIER).set(value)

    def _moved(self, transfer: Transfer) -> None:
        direction, size, seconds = transfer.direction, transfer.bytes, transfer.seconds * self._seconds
        if direction in ("read", "write"):
            self._one(f"vllm:kv_offload_tiering_{direction}_bytes_total", tier=STORAGE_TIER).inc(size)
            self._one(f"vllm:kv_offload_tiering_{direction}_time_total", tier=STORAGE_TIER).inc(seconds)
            if direction == "read" and self._promotions:
                self._one(
                    "vllm:kv_offload_tiering_promotion_latency_seconds", tier=STORAGE_TIER, result="success"
                ).observe(seconds)
            return
        self._one(f"vllm:kv_offload_{direction}_bytes_total").inc(size)
        self._one(f"vllm:kv_offload_{direction}_time_total").inc(seconds)
        self._one(f"vllm:kv_offload_{direction}_size").observe(size)
        old = _OLD_NAMES[direction]
        self._one("vllm:kv_offload_total_bytes_total", transfer_type=old).inc(size)
        self._one("vllm:kv_offload_total_time_total", transfer_type=old).inc(seconds)
        self._one("vllm:kv_offload_size", transfer_type=old).observe(size)

    def _looked_up(self, activity: Activity) -> None:
        for number, tier in enumerate((HOST_TIER, STORAGE_TIER)):
            if not activity.queries[number]:
                continue
            self._one("vllm:kv_offload_tiering_chunk_queries_total", tier=tier).inc(activity.queries[number])
            for _ in range(activity.queries[number]):
                self._one("vllm:kv_offload_tiering_lookup_sync_delay_seconds", tier=tier).observe(LOOKUP_SECONDS)
                if tier == STORAGE_TIER:
                    self._one("vllm:kv_offload_tiering_lookup_async_delay_seconds", tier=tier).observe(ANSWER_SECONDS)
            if activity.hits[number]:
                self._one("vllm:kv_offload_tiering_chunk_hits_total", tier=tier).inc(activity.hits[number])

    def _failed(self, activity: Activity) -> None:
        if activity.failed_reads:
            self._one("vllm:kv_offload_tiering_promotion_job_failures_total", tier=STORAGE_TIER).inc(
                activity.failed_reads
            )
        if activity.failed_writes:
            self._one("vllm:kv_offload_tiering_cascade_job_failures_total", tier=STORAGE_TIER).inc(
                activity.failed_writes
            )
        if activity.refused_reads:
            self._one("vllm:kv_offload_tiering_promotion_allocation_failures_total").inc(activity.refused_reads)

    def _configuration(self) -> None:
        physics, settings = self._settings.physics, self._settings
        unknown = dict.fromkeys(
            ("cpu_blocks_per_chunk", "cpu_kv_cache_size_bytes", "cpu_kv_cache_size_tokens", "cpu_num_chunks"), ""
        )
        self._one(
            "vllm:kv_offload_config_info",
            tier=HOST_TIER,
            cpu_blocks_per_chunk=str(physics.chunk_blocks),
            cpu_kv_cache_size_bytes=str(physics.host_chunks * physics.chunk_bytes),
            cpu_kv_cache_size_tokens=str(physics.host_chunks * physics.chunk_blocks * settings.block_size),
            cpu_num_chunks=str(physics.host_chunks),
        ).set(1)
        if settings.root is not None:
            self._one("vllm:kv_offload_config_info", tier=STORAGE_TIER, **unknown).set(1)
