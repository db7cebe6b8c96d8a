"""What an engine's command line says of its tiers."""

from __future__ import annotations

from typing import Any

import pytest

from apps.embedded.engine.domain.offload import GIB, Transfer, read_transfer


def read(config: dict[str, Any] | None, **more: Any) -> Transfer | None:
    values: dict[str, Any] = {
        "offloading_gib": None, "backend": "native", "block_size": 16, "token_bytes": 2**17,
        "accelerator": "nvidia-h200", "ranks": 1,
    }  # fmt: skip
    return read_transfer(config, **values | more)


def connector(name: str, **extra: Any) -> dict[str, Any]:
    return {"kv_connector": name, "kv_role": "kv_both", "kv_connector_extra_config": extra}


def test_an_engine_without_a_connector_has_no_tiers() -> None:
    assert read(None) is None
    assert read({"kv_load_failure_policy": "recompute"}) is None


def test_the_size_flag_is_the_offloading_connector() -> None:
    transfer = read(None, offloading_gib=8.0)
    assert transfer is not None
    assert transfer.offload is not None
    assert transfer.offload.physics.host_chunks == 8 * GIB // (16 * 2**17)
    assert (transfer.offload.tiering, transfer.offload.root, transfer.not_modelled) == (False, None, ())


def test_tiers_are_found_among_several_connectors() -> None:
    tiers = connector("OffloadingConnector", cpu_bytes_to_use=GIB)
    transfer = read(connector("MultiConnector", connectors=[connector("NixlConnector"), tiers]))
    assert transfer is not None
    assert transfer.offload is not None
    assert transfer.not_modelled == ()
    lmcache = read(connector("MultiConnector", connectors=[connector("LMCacheConnectorV1"), tiers]))
    assert lmcache is not None
    assert lmcache.not_modelled == ("LMCacheConnectorV1",)


def test_ranks_have_a_link_each() -> None:
    extra = {"cpu_bytes_to_use": GIB}
    one, four = (read(connector("OffloadingConnector", **extra), ranks=ranks) for ranks in (1, 4))
    assert one is not None
    assert four is not None
    assert one.offload is not None
    assert four.offload is not None
    assert four.offload.physics.load_bandwidth == 4 * one.offload.physics.load_bandwidth


def test_the_backend_of_llm_d_0_5_is_a_folder_behind_staged_chunks() -> None:
    extra = {"spec_name": "SharedStorageOffloadingSpec", "shared_storage_path": "/mnt/kv", "block_size": 256}
    transfer = read(connector("OffloadingConnector", **extra))
    assert transfer is not None
    assert transfer.offload is not None
    assert (transfer.offload.root, transfer.offload.physics.chunk_blocks) == ("/mnt/kv", 16)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"kv_rank": 0}, "kv_rank: Unexpected keyword argument"),
        ({"kv_connector": "OffloadingConnector", "kv_role": "both"}, "Unsupported kv_role: both"),
        ({"kv_load_failure_policy": "retry"}, "Input should be 'recompute' or 'fail'"),
        (connector("P2pNcclConnector"), "Unsupported connector type"),
        (connector("MultiConnector"), "a list of connectors"),
        (connector("OffloadingConnector", spec_name="DiskSpec"), "Unsupported spec type: DiskSpec"),
        (connector("OffloadingConnector", cpu_bytes_to_use=100), "less than one chunk"),
        (connector("OffloadingConnector", cpu_bytes_to_use=GIB, eviction_policy="mru"), "Unknown cache policy"),
        (connector("OffloadingConnector", block_size=32, blocks_per_chunk=2), "Specify only one of"),
        (connector("OffloadingConnector", blocks_per_chunk=0), "must be greater than 0"),
        (
            connector("OffloadingConnector", spec_name="TieringOffloadingSpec", secondary_tiers={"type": "fs"}),
            "secondary_tiers must be a list",
        ),
        (
            connector("OffloadingConnector", spec_name="TieringOffloadingSpec", secondary_tiers=[{"type": "p2p"}]),
            "plays no secondary tier of type 'p2p'",
        ),
    ],
)
def test_what_cannot_work_is_refused(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(config)


def test_a_cpu_engine_has_no_host_tier_of_its_own() -> None:
    with pytest.raises(ValueError, match="CUDA-alike and XPU"):
        read(None, offloading_gib=1.0, accelerator="cpu")
