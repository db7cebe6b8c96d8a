"""KV offloading of a real vLLM's CPU build: named as `spec_module_path` by the kubelet, loaded by vLLM itself.

vLLM refuses to offload on a CPU at one place, where it makes the worker that copies blocks between device and host.
Here the device's cache is host memory too, so the copy is one of tensors; what is kept, evicted, promoted, stored in
files, counted and published is vLLM's own doing. A copy has ended when it was asked for, so its times mean nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from vllm.v1.kv_offload.base import OffloadingWorker, TransferResult
from vllm.v1.kv_offload.cpu.shared_offload_region import SharedOffloadRegion
from vllm.v1.kv_offload.cpu.spec import CPUOffloadingSpec
from vllm.v1.kv_offload.tiering.spec import TieringOffloadingSpec


class HostCopies(OffloadingWorker):
    """Both directions. A chunk of the host lies in one row for each tensor of the cache: its blocks side by side."""

    def __init__(self, caches: Any, blocks_per_chunk: int, rows: Sequence[torch.Tensor], region: Any = None) -> None:
        self._per_chunk = blocks_per_chunk
        self._layers = caches.group_data_refs
        self._blocks = [cache.tensor.view(torch.int8).view(-1, cache.page_size_bytes) for cache in caches.tensors]
        self._rows, self._region = list(rows), region
        self._done: list[TransferResult] = []

    def submit_store(self, job_id: int, src_spec: Any, dst_spec: Any) -> bool:
        return self._copied(job_id, src_spec, dst_spec, storing=True)

    def submit_load(self, job_id: int, src_spec: Any, dst_spec: Any) -> bool:
        return self._copied(job_id, dst_spec, src_spec, storing=False)

    def get_finished(self) -> list[TransferResult]:
        done, self._done = self._done, []
        return done

    def wait(self, job_ids: set[int]) -> None:
        """Nothing is on its way."""

    def shutdown(self) -> None:
        self._blocks.clear()
        self._rows.clear()
        if self._region is not None:
            self._region.cleanup()
            self._region = None

    def _copied(self, job_id: int, device: Any, host: Any, *, storing: bool) -> bool:
        begun, moved = time.perf_counter(), 0
        for group, block, chunk, place in self._pairs(device, host):
            for layer in self._layers[group]:
                used = layer.page_size_bytes
                whole = self._blocks[layer.tensor_idx].shape[1]
                here = self._blocks[layer.tensor_idx][block, :used]
                there = self._rows[layer.tensor_idx][chunk, place * whole : place * whole + used]
                (there if storing else here).copy_(here if storing else there)
                moved += used
        seconds = time.perf_counter() - begun
        self._done.append(TransferResult(job_id=job_id, success=True, transfer_size=moved, transfer_time=seconds))
        return True

    def _pairs(self, device: Any, host: Any) -> Iterator[tuple[int, int, int, int]]:
        """(group, block of the device, chunk of the host, place in it) of every block of a transfer.

        The blocks of a group follow each other in their request from `block_indices` on, which need not be the first
        of a chunk.
        """
        blocks, chunks = iter(device.block_ids.tolist()), iter(host.block_ids.tolist())
        for group, (count, first) in enumerate(zip(device.group_sizes, device.block_indices, strict=True)):
            chunk = -1
            for number in range(first, first + count):
                if chunk < 0 or number % self._per_chunk == 0:
                    chunk = next(chunks)
                yield group, next(blocks), chunk, number % self._per_chunk


class HostCopySpec(CPUOffloadingSpec):
    """The host tier alone, in memory of the worker's own."""

    _worker: Any

    def get_worker(self, kv_caches: Any) -> Any:
        if self._worker is None:
            rows = [
                torch.zeros((self.num_chunks, cache.page_size_bytes * self.blocks_per_chunk), dtype=torch.int8)
                for cache in kv_caches.tensors
            ]
            self._worker = HostCopies(kv_caches, self.blocks_per_chunk, rows)
        return self._worker


class HostCopyTieringSpec(TieringOffloadingSpec):
    """The host tier in the memory that the tiers below it read from and write to."""

    _worker: Any

    def get_worker(self, kv_caches: Any) -> Any:
        if self._worker is None:
            region = SharedOffloadRegion(
                engine_id=self._engine_id,
                num_chunks=self.num_chunks,
                rank=self.config.parallel.rank,
                kv_bytes_per_chunk=self.kv_bytes_per_chunk,
                cpu_page_size=self.cpu_page_size_per_worker,
            )
            rows = [
                region.create_next_worker_view(cache.page_size_bytes * self.blocks_per_chunk)
                for cache in kv_caches.tensors
            ]
            self._worker = HostCopies(kv_caches, self.blocks_per_chunk, rows, region)
        return self._worker
