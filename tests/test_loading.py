"""Loading real checkpoints and running them; the surface of the package."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import pyinfer
from pyinfer import SamplingParams
from pyinfer.engine.sampler import Sampler
from pyinfer.errors import ModelUnsupportedError, RequestError
from pyinfer.store.places import DEMO_FOLDER

from .checkpoints import random_config, write_folder, write_gguf
from .engine.sampling_oracle import make_row
from .scripted import GREEDY
from .vocabulary import N_TOKENS


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, pyinfer\n"
        "assert 'numpy' not in sys.modules, 'numpy was imported'\n"
        "from pyinfer.checkpoint.limits import MAX_CONFIG_BYTES\n"
        "assert callable(pyinfer.load)\n"
        "assert pyinfer.LLM.__name__ == 'LLM'\n"
        "assert set(pyinfer.__all__) <= set(dir(pyinfer))\n"
        "[getattr(pyinfer, name) for name in pyinfer.__all__]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    with pytest.raises(AttributeError):
        _ = pyinfer.nothing  # type: ignore[attr-defined]


def test_a_random_checkpoint_runs_alone_batched_and_again_with_equal_tokens(
    tokenizer_folder: Path,
) -> None:
    progress: list[tuple[int, int]] = []
    params = [SamplingParams(seed=i, max_tokens=40, temperature=1.0) for i in range(6)]
    prompts = [[(7 * i + k) % 250 for k in range(20 + 60 * i)] for i in range(6)]
    with pyinfer.load(
        tokenizer_folder,
        dtype="f32",
        ctx_size=1024,
        progress=lambda done, total: progress.append((done, total)),
    ) as llm:
        assert llm.info.context == 1024
        assert progress[-1][0] == progress[-1][1] > 0
        alone = [
            llm.generate(token_ids=prompt, params=p).token_ids
            for prompt, p in zip(prompts, params, strict=True)
        ]
        results: dict[int, list[int]] = {}

        def client(i: int) -> None:
            results[i] = llm.generate(token_ids=prompts[i], params=params[i]).token_ids

        threads = [threading.Thread(target=client, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [results[i] for i in range(6)] == alone
        assert max(max(tokens) for tokens in alone) < N_TOKENS
        for cut in (63, 64, 70, 100, 150):  # continues from cached blocks, the last one copied
            prompt = [*prompts[5][:cut], 3, 4, 5]
            cached = llm.generate(token_ids=prompt, params=params[5])
            assert cached.usage.cached_tokens == cut
            with pyinfer.load(tokenizer_folder, dtype="f32", ctx_size=1024) as fresh:
                again = fresh.generate(token_ids=prompt, params=params[5])
            assert again.usage.cached_tokens == 0
            assert cached.token_ids == again.token_ids
        logits = llm.logits(prompts[3])
        assert logits.shape == (len(prompts[3]), N_TOKENS + 3)
        greedy = llm.generate(
            token_ids=prompts[3], params=SamplingParams(temperature=0, max_tokens=1)
        )
        assert greedy.token_ids == [int(logits[-1, :N_TOKENS].argmax())]


@pytest.mark.parametrize("request_values", [{"top_p": 0.9}, {"top_k": 5, "min_p": 0.02}, {}])
def test_sampled_tokens_follow_from_the_logits(
    tokenizer_folder: Path, request_values: dict[str, Any]
) -> None:
    """The kernels' candidates and normaliser lead to the tokens that the full rows lead to."""
    params = SamplingParams(
        seed=4, max_tokens=60, temperature=1.3, repetition_penalty=1.1, **request_values
    )
    prompt = list(range(40))
    with pyinfer.load(tokenizer_folder, ctx_size=512) as llm:
        tokens = llm.generate(token_ids=prompt, params=params).token_ids
        sampler = Sampler(params.filled(llm.defaults), N_TOKENS, eos_ids=llm.defaults.eos_token_ids)
        rows = llm.logits(prompt + tokens)
    sampler.start(prompt)
    for i, token in enumerate(tokens, len(prompt)):
        assert sampler.choose(make_row(rows[i - 1], N_TOKENS, N_TOKENS), i) == token
        sampler.accept(token)


def test_a_folder_whose_tokenizer_is_too_large_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, random_config(vocab=N_TOKENS + 3), with_tokenizer=True)
    write_folder(tmp_path, random_config(vocab=128))
    for name in ("generation_config.json",):
        (tmp_path / name).unlink()
    with pytest.raises(pyinfer.ModelFormatError, match="tokenizer"):
        pyinfer.load(tmp_path)


def test_a_folder_without_a_tokenizer_loads_for_token_ids(tmp_path: Path) -> None:
    write_folder(tmp_path, random_config())
    with pyinfer.load(tmp_path) as llm:
        assert len(llm.generate(token_ids=[1, 2], params=GREEDY).token_ids) == 200
        with pytest.raises(RequestError, match="no tokenizer"):
            llm.chat("hello")


@pytest.mark.skipif(
    not (DEMO_FOLDER / "model.safetensors").exists(), reason="the embedded model is not built"
)
def test_the_embedded_model_answers() -> None:
    with pyinfer.load() as llm:
        out = llm.chat("Which is larger, 9.11 or 9.9?", params=SamplingParams(temperature=0))
        assert "9.9" in out.text
        assert out.reasoning
        assert out.finish_reason == "stop"
        rendered = llm.apply_chat_template("Which is larger, 9.11 or 9.9?")
        again = llm.generate(
            token_ids=llm.tokenizer.encode(rendered), params=SamplingParams(temperature=0)
        )
        assert again.token_ids == out.token_ids


def test_without_the_tokenizer_token_ids_give_the_same_tokens(
    tokenizer_folder: Path, tmp_path: Path
) -> None:
    params = SamplingParams(temperature=0, max_tokens=5)
    with pyinfer.load(tokenizer_folder, packed_cache=tmp_path / "packed", ctx_size=512) as llm:
        expected = llm.generate(token_ids=[5, 6, 7], params=params).token_ids
    with pyinfer.load(
        tokenizer_folder, packed_cache=tmp_path / "packed", tokenizer=False, ctx_size=512
    ) as llm:
        assert "mapped" in llm.info.report[-1]
        assert llm.generate(token_ids=[5, 6, 7], params=params).token_ids == expected
        with pytest.raises(RequestError, match="no tokenizer"):
            llm.generate("text")


def test_a_file_whose_pre_tokenizer_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, random_config(vocab=N_TOKENS), metadata={"tokenizer.ggml.pre": "none-such"})
    with pytest.raises(ModelUnsupportedError, match=r"'none-such' is not supported.*--pre NAME"):
        pyinfer.load(path)
    with pyinfer.load(path, pre="qwen2", ctx_size=64) as llm:
        assert llm.tokenizer.encode("hello")
