"""Chat templates in the language of Go, which Ollama's models carry, as Jinja.

Understood: ``if``, ``else if``, ``else``, ``end``, ``range`` (with index and item), ``with``,
variables, comments, trim marks, pipelines, and the functions in :mod:`.go_expression`; of the data
``.System``, ``.Prompt``, ``.Response``, ``.Suffix``, ``.Messages``, ``.Tools``, ``.Think`` and
``.IsThinkSet``. Everything else is refused by name. A template without ``.Messages`` is run once
per turn, as Ollama does (``template/template.go``). A template whose only text are the marks of
DeepSeek-R1 becomes the published Jinja template of that model, which is formatted without running
it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from pyinfer.store.go_expression import Scope, refused, translate
from pyinfer.store.places import DEMO_FOLDER

_ACTION = re.compile(r"\{\{(-(?=\s))?(.*?)((?<=\s)-)?\}\}", re.DOTALL)
# What stands inside braces in one language but never in the other.
_GO_ACTION = re.compile(r"\{\{-?\s*(?:[.$(\"`]|/\*|(?:if|else|end|range|with|define|block)\b)")
_R1_MARKS = re.compile(
    r"<｜(?:User|Assistant|begin▁of▁sentence|end▁of▁sentence"
    r"|tool▁(?:calls?|outputs?)▁(?:begin|end)|tool▁sep)｜>|</?think>|\s+|```json|```|function"
)
_R1_TEMPLATE = DEMO_FOLDER / "tokenizer_config.json"
_RANGE = re.compile(r"(?:\$(\w+)\s*(?:,\s*\$(\w+)\s*)?:=\s*)?(.+)", re.DOTALL)
_ASSIGNMENT = re.compile(r"\$(\w+)\s*:?=\s*(.+)", re.DOTALL)


def is_jinja(text: str) -> bool:
    """Whether a template is not in the language of Go."""
    return bool(text) and ("{%" in text or not _GO_ACTION.search(text))


def to_jinja(text: str) -> str:
    """Return a template as Jinja; one that is Jinja is returned as it is.

    Raises
    ------
    ModelUnsupportedError
        It is in the language of Go and uses something that is not understood.
    """
    if not text or is_jinja(text):
        return text
    parts = _split(text)
    words = [part for part in parts if isinstance(part, str)]
    if any("<｜User｜>" in word for word in words) and not any(
        _R1_MARKS.sub("", word) for word in words
    ):
        settings = json.loads(_R1_TEMPLATE.read_text("utf-8"))
        return str(settings["chat_template"])
    if re.search(r"\.Messages\b", text):
        return _PREAMBLE + _Translation().run(parts)
    return _PREAMBLE + _per_turn(parts)


@dataclass(slots=True)
class _Action:
    """What stands between braces."""

    text: str


def _split(text: str) -> list[str | _Action]:
    """Literal text, trimmed as the marks say, and actions; comments are dropped."""
    parts: list[str | _Action] = []
    place, trim = 0, False
    for match in _ACTION.finditer(text):
        literal = text[place : match.start()]
        literal = literal.lstrip() if trim else literal
        literal = literal.rstrip() if match[1] else literal
        if literal:
            parts.append(literal)
        action = match[2].strip()
        if not action.startswith("/*"):
            parts.append(_Action(action))
        place, trim = match.end(), bool(match[3])
    rest = text[place:].lstrip() if trim else text[place:]
    return [*parts, rest] if rest else parts


# Messages as Ollama gives them to a template: the system messages also as one text.
_PREAMBLE = (
    "{%- set ns = namespace() -%}{{ bos_token or '' }}"
    "{%- set System = messages | selectattr('role', 'equalto', 'system')"
    " | map(attribute='content') | join('\\n\\n') -%}"
    "{%- set Prompt = '' -%}{%- set Response = '' -%}{%- set Suffix = '' -%}"
)


@dataclass(slots=True)
class _Translation:
    """Goes through the parts of a template and keeps the open blocks."""

    scope: Scope = field(default_factory=Scope)
    out: list[str] = field(default_factory=list)
    blocks: list[tuple[str, Scope]] = field(default_factory=list)
    loops: int = 0

    def run(self, parts: list[str | _Action], cut_after_response: bool = False) -> str:
        """Translate; ``cut_after_response`` leaves out what follows the first ``.Response``."""
        cut = False
        for part in parts:
            if isinstance(part, str):
                if not cut:
                    self.out.append("{{ " + json.dumps(part, ensure_ascii=False) + " }}")
                continue
            word = part.text.partition(" ")[0]
            if not cut or word in ("if", "range", "with", "end", "else"):
                self._action(part.text)
            cut = cut or (cut_after_response and part.text == ".Response")
        if self.blocks:
            raise refused("a block has no {{ end }}")
        return "".join(self.out)

    def _action(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        rest = rest.strip()
        if word == "if":
            self._open("if", f"{{%- if {translate(rest, self.scope)} -%}}", self.scope)
        elif word == "range":
            self._range(rest)
        elif word == "with":
            self.loops += 1
            name = f"with{self.loops}"
            value = translate(rest, self.scope)
            head = f"{{%- set {name} = {value} -%}}{{%- if {name} -%}}"
            self._open("if", head, self.scope.inside(name))
        elif word == "else":
            self._else(rest)
        elif word == "end":
            if not self.blocks:
                raise refused("an {{ end }} has no block")
            kind, self.scope = self.blocks.pop()
            self.out.append(f"{{%- end{kind} -%}}")
        elif word in ("define", "block", "template", "break", "continue"):
            raise refused(f"{word!r} is not understood")
        elif match := _ASSIGNMENT.fullmatch(text):
            self.out.append(f"{{%- set ns.{match[1]} = {translate(match[2], self.scope)} -%}}")
        else:
            self.out.append("{{ " + translate(text, self.scope) + " }}")

    def _open(self, kind: str, head: str, scope: Scope) -> None:
        self.blocks.append((kind, self.scope))
        self.scope = scope
        self.out.append(head)

    def _range(self, text: str) -> None:
        match = _RANGE.fullmatch(text)
        if match is None:
            raise refused(f"range {text[:40]!r}")
        self.loops += 1
        item = f"item{self.loops}"
        first, second = match[1], match[2]
        head = f"{{%- for {item} in {translate(match[3], self.scope)} -%}}"
        if second is not None:
            head += f"{{%- set ns.{first} = loop.index0 -%}}"
        name = second if second is not None else first
        if name is not None and name != "_":
            head += f"{{%- set ns.{name} = {item} -%}}"
        self._open("for", head, self.scope.inside(item))

    def _else(self, rest: str) -> None:
        if not self.blocks:
            raise refused("an {{ else }} has no block")
        outer = self.blocks[-1][1]
        if not rest:
            self.scope = outer
            self.out.append("{%- else -%}")
        elif rest.startswith("if "):
            self.scope = outer
            self.out.append(f"{{%- elif {translate(rest[3:].strip(), outer)} -%}}")
        else:
            raise refused(f"else {rest[:40]!r}")


def _per_turn(parts: list[str | _Action]) -> str:
    """A template of one turn (system, prompt, response), applied to a whole conversation."""
    if _Action(".Response") not in parts:
        parts = [*parts, _Action(".Response")]
    turn, last = _Translation().run(parts), _Translation().run(parts, cut_after_response=True)
    flush = "{{ turn(ns.system, ns.prompt, ns.response) }}{%- set ns.system = '' -%}"
    flush += "{%- set ns.prompt = '' -%}{%- set ns.response = '' -%}"
    return (
        f"{{%- macro turn(System, Prompt, Response) -%}}{turn}{{%- endmacro -%}}"
        f"{{%- macro last(System, Prompt, Response) -%}}{last}{{%- endmacro -%}}"
        "{%- set ns.system = '' -%}{%- set ns.prompt = '' -%}{%- set ns.response = '' -%}"
        "{%- for message in messages -%}"
        "{%- if message.role == 'system' -%}"
        f"{{%- if ns.prompt or ns.response -%}}{flush}{{%- endif -%}}"
        "{%- set ns.system = message.content -%}"
        "{%- elif message.role == 'assistant' -%}{%- set ns.response = message.content or '' -%}"
        "{%- else -%}"
        f"{{%- if ns.response -%}}{flush}{{%- endif -%}}"
        "{%- set ns.prompt = message.content -%}"
        "{%- endif -%}{%- endfor -%}"
        "{{ last(ns.system, ns.prompt, ns.response) }}"
    )
