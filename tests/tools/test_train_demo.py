"""The generator of the embedded model's questions: reproducible, right, and honestly split."""

from __future__ import annotations

import json
import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "pyinfer" / "demo"

# Only the folder of the tool is added, so that the installed pyinfer stays the one under test.
sys.path.insert(0, str(ROOT / "tools"))
from train_demo import arithmetic, generate, tokenizer  # noqa: E402
from train_demo.problem import Problem, is_held_out  # noqa: E402

COUNT = 2000


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return [generate.problem(7, index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def questions() -> list[Problem]:
    return generate.held_out(500)


@pytest.fixture(scope="module")
def small_tokenizer() -> Tokenizer:
    return tokenizer.train_tokenizer(1000)


def test_same_seed_and_index_give_the_same_problem(problems: list[Problem]) -> None:
    again = [generate.problem(7, index) for index in reversed(range(COUNT))]
    assert again[::-1] == problems


def test_other_seed_gives_other_problems(problems: list[Problem]) -> None:
    other = [generate.problem(8, index) for index in range(COUNT)]
    assert sum(a == b for a, b in zip(problems, other, strict=True)) < COUNT / 50


def test_stream_resumes_at_any_position(problems: list[Problem]) -> None:
    stream = generate.stream(7, start=100)
    assert [next(stream) for _ in range(5)] == problems[100:105]


def test_held_out_list_is_fixed_and_has_every_skill(questions: list[Problem]) -> None:
    assert generate.held_out(500) == questions
    assert generate.held_out(20) == questions[:20]
    names = {problem.category for problem in questions}
    assert names == {
        "addition", "subtraction", "multiplication", "too long", "decimals", "letters", "places",
        "anything else",
    }  # fmt: skip


def test_held_out_never_overlaps_training(
    problems: list[Problem], questions: list[Problem]
) -> None:
    held = {problem.key for problem in questions}
    assert all(is_held_out(key) for key in held)
    trained = {problem.key for problem in problems}
    trained |= {generate.long_problem(7, index).key for index in range(200)}
    assert not any(is_held_out(key) for key in trained)
    assert not held & trained


def test_split_names_the_operands_not_the_phrasing() -> None:
    rng = generate.Random(0)
    first = {arithmetic.make(rng, "add", 47, 85).key for _ in range(50)}
    swapped = {arithmetic.make(rng, "add", 85, 47).key for _ in range(50)}
    assert len(first) == 1
    assert first == swapped


@pytest.mark.parametrize(
    ("category", "sign"), [("addition", "+"), ("subtraction", "-"), ("multiplication", "*")]
)
def test_worked_arithmetic_is_right(
    problems: list[Problem], questions: list[Problem], category: str, sign: str
) -> None:
    """Every equation that reasoning or answer states holds, with operands from the question."""
    checked = 0
    for problem in problems + questions:
        if problem.category != category or problem.answer == arithmetic.NEEDS_THINKING:
            continue
        numbers = sorted(int(n) for n in re.findall(r"\d+", problem.question))
        match = re.fullmatch(r"(\d+) ([-+*]) (\d+) = (-?\d+)\.", problem.answer)
        assert match is not None
        assert match[2] == sign
        assert sorted((int(match[1]), int(match[3]))) == numbers
        expected = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[sign](
            int(match[1]), int(match[3])
        )
        assert int(match[4]) == expected
        for left, right in re.findall(r"^([-+*\d]+)=(\d+)$", problem.reasoning, re.MULTILINE):
            assert _evaluate(left) == int(right)
        last = problem.reasoning.strip().rsplit("\n", 1)[-1]
        assert int(last.removeprefix("Together ")) == expected
        checked += 1
    assert checked > 200


def _evaluate(expression: str) -> int:
    terms = re.findall(r"[-+*]?\d+", expression)
    value = int(terms[0])
    for term in terms[1:]:
        number = int(term[1:])
        value = value * number if term[0] == "*" else value + int(term[0] + "1") * number
    return value


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_columns_recombine_to_the_result(a: int, b: int) -> None:
    assert int(arithmetic.add_columns(f"{a:04d}", f"{b:04d}")[1]) == a + b
    high, low = max(a, b), min(a, b)
    assert int(arithmetic.sub_columns(f"{high:04d}", f"{low:04d}")[1]) == high - low
    assert int(arithmetic.mul_columns(str(a), str(b % 10))[1]) == a * (b % 10)


def test_decimal_answers_are_right(problems: list[Problem], questions: list[Problem]) -> None:
    checked = 0
    for problem in problems + questions:
        if problem.category != "decimals":
            continue
        asked = sorted(re.findall(r"\d+(?:\.\d+)?", problem.question))
        if " are equal." in problem.answer:
            first, second = problem.answer.removesuffix(" are equal.").split(" and ")
            assert Decimal(first) == Decimal(second)
        else:
            match = re.fullmatch(r"(\S+) is (larger|smaller) than (\S+)\.", problem.answer)
            assert match is not None
            first, second = match[1], match[3]
            low, high = (first, second) if match[2] == "smaller" else (second, first)
            assert Decimal(low) < Decimal(high)
            small = re.search(r"smaller|less|lower", problem.question.lower()) is not None
            assert small == (match[2] == "smaller")
        assert sorted((first, second)) == asked
        checked += 1
    assert checked > 200


def test_letter_counts_are_right(problems: list[Problem], questions: list[Problem]) -> None:
    checked = 0
    for problem in problems + questions:
        if problem.category != "letters" or problem.answer == arithmetic.NEEDS_THINKING:
            continue
        counted = re.fullmatch(r"The letter (.) appears (\d+) times? in (\S+)\.", problem.answer)
        measured = re.fullmatch(r"The word (\S+) has (\d+) letters\.", problem.answer)
        if counted:
            assert counted[3].count(counted[1]) == int(counted[2])
            assert counted[1] in problem.question.lower()
        else:
            assert measured is not None
            assert len(measured[1]) == int(measured[2])
        word = counted[3] if counted else measured[1]  # type: ignore[index]
        assert word in problem.question.lower()
        spelled = problem.reasoning.partition(": ")[2]
        assert "".join(re.findall(r"[a-z]", spelled)) == word
        checked += 1
    assert checked > 200


def test_no_think_problems_leave_the_reasoning_block_empty(problems: list[Problem]) -> None:
    direct = [problem for problem in problems if not problem.think]
    assert len(direct) > 50
    for problem in direct:
        text = tokenizer.prompt_text(problem)
        assert text.endswith("<｜Assistant｜><think>\n\n</think>\n\n")
        assert tokenizer.completion_text(problem) == problem.answer


def test_prompt_text_is_what_the_chat_template_renders(problems: list[Problem]) -> None:
    jinja2 = pytest.importorskip("jinja2")
    source = (ROOT / "tools" / "train_demo" / "chat_template.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(source.removesuffix("\n"))
    for problem in problems[:500]:
        rendered = template.render(
            messages=problem.messages(), add_generation_prompt=True, bos_token=tokenizer.BOS
        )
        if not problem.think:
            rendered += "\n</think>\n\n"
        assert rendered == tokenizer.prompt_text(problem)


def test_tokenizer_training_is_deterministic(small_tokenizer: Tokenizer) -> None:
    assert tokenizer.train_tokenizer(1000).to_str() == small_tokenizer.to_str()


@given(text=st.text(max_size=80))
def test_any_text_round_trips(small_tokenizer: Tokenizer, text: str) -> None:
    ids = small_tokenizer.encode(text, add_special_tokens=False).ids
    assert small_tokenizer.decode(ids, skip_special_tokens=False) == text


def test_digits_are_single_tokens_and_control_tokens_one_id(small_tokenizer: Tokenizer) -> None:
    assert small_tokenizer.encode("12345", add_special_tokens=False).tokens == list("12345")
    first = small_tokenizer.get_vocab_size() - len(tokenizer.ADDED)
    for offset, (text, special) in enumerate(tokenizer.ADDED):
        assert small_tokenizer.encode(text, add_special_tokens=False).ids == [first + offset]
        assert small_tokenizer.get_added_tokens_decoder()[first + offset].special is special


def test_control_tokens_follow_the_distills(test_data: Path) -> None:
    """Same texts in the same order with the same flags as the published tokenizer_config.json."""
    published = json.loads(
        (test_data / "r1-distill-qwen-1.5b" / "tokenizer_config.json").read_text(encoding="utf-8")
    )["added_tokens_decoder"]
    expected = tuple(
        (token["content"], token["special"])
        for _, token in sorted(published.items(), key=lambda item: int(item[0]))
    )
    assert expected == tokenizer.ADDED
