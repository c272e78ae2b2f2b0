"""Replaying answers: the embedded model passes, damaged ones do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pyinfer
from pyinfer import LLM
from pyinfer.errors import RequestError
from pyinfer.eval.golden_file import SHIPPED, Golden, GoldenCase, read_golden
from pyinfer.eval.verify import check_texts, replay

from ..checkpoints import N_TOKENS, random_config, write_folder

GOLDEN = read_golden(SHIPPED / "demo.json")


@pytest.fixture(scope="module")
def llm() -> Iterator[LLM]:
    with pyinfer.load(dtype="f32", threads=1, ctx_size=256) as llm:
        yield llm


@pytest.mark.parametrize("case", GOLDEN.cases, ids=lambda case: case.name)
def test_the_embedded_model_answers_as_transformers(llm: LLM, case: GoldenCase) -> None:
    result = replay(llm, case)
    assert result.exact
    assert result.passed
    assert result.deviations == ()
    assert result.prompt_matches
    assert result.logprob_error < 1e-3
    expected = np.exp(-np.mean(case.logprobs))
    assert result.perplexity == pytest.approx(expected, rel=1e-3)


def test_another_answer_is_found(llm: LLM) -> None:
    case = GOLDEN.cases[1]
    answer = list(case.answer)
    right, answer[7] = answer[7], answer[8]
    result = replay(llm, replace(case, answer=tuple(answer)))
    assert result.replayed == 7
    assert not result.exact
    assert not result.passed
    first = result.deviations[0]
    assert (first.position, first.published, first.best) == (7, answer[7], right)
    assert first.gap > 1


def test_a_prefix_is_enough(llm: LLM) -> None:
    case = GOLDEN.cases[0]
    result = replay(llm, replace(case, answer=case.answer[:3], logprobs=case.logprobs[:3]))
    assert result.passed
    assert result.replayed == 3


def test_other_logprobs_and_prompts(llm: LLM) -> None:
    case = GOLDEN.cases[0]
    far = replay(llm, replace(case, logprobs=(-0.5, *case.logprobs[1:])))
    assert far.exact
    assert not far.passed
    assert far.logprob_error == pytest.approx(0.5, abs=1e-3)
    other = replay(llm, replace(case, prompt="something else"))
    assert other.exact
    assert not other.prompt_matches
    assert not other.passed


def test_texts(llm: LLM) -> None:
    right = ("12", tuple(llm.tokenizer.encode("12")))
    golden = Golden("x", (), (right, ("13", (1,))), {})
    assert check_texts(llm, golden) == ["13"]


def test_an_answer_of_another_vocabulary(llm: LLM) -> None:
    case = replace(GOLDEN.cases[0], answer=(600,))
    with pytest.raises(RequestError, match="token 600"):
        replay(llm, case)


def test_random_weights_fail(tmp_path: Path) -> None:
    write_folder(tmp_path, random_config(vocab=max(512, N_TOKENS)), with_tokenizer=True)
    case = replace(GOLDEN.cases[0], prompt="")
    with pyinfer.load(tmp_path, dtype="f32", threads=1, ctx_size=256) as llm:
        result = replay(llm, case)
    assert not result.passed
    assert result.perplexity > 10
