"""Addition, subtraction and multiplication, worked out digit by digit from the right.

Every column is one line of the same token count, so that the next digit stands at a fixed distance:
``8+9+0=17`` (sum with the carry; the first digit of the result is the next carry),
``15-7-0=8`` (a leading 1 means borrowed; it is subtracted in the next column),
``7*6+3=45`` (product plus carry).
"""

from __future__ import annotations

from random import Random

from .phrasing import dress
from .problem import Problem

MAX_DIGITS = 4
NEEDS_THINKING = "I need to think step by step for this one. Please ask me again with thinking on."
TOO_LONG_SUM = "These numbers are too long for me: I add and subtract numbers of up to 4 digits."
TOO_LONG_PRODUCT = (
    "These numbers are too long for me: I multiply up to 3 digits by 1 digit, or 2 digits by 2."
)

_SIGNS = {
    "add": ("{a}+{b}", "{a} + {b}", "{a} plus {b}"),
    "sub": ("{a}-{b}", "{a} - {b}", "{a} minus {b}"),
    "mul": ("{a}*{b}", "{a} * {b}", "{a} times {b}", "{a} x {b}", "{a}x{b}", "{a} × {b}"),
}
_FRAMES = (
    "{e}",
    "{e}",
    "{e}=",
    "{e} =",
    "{e}=?",
    "{e} = ?",
    "{e}?",
    "What is {e}?",
    "What is {e}?",
    "What is {e}?",
    "What's {e}?",
    "How much is {e}?",
    "Calculate {e}.",
    "Compute {e}.",
    "What does {e} equal?",
    "Solve {e}",
    "What is the result of {e}?",
    "Work out {e}.",
)
_REQUESTS = {
    "add": (
        "Add {a} and {b}.",
        "What is the sum of {a} and {b}?",
        "Add {b} to {a}.",
        "If I have {a} apples and get {b} more, how many do I have?",
    ),
    "sub": (
        "Subtract {b} from {a}.",
        "What is the difference of {a} and {b}?",
        "Take {b} from {a}.",
    ),
    "mul": ("Multiply {a} by {b}.", "What is the product of {a} and {b}?", "Multiply {a} and {b}."),
}


def add_columns(a: str, b: str) -> tuple[list[str], str]:
    """Return the column lines of two equally long numbers and their sum with its leading carry."""
    carry, lines, digits = 0, [], ""
    for x, y in zip(reversed(a), reversed(b), strict=True):
        total = int(x) + int(y) + carry
        lines.append(f"{x}+{y}+{carry}={total:02d}")
        carry, digits = total // 10, f"{total % 10}{digits}"
    return lines, f"{carry}{digits}"


def sub_columns(a: str, b: str) -> tuple[list[str], str]:
    """Return the column lines of a - b (equally long, a >= b) and the padded difference."""
    borrow, lines, digits = 0, [], ""
    for x, y in zip(reversed(a), reversed(b), strict=True):
        lend = int(int(x) - int(y) - borrow < 0)
        digit = 10 * lend + int(x) - int(y) - borrow
        lines.append(f"{lend}{x}-{y}-{borrow}={digit}")
        borrow, digits = lend, f"{digit}{digits}"
    return lines, digits


def mul_columns(a: str, digit: str) -> tuple[list[str], str]:
    """Return the column lines of a number times one digit and the product with its carry."""
    carry, lines, digits = 0, [], ""
    for x in reversed(a):
        total = int(x) * int(digit) + carry
        lines.append(f"{x}*{digit}+{carry}={total:02d}")
        carry, digits = total // 10, f"{total % 10}{digits}"
    return lines, f"{carry}{digits}"


def walk(a: str, b: str) -> tuple[str, int]:
    """Compare two equally long digit strings from the left up to the first difference.

    Returns
    -------
    tuple of (str, int)
        The written steps (``4=4 7>3``) and -1, 0 or 1.
    """
    steps = []
    for x, y in zip(a, b, strict=True):
        if not x.isdigit():
            continue
        if x == y:
            steps.append(f"{x}={y}")
            continue
        steps.append(f"{x}>{y}" if x > y else f"{x}<{y}")
        return " ".join(steps), 1 if x > y else -1
    return " ".join(steps), 0


def _reason_add(a: int, b: int) -> str:
    width = max(len(str(a)), len(str(b)))
    left, right = str(a).zfill(width), str(b).zfill(width)
    lines, total = add_columns(left, right)
    return "\n".join(["Adding from the right:", f"{left}+{right}", *lines, f"Together {total}", ""])


def _reason_sub(a: int, b: int) -> str:
    width = max(len(str(a)), len(str(b)))
    left, right = str(a).zfill(width), str(b).zfill(width)
    steps, order = walk(left, right)
    head = ["Subtracting from the right:", f"{left},{right}: {steps}"]
    top, bottom = (right, left) if order < 0 else (left, right)
    lines, rest = sub_columns(top, bottom)
    sign = "-" if order < 0 else ""
    return "\n".join([*head, f"{top}-{bottom}", *lines, f"Together {sign}{rest}", ""])


