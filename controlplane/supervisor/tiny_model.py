"""Run by the Python that has vLLM: writes a tiny random Llama, its tokenizer and adapters into a folder, to be served
offline."""

import json
import sys
from pathlib import Path

CONFIG = Path(__file__).with_suffix(".json")
ADAPTERS = ("formal", "brief")
RANK = 8


def main(folder: str) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    text = [f"request {number} waits for a block of the cache, and the next step serves it" for number in range(900)]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(text, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")  # noqa: S106  (words of a vocabulary)
    wrapped.chat_template = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    wrapped.save_pretrained(folder)
    write_weights(folder)
    # last: by them a folder is known to be whole
    write_adapters(Path(folder) / "adapters")


def write_weights(folder: str) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = json.loads(CONFIG.read_text())
    LlamaForCausalLM(LlamaConfig(**config)).to(torch.bfloat16).save_pretrained(folder)


def write_adapters(folder: Path) -> None:
    """A LoRA adapter for each name, as PEFT stores one: of the attention's queries and values, large enough to be seen
    in what is answered."""
    import torch
    from safetensors.torch import save_file

    config = json.loads(CONFIG.read_text())
    width = config["hidden_size"]
    for seed, name in enumerate(ADAPTERS, start=1):
        torch.manual_seed(seed)
        weights = {}
        for layer in range(config["num_hidden_layers"]):
            for part in ("q_proj", "v_proj"):
                place = f"base_model.model.model.layers.{layer}.self_attn.{part}"
                weights[f"{place}.lora_A.weight"] = torch.randn(RANK, width)
                weights[f"{place}.lora_B.weight"] = torch.randn(width, RANK)
        about = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": "tiny",
            "r": RANK,
            "lora_alpha": RANK,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": ["q_proj", "v_proj"],
        }
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        (target / "adapter_config.json").write_text(json.dumps(about, indent=1))
        save_file(weights, str(target / "adapter_model.safetensors"))


if __name__ == "__main__":
    main(sys.argv[1])
