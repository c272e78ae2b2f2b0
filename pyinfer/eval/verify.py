"""Does a model say here what it said where it was published?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyinfer.engine.params import SamplingParams
from pyinfer.errors import RequestError
from pyinfer.eval.golden_file import Golden, GoldenCase
from pyinfer.eval.perplexity import log_softmax_parts
from pyinfer.llm import LLM

#: Published log-probabilities are rounded to bfloat16, and so were the logits behind them.
LOGPROB_TOLERANCE = 0.15
#: Two tokens whose logits differ by less are a tie for arithmetic in 16 bits.
TIE = 0.25
#: Each token of a greedy answer is the best one, so their perplexity is small. A model whose
#: answers are right by chance would be far beyond this.
MAX_ANSWER_PERPLEXITY = 3.0


@dataclass(frozen=True, slots=True)
class Deviation:
    """A position of a published answer at which another token is best here.

    Attributes
    ----------
    position : int
        Within the answer.
    published, best : int
        The two tokens.
    gap : float
        By how much the logit of ``best`` is larger.
    """

    position: int
    published: int
    best: int
    gap: float


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case.

    Attributes
    ----------
    case : GoldenCase
    replayed : int
        Tokens of the answer that greedy decoding repeats before the first different one.
    deviations : tuple of Deviation
        Along the published answer, whatever was decoded.
    perplexity : float
        Of the published answer.
    logprob_error : float
        Largest difference to the published log-probabilities; 0 without any.
    prompt_matches : bool
        Whether the prompt's text has the published tokens; True without text.
    """

    case: GoldenCase
    replayed: int
    deviations: tuple[Deviation, ...]
    perplexity: float
    logprob_error: float
    prompt_matches: bool

    @property
    def exact(self) -> bool:
        """The whole answer is repeated."""
        return self.replayed == len(self.case.answer)

    @property
    def passed(self) -> bool:
        """The answer is repeated, or differs by ties only, and all else agrees."""
        return (
            (self.exact or all(d.gap < TIE for d in self.deviations))
            and self.prompt_matches
            and self.logprob_error <= LOGPROB_TOLERANCE
            and self.perplexity <= MAX_ANSWER_PERPLEXITY
        )


def replay(llm: LLM, case: GoldenCase) -> CaseResult:
    """Decode a case greedily, and evaluate the published answer token by token.

    Raises
    ------
    RequestError
        A token is outside the model's vocabulary, or the case does not fit the context.
    """
    highest = max(*case.prompt_ids, *case.answer)
    if highest >= llm.info.config.vocab_size:
        raise RequestError(
            f"{case.name}: token {highest} is outside the vocabulary of {llm.info.name}",
            hint="the published answers are of another model",
        )
    greedy = SamplingParams(temperature=0, max_tokens=len(case.answer))
    said = llm.generate(token_ids=list(case.prompt_ids), params=greedy).token_ids
    same = 0
    while same < min(len(said), len(case.answer)) and said[same] == case.answer[same]:
        same += 1
    rows = llm.logits([*case.prompt_ids, *case.answer[:-1]])[len(case.prompt_ids) - 1 :]
    logprobs = _logprobs(rows, case.answer)
    published = np.array(case.logprobs)
    return CaseResult(
        case=case,
        replayed=same,
        deviations=_deviations(rows, case.answer),
        perplexity=float(np.exp(-logprobs.mean())),
        logprob_error=float(np.abs(logprobs[: len(published)] - published).max(initial=0.0)),
        prompt_matches=not case.prompt or _encodes(llm, case.prompt, case.prompt_ids),
    )


def _logprobs(rows: npt.NDArray[np.float32], answer: tuple[int, ...]) -> npt.NDArray[np.float64]:
    maximum, log_sum = log_softmax_parts(rows)
    chosen: npt.NDArray[np.float32] = rows[np.arange(len(answer)), list(answer)]
    return (chosen - maximum) - log_sum


def _deviations(rows: npt.NDArray[np.float32], answer: tuple[int, ...]) -> tuple[Deviation, ...]:
    found = []
    for position, (row, token) in enumerate(zip(rows, answer, strict=True)):
        best = int(row.argmax())
        if best != token:
            found.append(Deviation(position, token, best, float(row[best] - row[token])))
    return tuple(found)


def _encodes(llm: LLM, text: str, ids: tuple[int, ...]) -> bool:
    return tuple(llm.tokenizer.encode(text)) == ids


def check_texts(llm: LLM, golden: Golden) -> list[str]:
    """Return the texts that have other tokens here than published."""
    return [text for text, ids in golden.texts if not _encodes(llm, text, ids)]
