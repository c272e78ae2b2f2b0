"""``/props`` and ``/slots``: what the server is and what it is doing."""

from __future__ import annotations

from typing import Any

import pyinfer
from pyinfer.engine.params import MAX_TOKENS, SamplingParams
from pyinfer.requests.spec import ServedModel
from pyinfer.server.llama.sampling import FALLBACK, generation_settings
from pyinfer.serving.state import SlotState


def props(model: ServedModel, total_slots: int, slots_shown: bool) -> dict[str, Any]:
    """The object of ``GET /props``. The model is named, its path is not told."""
    tokenizer = model.tokenizer
    params = SamplingParams(**FALLBACK).filled(model.defaults)  # type: ignore[arg-type]
    return {
        "default_generation_settings": {
            "id": 0,
            "n_ctx": model.context,
            "speculative": False,
            "is_processing": False,
            "params": generation_settings(params) | {"seed": -1},
        },
        "total_slots": total_slots,
        "model_alias": model.name,
        "model_path": model.name,
        "chat_template": model.template.source if model.template else "",
        "bos_token": tokenizer.token_text(tokenizer.bos_id),
        "eos_token": tokenizer.token_text(next(iter(tokenizer.eos_ids), None)),
        "build_info": f"pyinfer {pyinfer.__version__}",
        "modalities": {"vision": False, "audio": False},
        "endpoint_slots": slots_shown,
        "endpoint_props": False,
        "endpoint_metrics": True,
        "is_sleeping": False,
    }


def slot(state: SlotState, context: int) -> dict[str, Any]:
    """One entry of ``GET /slots``; ``context`` is the model's."""
    params = state.params
    limit = -1 if params is None or params.max_tokens is None else params.max_tokens
    limit = -1 if limit == MAX_TOKENS else limit
    left = -1 if limit < 0 else max(0, limit - state.generated_tokens)
    return {
        "id": state.id,
        "id_task": state.request_id or -1,
        "model": state.model,
        "n_ctx": state.context or context,
        "speculative": False,
        "is_processing": state.phase is not None,
        "state": state.phase or "idle",
        "n_prompt_tokens": state.prompt_tokens,
        "n_prompt_tokens_processed": state.evaluated_tokens,
        "params": {} if params is None else generation_settings(params),
        "next_token": [
            {
                "has_next_token": state.phase is not None,
                "n_remain": left,
                "n_decoded": state.generated_tokens,
            }
        ],
    }
