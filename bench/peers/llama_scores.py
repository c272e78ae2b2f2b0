"""Perplexity and greedy tokens of llama.cpp, by its own definitions, as JSON.

    python -m bench.peers.llama_scores FILE.gguf < request.json

The request is ``{"text": ..., "n_ctx": ..., "special": ..., "prompts": [[ids], ...], "n": ...}``;
the answer holds ``tokens`` (of the text), ``perplexity``, ``mean_nll``, ``window_nll``, ``count``
and ``greedy`` (ids per prompt). Needs NumPy and llama-cpp-python only.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import numpy.typing as npt


class Scorer:
    """One model of llama.cpp, every logit of a window at hand."""

    def __init__(self, path: str, n_ctx: int, threads: int = 2) -> None:
        import llama_cpp

        self.lib = llama_cpp
        llama_cpp.llama_backend_init()
        self._log = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._log, None)
        parameters = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), parameters)
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self.vocab)
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = settings.n_batch = settings.n_ubatch = n_ctx
        settings.n_threads = settings.n_threads_batch = threads
        settings.flash_attn_type = 0  # the plain attention, in f32
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        self.batch = llama_cpp.llama_batch_init(n_ctx, 0, 1)

    def tokenize(self, text: str, special: bool) -> list[int]:
        """Tokens with BOS where the model wants it."""
        raw = text.encode()
        out = (self.lib.llama_token * (len(raw) + 2))()
        n = self.lib.llama_tokenize(self.vocab, raw, len(raw), out, len(out), True, special)
        return list(out[:n])

    def logits(self, tokens: list[int], first: int, start: int = 0) -> npt.NDArray[np.float32]:
        """Logits of ``tokens[first:]``, evaluated at positions ``start ...``: float32 (n, V)."""
        if start == 0:
            self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)
        batch = self.batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i] = token, start + i
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            batch.logits[i] = i >= first
        if self.lib.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama_decode failed")
        data = self.lib.llama_get_logits(self.context)
        shape = (len(tokens) - first, self.n_vocab)
        return np.ctypeslib.as_array(data, shape=shape).copy()

    def perplexity(self, tokens: list[int], n_ctx: int) -> dict[str, Any]:
        """As ``llama-perplexity``: whole windows, the second half of each."""
        bos = self.lib.llama_vocab_bos(self.vocab)
        add_bos = self.lib.llama_vocab_get_add_bos(self.vocab)
        half, losses = n_ctx // 2, []
        for i in range(len(tokens) // n_ctx):
            window = tokens[i * n_ctx : (i + 1) * n_ctx]
            seen = [bos, *window[1:]] if add_bos else window
            rows = self.logits(seen, half)[:-1].astype(np.float64)
            top = rows.max(axis=1)
            total = np.log(np.exp(rows - top[:, None]).sum(axis=1)) + top
            losses.append(total - rows[np.arange(len(rows)), window[half + 1 :]])
        nll = np.concatenate(losses)
        return {"perplexity": float(np.exp(nll.mean())), "mean_nll": float(nll.mean()),
                "window_nll": [float(x.mean()) for x in losses], "count": len(nll)}  # fmt: skip

    def greedy(self, prompt: list[int], n: int) -> list[int]:
        """The ``n`` best next tokens, one after the other; ends after an end token."""
        found: list[int] = []
        part, start = prompt, 0
        while len(found) < n:
            best = int(self.logits(part, len(part) - 1, start)[0].argmax())
            found.append(best)
            if self.lib.llama_vocab_is_eog(self.vocab, best):
                break
            part, start = [best], start + len(part)
        return found


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    scorer = Scorer(sys.argv[1], request["n_ctx"])
    answer: dict[str, Any] = {}
    if request.get("text"):
        tokens = scorer.tokenize(request["text"], request["special"])
        answer |= {"tokens": tokens, **scorer.perplexity(tokens, request["n_ctx"])}
    answer["greedy"] = [scorer.greedy(p, request["n"]) for p in request.get("prompts", [])]
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
