"""Stop strings, budget and grammar of one request, together, as the engine asks them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from pyinfer.engine.params import SamplingParams
from pyinfer.errors import RequestError
from pyinfer.text.budget import FORCED_END
from pyinfer.text.grammar import Grammar
from pyinfer.text.hooks import RequestHooks, Rules, build_hooks
from pyinfer.text.tokenizer import Tokenizer

from .test_tags import without_tags

pytest.importorskip("llguidance", reason="grammars need the extra [server]")

YES_NO = Grammar("choice", '["yes", "no"]')


def hooks_of(
    tokenizer: Tokenizer, rules: Rules, params: SamplingParams | None = None
) -> RequestHooks:
    hooks = build_hooks(rules, params or SamplingParams(), tokenizer)
    assert isinstance(hooks, RequestHooks)
    return hooks


def allowed(tokenizer: Tokenizer, hooks: RequestHooks) -> set[str] | None:
    """Texts of the tokens that may come; None if all may."""
    out = np.zeros(-(-tokenizer.n_tokens // 32), np.uint32)
    if not hooks.mask(out):
        return None
    ids = np.flatnonzero(np.unpackbits(out.view(np.uint8), bitorder="little"))
    return {tokenizer.token_text(int(i)) for i in ids}


EOS = "<｜end▁of▁sentence｜>"


def test_nothing_asked_for(mini: Tokenizer) -> None:
    assert build_hooks(None, SamplingParams(), mini) is None
    assert build_hooks(Rules(starts_in_reasoning=True), SamplingParams(), mini) is None
    assert build_hooks(Rules(reasoning_budget=-1), SamplingParams(), mini) is None


def test_only_stop_strings(mini: Tokenizer) -> None:
    hooks = build_hooks(Rules(extra_stops=("ab",)), SamplingParams(stop=["x"]), mini)
    assert hooks is not None
    assert [hooks.on_token(t) for t in mini.encode("cab")] == [None, None, "stop"]


@pytest.mark.parametrize("tags", [True, False])
@pytest.mark.parametrize("budget", [None, 100])
@pytest.mark.parametrize("grammar", [None, Grammar("regex", "[a-z0-9 ]*")])
@pytest.mark.parametrize(
    ("prompt_opens", "text"),
    [(True, "is it 42</think>\n\nyes 42 more"), (False, "\n<think>42</think>\n\nyes 42")],
)
def test_stop_strings_count_from_the_content_on(
    mini: Tokenizer, tags: bool, budget: int | None, grammar: Grammar | None,
    prompt_opens: bool, text: str,
) -> None:  # fmt: skip
    if grammar is not None and not prompt_opens:
        return  # a grammar that is in force from the start takes no tags
    tokenizer = mini if tags else without_tags()
    rules = Rules(
        stops_in_content=True,
        starts_in_reasoning=prompt_opens,
        reasoning_budget=budget,
        grammar=grammar,
    )
    hooks = hooks_of(tokenizer, rules, SamplingParams(stop=["42", "\n\n"]))
    seen = ""
    for token in tokenizer.encode(text):
        seen += tokenizer.decode([token])
        if grammar is not None and seen.endswith("\n"):
            continue  # put there by the rules
        if hooks.on_token(token) == "stop":
            break
    assert seen.endswith("yes 42")


def test_stop_strings_of_raw_prompts_count_everywhere(mini: Tokenizer) -> None:
    hooks = hooks_of(mini, Rules(starts_in_reasoning=True), SamplingParams(stop=["42"]))
    assert [hooks.on_token(t) for t in mini.encode("a42")][-1] == "stop"


def test_a_grammar_goes_on_behind_what_was_begun(mini: Tokenizer) -> None:
    hooks = hooks_of(mini, Rules(grammar=YES_NO, begun="ye"))
    assert allowed(mini, hooks) == {"s"}
    with pytest.raises(RequestError, match="does not fit response_format") as caught:
        hooks_of(mini, Rules(grammar=YES_NO, begun="maybe"))
    assert caught.value.param == "messages"


def test_no_tag_opens_a_reasoning_behind_content(mini: Tokenizer) -> None:
    rules = Rules(begun="so", stops_in_content=True)
    hooks = hooks_of(mini, rules, SamplingParams(stop=["42"]))
    assert [hooks.on_token(t) for t in mini.encode("<think>42")][-1] == "stop"


def test_grammar_at_once_without_reasoning(mini: Tokenizer) -> None:
    hooks = hooks_of(mini, Rules(grammar=YES_NO))
    assert hooks.masks
    assert allowed(mini, hooks) == {"y", "n"}
    (y, e, s) = mini.encode("yes")
    for token, after in ((y, {"e"}), (e, {"s"}), (s, {EOS})):
        assert hooks.on_token(token) is None
        assert allowed(mini, hooks) == after


def test_grammar_arms_behind_the_reasoning(mini: Tokenizer) -> None:
    hooks = hooks_of(mini, Rules(grammar=YES_NO, starts_in_reasoning=True))
    for token in mini.encode("well, no"):
        assert allowed(mini, hooks) is None
        assert hooks.on_token(token) is None
    assert allowed(mini, hooks) is None
    assert hooks.on_token(mini.added_tokens["</think>"]) == mini.encode("\n\n")
    assert allowed(mini, hooks) == {"y", "n"}


def test_grammar_arms_behind_a_tag_of_several_tokens() -> None:
    tokenizer = without_tags()
    spelled = tokenizer.encode("</think>")
    assert len(spelled) > 1
    hooks = hooks_of(tokenizer, Rules(grammar=YES_NO, starts_in_reasoning=True))
    assert [hooks.on_token(t) for t in spelled] == [None] * (len(spelled) - 1) + [
        tokenizer.encode("\n\n")
    ]
    assert allowed(tokenizer, hooks) == {"y", "n"}


def test_budget_then_grammar(mini: Tokenizer) -> None:
    rules = Rules(grammar=YES_NO, starts_in_reasoning=True, reasoning_budget=2)
    hooks = hooks_of(mini, rules)
    a, b = mini.encode("ab")
    assert hooks.on_token(a) is None
    forced = hooks.on_token(b)
    assert isinstance(forced, list)
    assert mini.decode(forced) == FORCED_END
    assert allowed(mini, hooks) == {"y", "n"}


def test_an_answer_with_a_grammar_does_not_end_inside_its_reasoning(mini: Tokenizer) -> None:
    hooks = hooks_of(mini, Rules(grammar=YES_NO, starts_in_reasoning=True))
    assert hooks.on_token(mini.encode("a")[0]) is None
    forced = hooks.instead_of_end()
    assert forced is not None
    assert mini.decode(forced) == FORCED_END
    assert allowed(mini, hooks) == {"y", "n"}
    assert hooks.instead_of_end() is None
    budget = hooks_of(mini, Rules(starts_in_reasoning=True, reasoning_budget=9))
    assert budget.instead_of_end() is None


def test_budget_alone_masks_nothing(mini: Tokenizer) -> None:
    hooks = hooks_of(mini, Rules(starts_in_reasoning=True, reasoning_budget=1))
    assert not hooks.masks
    assert hooks.on_token(mini.encode("a")[0])
    assert [hooks.on_token(t) for t in mini.encode("bc")] == [None, None]


def test_stop_strings_work_in_all_parts(mini: Tokenizer) -> None:
    rules = Rules(grammar=YES_NO, starts_in_reasoning=True, reasoning_budget=9)
    params = SamplingParams(stop=["zz", "o"])
    hooks = hooks_of(mini, rules, params)
    assert [hooks.on_token(t) for t in mini.encode("zz")] == [None, "stop"]
    hooks = hooks_of(mini, rules, params)
    hooks.on_token(mini.added_tokens["</think>"])
    assert [hooks.on_token(t) for t in mini.encode("no")] == [None, "stop"]


@pytest.mark.parametrize("params", [SamplingParams(ignore_eos=True), SamplingParams(min_tokens=50)])
def test_stops_by_itself_where_end_tokens_are_forbidden(
    mini: Tokenizer, params: SamplingParams
) -> None:
    hooks = hooks_of(mini, Rules(grammar=YES_NO), params)
    assert [hooks.on_token(t) for t in mini.encode("no")] == [None, "stop"]


def test_rules_can_be_pickled() -> None:
    rules = Rules(grammar=YES_NO, reasoning_budget=3, starts_in_reasoning=True, extra_stops=("x",))
    assert pickle.loads(pickle.dumps(rules)) == rules


@pytest.mark.parametrize(
    ("text", "stops", "last"),
    [
        ("abcdef", ["cd"], 3),
        ("abcdef", ["x", "f"], 5),
        ("abc", ["abcd"], None),
        ("a🙂b", ["🙂"], 2),
    ],
)
def test_stops_at_the_completing_token(
    mini: Tokenizer, text: str, stops: list[str], last: int | None
) -> None:
    hooks = build_hooks(None, SamplingParams(stop=stops), mini)
    assert hooks is not None
    answers = [hooks.on_token(token) for token in mini.encode(text)]
    assert (answers.index("stop") if "stop" in answers else None) == last
    assert not hooks.masks
    assert not hooks.mask(np.zeros(4, np.uint32))


def test_texts_travel_once_and_say_where_a_character_is_cut(mini: Tokenizer) -> None:
    rules = Rules(starts_in_reasoning=True, reasoning_budget=3)
    hooks = hooks_of(mini, rules, SamplingParams(stop="zz"))
    a, *smile = mini.encode("a😀")
    assert len(smile) == 3
    for token in (a, smile[0]):
        assert hooks.on_token(token) is None
    assert hooks.take_texts() == [(["a"], False), ([], True)]
    assert hooks.on_token(smile[1]) is None  # the budget is used up inside a character
    forced = hooks.on_token(smile[2])
    assert isinstance(forced, list)
    texts = hooks.take_texts()
    assert texts[:2] == [([], True), (["😀"], False)]
    assert len(texts) == 2 + len(forced)
    assert "".join(t for some, _ in texts[2:] for t in some) == FORCED_END
    assert hooks.take_texts() == []
