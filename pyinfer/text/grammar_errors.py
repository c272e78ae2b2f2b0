"""What is wrong with a grammar, in our own words.

The library that compiles grammars describes faults in its own way, sometimes with its state or the
text of a crash. Such text never reaches a client: known descriptions are said anew, with the names
and numbers of the client's own grammar, and the others become one general sentence.
"""

from __future__ import annotations

import re

_UNKNOWN = "it cannot be compiled: it is malformed or uses what is not supported"
_TOO_LARGE = "it is too large or too complex to be followed: simplify it"
_AMBIGUOUS = "it is too ambiguous to be followed: too many ways to read the same text"
_NO_TEXT = "no text satisfies it"

# In this order; a group of the pattern fills the sentence.
_KNOWN: tuple[tuple[str, str], ...] = (
    (r"Unimplemented keys: \[([^\]]*)\]", "these keywords are not supported: {}"),
    (r"Unknown format: (\S+)", "the format {} is not supported"),
    (r"Invalid type: (\S+)", "there is no type {}"),
    (r"type must be a string", "type must be a string or a list of strings"),
    (r"Pointer '([^']*)' does not exist", "$ref leads nowhere: {}"),
    (r"Resource '([^']*)' is not present", "$ref must stay within the schema, not lead to {}"),
    (
        r"(min\w+ \([^)]*\)) is greater than (max\w+ \([^)]*\))",
        _NO_TEXT + ": {} is greater than {}",
    ),
    (r"required property '([^']*)' is unsat", _NO_TEXT + ": the required property {} is excluded"),
    (r"incompatible types", _NO_TEXT + ": it combines incompatible types"),
    (r"Unsatisfiable schema", _NO_TEXT),
    (r"oneOf constraints", "oneOf is only supported where its branches exclude each other"),
    (r"Expected (\w+)[^']* for '(\w+)'", "expected another kind of value ({}) for {}"),
    (r"(\w+) must be an? (object|array)", "{} must be an {}"),
    (r"invalid multiple of|'multipleOf' has too many", "multipleOf is out of range"),
    (r"regex for (?:float|int\w*) range", "the range of a number is out of bounds"),
    (r"are not disjoint|are disjoint", "the patterns of patternProperties overlap"),
    (r"circular references", "a $ref that leads back to itself stands beside other keywords"),
    (r"schema too large|too big|too complex|fuel|too many (?:states|expressions)", _TOO_LARGE),
    (r"items; max is|[Tt]oo many items|ambiguous", _AMBIGUOUS),
    (r"look-?around", "a regular expression uses look-around, which is not supported"),
    (r"backreferences", "a regular expression refers back, which is not supported"),
    (r"unclosed group|unopened group", "a group of a regular expression is not closed or opened"),
    (r"unclosed character class", "a character class of a regular expression is not closed"),
    (r"Unicode property", "a regular expression names a Unicode property that does not exist"),
    (r"repetition", "a repetition in a regular expression is malformed"),
    (r"invalid regex|regex parse error", "a regular expression is malformed"),
    (r'unknown name: "([^"]*)"', "the rule {} is not defined"),
    (r'unknown special token: "([^"]*)"', "the control token {} must not be used"),
    (r'duplicate rule: "([^"]*)"', "the rule {} is defined twice"),
    (r"range end must be >= start", "a repetition ends before it starts"),
    (r"only supported for tokens", "& and ~ only work within rules in capitals"),
    (r"Empty grammar", "it is empty"),
    (r"lexer error|[Ee]xpected (?:one of|token)|[Uu]nexpected", "it is malformed there"),
    (r"%llguidance", "its %llguidance line is malformed"),
    (r"NoExtension", _NO_TEXT),
)
_PATTERNS = tuple((re.compile(pattern), sentence) for pattern, sentence in _KNOWN)
_CRASHED = re.compile(r"panic", re.IGNORECASE)
_PLACE = re.compile(r"^(?:at )?(\d{1,6})\((\d{1,6})\): ")
_LONGEST = 80


def explain(text: str, *, place: bool = False) -> str:
    """Say what the library's description of a fault means.

    Parameters
    ----------
    text : str
        May be anything.
    place : bool
        Give line and column: the library saw the client's own text, not a translation.
    """
    if _CRASHED.search(text):
        return _UNKNOWN
    # Where it shows the source, that is the client's own text: it must not look like a fault.
    head = "\n".join(line for line in text[:4000].splitlines() if not re.match(r"\s*\d+ \| ", line))
    found = _PLACE.match(head) if place else None
    where = f"line {found[1]}, column {found[2]}: " if found else ""
    for pattern, sentence in _PATTERNS:
        found = pattern.search(head)
        if found is not None:
            names = [_short(group) for group in found.groups()]
            return where + sentence.format(*names)
    return where + _UNKNOWN


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
