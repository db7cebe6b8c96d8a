"""LoRA adapters in folders, as far as an engine looks at them before it reads weights."""

from __future__ import annotations

import json
from pathlib import Path


def write_adapter(folder: Path, *, rank: int = 8) -> str:
    """The folder, as PEFT writes one, with a file of weights that holds none."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": ["q_proj", "v_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").touch()
    return str(folder)
