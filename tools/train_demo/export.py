"""Writes a checkpoint as the Hugging Face folder that the package ships."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from .model import MAX_POSITION, demo_config
from .tokenizer import BOS, EOS, token_id

TEMPLATE = Path(__file__).with_name("chat_template.jinja")
TEMPERATURE, TOP_P = 0.3, 0.8  # a demo should be right; the margins of the model are wide


def config_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return config.json with the field names of the R1 distills."""
    config = demo_config(token_id(tokenizer, BOS), token_id(tokenizer, EOS))
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        # The distills name the end token here as well; generation_config.json has the real one.
        "bos_token_id": token_id(tokenizer, EOS),
        "eos_token_id": token_id(tokenizer, EOS),
        "hidden_act": "silu",
        "hidden_size": config.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": MAX_POSITION,
        "max_window_layers": config.num_hidden_layers,
        "model_type": "qwen2",
        "num_attention_heads": config.num_attention_heads,
        "num_hidden_layers": config.num_hidden_layers,
        "num_key_value_heads": config.num_key_value_heads,
        "rms_norm_eps": config.rms_norm_eps,
        "rope_theta": 10000,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_mrope": False,
        "use_sliding_window": False,
        "vocab_size": config.vocab_size,
    }


def tokenizer_config_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return tokenizer_config.json: control tokens, their flags, the chat template."""
    added = {
        str(index): {
            "content": token.content,
            "lstrip": token.lstrip,
            "normalized": token.normalized,
            "rstrip": token.rstrip,
            "single_word": token.single_word,
            "special": token.special,
        }
        for index, token in sorted(tokenizer.get_added_tokens_decoder().items())
    }
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": added,
        "bos_token": BOS,
        "chat_template": TEMPLATE.read_text(encoding="utf-8").removesuffix("\n"),
        "clean_up_tokenization_spaces": False,
        "eos_token": EOS,
        "model_max_length": MAX_POSITION,
        "pad_token": EOS,
        "tokenizer_class": "LlamaTokenizerFast",
        "unk_token": None,
        "use_default_system_prompt": False,
    }


def export(work: Path, folder: Path) -> None:
    """Write config, tokenizer and bf16 weights of the newest checkpoint in ``work``."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    state = torch.load(work / "checkpoint.pt", weights_only=True)
    weights = {name: value.to(torch.bfloat16).contiguous() for name, value in
               state["model"].items()}  # fmt: skip
    made = {"format": "pt", "steps": str(state["step"]), "problems": str(state["cursor"])}
    save_file(weights, folder / "model.safetensors", metadata=made)
    (folder / "model.safetensors").chmod(0o644)
    # Compact: a pretty-printed vocabulary would take one line per token.
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    generation = {
        "_from_model_config": True,
        "bos_token_id": token_id(tokenizer, BOS),
        "do_sample": True,
        "eos_token_id": token_id(tokenizer, EOS),
        "temperature": TEMPERATURE,
        "top_p": TOP_P,
    }
    files = {
        "config.json": config_json(tokenizer),
        "generation_config.json": generation,
        "tokenizer_config.json": tokenizer_config_json(tokenizer),
    }
    for name, content in files.items():
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/train_demo"))
    parser.add_argument("--folder", type=Path, default=Path("pyinfer/demo"))
    args = parser.parse_args()
    export(args.work, args.folder)


if __name__ == "__main__":
    main()