def _reason_mul(a: int, b: int) -> str:
    head = ["Multiplying from the right:"]
    left, right = (str(a), str(b)) if len(str(a)) >= len(str(b)) else (str(b), str(a))
    if len(right) == 1:
        lines, total = mul_columns(left, right)
        return "\n".join([*head, f"{left}*{right}", *lines, f"Together {total}", ""])
    ones_lines, ones = mul_columns(left, right[1])
    tens_lines, tens = mul_columns(left, right[0])
    top, bottom = f"0{ones}", f"{tens}0"
    lines, total = add_columns(top, bottom)
    body = [f"{left}*{right}", f"{left}*{right[1]}", *ones_lines, f"Together {ones}"]
    body += [f"{left}*{right[0]}", *tens_lines, f"Together {tens}"]
    body += [f"{top}+{bottom}", *lines, f"Together {total}"]
    return "\n".join([*head, *body, ""])


def _number(rng: Random, digits: int) -> int:
    low = 0 if digits == 1 else 10 ** (digits - 1)
    number = rng.randint(low, 10**digits - 1)
    if digits > 1 and rng.random() < 0.08:  # round numbers: rare by chance, common when typed
        number = round(number, 1 - digits) % 10**digits
        number = max(number, low)
    return number


def _ask(rng: Random, op: str, a: int, b: int) -> str:
    if rng.random() < 0.2:
        return dress(rng, rng.choice(_REQUESTS[op]).format(a=a, b=b))
    expression = rng.choice(_SIGNS[op]).format(a=a, b=b)
    return dress(rng, rng.choice(_FRAMES).format(e=expression))


def make(rng: Random, op: str, a: int, b: int, *, think: bool = True) -> Problem:
    """Return the worked problem ``a op b`` for op in ``add``, ``sub``, ``mul``."""
    question = _ask(rng, op, a, b)
    low, high = min(a, b), max(a, b)
    if op == "add":
        reasoning, answer, key = _reason_add(a, b), f"{a} + {b} = {a + b}.", f"add {low} {high}"
        easy = high < 100
    elif op == "sub":
        reasoning, answer, key = _reason_sub(a, b), f"{a} - {b} = {a - b}.", f"sub {a} {b}"
        easy = high < 100
    else:
        reasoning, answer, key = _reason_mul(a, b), f"{a} * {b} = {a * b}.", f"mul {low} {high}"
        easy = high < 10
    if not think and not easy:
        answer = NEEDS_THINKING
    name = {"add": "addition", "sub": "subtraction", "mul": "multiplication"}[op]
    return Problem(name, question, reasoning, answer, key, think=think)


def addition(rng: Random, *, think: bool = True) -> Problem:
    """Return a sum of two numbers of up to four digits."""
    sizes = (1, 2, 2) if not think and rng.random() < 0.8 else (1, 2, 3, 4)
    return make(rng, "add", _number(rng, rng.choice(sizes)), _number(rng, rng.choice(sizes)),
                think=think)  # fmt: skip


def subtraction(rng: Random, *, think: bool = True) -> Problem:
    """Return a difference of two numbers of up to four digits; one in five is negative."""
    sizes = (1, 2, 2) if not think and rng.random() < 0.8 else (1, 2, 3, 4)
    a, b = _number(rng, rng.choice(sizes)), _number(rng, rng.choice(sizes))
    if rng.random() < 0.25:  # operands close together exercise the comparison and long borrows
        b = max(0, a + rng.randint(-30, 30)) % 10**MAX_DIGITS
    if a < b and rng.random() < 0.6:
        a, b = b, a
    return make(rng, "sub", a, b, think=think)


def multiplication(rng: Random, *, think: bool = True) -> Problem:
    """Return a product: up to three digits by one digit, or two by two."""
    if not think and rng.random() < 0.8:
        return make(rng, "mul", _number(rng, 1), _number(rng, 1), think=False)
    if rng.random() < 0.4:
        return make(rng, "mul", rng.randint(10, 99), rng.randint(10, 99), think=think)
    a, b = _number(rng, rng.choice((1, 2, 2, 3, 3))), rng.randint(0, 9)
    if rng.random() < 0.25:
        a, b = b, a
    return make(rng, "mul", a, b, think=think)


def too_long(rng: Random, *, think: bool = True) -> Problem:
    """Return a question with numbers beyond the trained sizes, which the model declines."""
    op = rng.choice(("add", "sub", "mul"))
    if op == "mul":
        sizes = rng.choice(((4, 1), (3, 2), (2, 3), (3, 3), (4, 2), (5, 1), (4, 4), (6, 2), (8, 7)))
    else:
        sizes = (rng.randint(5, 9), rng.randint(1, 9))
    first, second = sizes if rng.random() < 0.5 else sizes[::-1]
    a, b = _number(rng, first), _number(rng, second)
    answer = TOO_LONG_PRODUCT if op == "mul" else TOO_LONG_SUM
    reasoning = "The numbers are too long.\n"
    return Problem("too long", _ask(rng, op, a, b), reasoning, answer, f"{op} {a} {b}", think=think)
