"""A model that says what a script tells it, and an LLM on top of it."""

from __future__ import annotations

import numpy as np

from pyinfer import LLM, SamplingParams
from pyinfer.config import GenerationDefaults
from pyinfer.model_info import ModelInfo
from pyinfer.text.tokenizer import Tokenizer

from .engine.fake_model import FakeModel, Flag, config
from .engine.sampling_oracle import Row, make_row
from .vocabulary import BOS_ID, EOS_ID, N_TOKENS

GREEDY = SamplingParams(temperature=0, max_tokens=200)


class Scripted:
    """Says ``answer`` after a prompt, token by token, then an end token."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.answer: list[int] = []
        self.prompts: list[list[int]] = []
        self.model = FakeModel(n_blocks=40)
        self.model.config = config(N_TOKENS + 3)
        self.model.n_valid = N_TOKENS
        self.model.row_of = self.row

    def say(self, text: str) -> None:
        """Answer all prompts from now on with ``text``."""
        self.answer = self.tokenizer.encode(text)
        self.prompts.clear()

    def row(self, prefix: np.ndarray) -> Row:
        """The prompt is what was there when the first row of an answer was asked for."""
        tokens = prefix.tolist()
        if not self.prompts or tokens[: len(self.prompts[-1])] != self.prompts[-1]:
            self.prompts.append(tokens)
        place = len(tokens) - len(self.prompts[-1])
        wanted = self.answer[place] if place < len(self.answer) else EOS_ID
        logits = np.zeros(N_TOKENS + 3, np.float32)
        logits[wanted] = 30.0
        return make_row(logits, N_TOKENS, 8)


def make_llm(model: FakeModel, tokenizer: Tokenizer | None, context: int = 1000) -> LLM:
    info = ModelInfo("fake", model.config, context, 1, "none", 1000, 2000, 5, 6, ())
    defaults = GenerationDefaults(bos_token_id=BOS_ID, eos_token_ids=(EOS_ID,))
    return LLM(model, tokenizer, defaults, info, Flag())
