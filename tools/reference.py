"""Writes docs/reference.md: every public name with its signature and its documentation.

The docstrings are the only source; griffe reads them without importing the package. Needs the extra
``[test]``. Run ``python -m tools.reference`` after a change of the public surface.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference.md"
LINE = 100
HEAD = """# Reference of the Python surface

Written by `python -m tools.reference` from the docstrings; `help(pyinfer.load)` shows the same.
Everything else in the package may change without notice.
"""
_ROLE = re.compile(r":\w+:`~?([^`]+)`")


def page() -> str:
    """The whole page as Markdown."""
    package = griffe.load(
        "pyinfer", search_paths=[ROOT], docstring_parser="numpy", allow_inspection=False
    )
    names = sorted(name for name in package.exports or () if str(name) != "__version__")
    objects = [(str(name), _target(package, str(name))) for name in names]
    kinds = {
        "Functions": [pair for pair in objects if pair[1].is_function],
        "Classes": [pair for pair in objects if pair[1].is_class and not _is_error(pair[1])],
        "Errors": [pair for pair in objects if _is_error(pair[1])],
    }
    lines = [HEAD]
    for title, pairs in kinds.items():
        lines.append(f"## {title}\n")
        for name, found in pairs:
            lines += _object(f"pyinfer.{name}", found, "###")
    return "\n".join(lines).rstrip() + "\n"


def _target(package: griffe.Object | griffe.Alias, name: str) -> griffe.Object:
    found = package[name]
    return found.final_target if isinstance(found, griffe.Alias) else found


def _is_error(found: griffe.Object) -> bool:
    return found.is_class and found.path.startswith("pyinfer.errors.")


def _object(title: str, found: griffe.Object, level: str) -> Iterator[str]:
    yield f"{level} {title}\n"
    if isinstance(found, griffe.Function):
        yield f"```python\n{_signature(title, found)}\n```\n"
    yield from _documentation(found)
    if not isinstance(found, griffe.Class):
        return
    for name, member in found.members.items():
        public = not name.startswith("_") and member.docstring is not None
        if public and isinstance(member, griffe.Function):
            yield from _object(f"{title.rpartition('.')[2]}.{name}", member, level + "#")
        elif public and isinstance(member, griffe.Attribute) and "property" in member.labels:
            yield f"{level}# {title.rpartition('.')[2]}.{name}: {member.annotation}\n"
            yield from _documentation(member)


def _signature(title: str, function: griffe.Function) -> str:
    words = []
    for p in function.parameters:
        if p.name in ("self", "cls"):
            continue
        if p.kind is griffe.ParameterKind.keyword_only and "*" not in words:
            words.append("*")
        stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
        default = "" if p.default is None or p.kind in stars else f" = {p.default}"
        words.append(f"{stars.get(p.kind, '')}{p.name}: {p.annotation}{default}")
    head = "async def" if "async" in function.labels else "def"
    one_line = f"{head} {title}({', '.join(words)}) -> {function.returns}"
    if len(one_line) <= LINE:
        return one_line
    return "\n".join(
        (f"{head} {title}(", *(f"    {w}," for w in words), f") -> {function.returns}")
    )


def _documentation(found: griffe.Object) -> Iterator[str]:
    if found.docstring is None:
        return
    for section in found.docstring.parsed:
        if section.kind is griffe.DocstringSectionKind.text:
            yield f"{_plain(section.value)}\n"
        elif section.kind is griffe.DocstringSectionKind.examples:
            yield "```python"
            yield from (text for _, text in section.value)
            yield "```\n"
        elif isinstance(section.value, list):
            yield f"{section.kind.value.capitalize()}:\n"
            yield from (_row(item) for item in section.value)
            yield ""


def _row(item: griffe.DocstringElement) -> str:
    name = getattr(item, "name", "")
    kind = "" if item.annotation is None else str(item.annotation)
    head = " : ".join(f"`{word}`" for word in (name, kind) if word)
    return f"- {head}: {' '.join(_plain(item.description).split())}".rstrip(": ")


def _plain(text: str) -> str:
    """Sphinx roles and double quotes of code as Markdown has them."""
    named = _ROLE.sub(lambda match: f"`{match[1].rpartition('pyinfer.')[2]}`", text)
    return named.replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
