"""Hostile templates: nothing escapes, nothing hangs, every failure is one typed error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pyinfer.errors import ModelFormatError, RequestError
from pyinfer.text import template_sandbox
from pyinfer.text.sandbox import template_worker
from pyinfer.text.sandbox.pool import SandboxPool
from pyinfer.text.template_sandbox import LIMITS, render_sandboxed

CANARY = "pyinfer-canary-value"


def context(text: str = "hello") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "bos_token": "<s>"}


def test_features_of_chat_templates() -> None:
    source = (
        "{% for m in messages %}\n"
        "  {% if loop.index0 == 1 %}{% break %}{% endif %}\n"
        "{{ m.content | tojson }}{% endfor %}"
        "{{ {'b': '<é>', 'a': 1} | tojson(indent=2, sort_keys=true) }}{{ strftime_now('%Y') }}"
    )
    data = {"messages": [{"content": "<'\"é>"}, {"content": "no"}]}
    text = render_sandboxed(source, data)
    assert re.fullmatch(r'"<\'\\"é>"\{\n  "a": 1,\n  "b": "<é>"\n\}\d{4}', text)


# Sandbox escapes as published for Jinja2 and for templating in general. {f} is a canary file.
ROOTS = ["''", "messages", "cycler", "namespace", "lipsum", "range", "raise_exception", "dict"]
CHAINS = [
    "{{ ROOT.__class__.__mro__[-1].__subclasses__() }}",
    "{{ ROOT.__init__.__globals__['__builtins__'].open('{f}').read() }}",
    "{{ ROOT.__globals__.os.environ }}",
    "{{ (ROOT | attr('__class__')) | attr('__base__') }}",
    "{{ ROOT['__class__']['__base__'] }}",
]
EXTRA = [
    "{% include '{f}' %}",
    "{% import '{f}' as x %}",
    "{% extends '{f}' %}",
    "{{ '%s' | format(bos_token.__class__) }}{{ ''.__class__ }}",
    "{{ '{0.__class__.__mro__}'.format(1) }}",
    "{{ '{0.__class__.__mro__}' | format(1) }}",
    "{{ '{a.__init__.__globals__}'.format_map({'a': range}) }}",
    "{{ 'x'.format.__self__.__class__ }}",
    "{% set f = '{0.__globals__}'.format %}{{ f(lipsum) }}",
    "{{ ['{0.__class__.__mro__}'] | map('format', 1) | list }}",
    "{{ messages.append(1) }}{{ messages }}",
    "{{ messages[0].update({'content': '{f}'}) }}",
    "{{ open('{f}') }}",
    "{{ __import__('os').environ }}",
    "{{ request.application.__globals__ }}",
    "{{ config.items() }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ raise_exception.__code__.co_consts }}",
    "{{ strftime_now.__func__ }}",
    "{{ ().__reduce_ex__(2) }}",
    "{{ (1).__class__.__base__ }}",
    "{% set x = cycler.__init__ %}{{ x.__globals__.os.popen('cat {f}').read() }}",
    "{% for k in ().__class__.__base__.__subclasses__() %}{{ k }}{% endfor %}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{% call(x) raise_exception %}{% endcall %}{{ caller.__globals__ }}",
]  # fmt: skip
PAYLOADS = [chain.replace("ROOT", root) for root in ROOTS for chain in CHAINS] + EXTRA


def test_enough_payloads() -> None:
    assert len(PAYLOADS) >= 60


def test_escapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = tmp_path / "canary"
    canary.write_text(CANARY)
    monkeypatch.setenv("PYINFER_CANARY", CANARY)
    for payload in PAYLOADS:
        source = payload.replace("{f}", str(canary))
        try:
            text = render_sandboxed(source, context())
        except (ModelFormatError, RequestError) as error:
            text = str(error)
        assert CANARY not in text, payload
        assert not re.search(r"<class '|<module|mappingproxy|<function", text), payload


def test_the_process_has_no_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even with every attribute allowed, the process itself cannot reach files or start others."""
    script = Path(template_worker.__file__).read_text("utf-8")
    probe = script.replace(
        'return {"text": _render(request)}',
        "return {\"text\": repr([_try(lambda: open('/etc/passwd')), _try(lambda: open('x', 'w')),"
        " _try(lambda: __import__('socket').socket()), __import__('os').environ.get('HOME')])}",
    ).replace(
        "def load()",
        "def _try(call):\n    try:\n        return call()\n"
        "    except Exception as error:\n        return type(error).__name__\n\n\ndef load()",
    )
    assert probe.count("_try") == 4
    path = tmp_path / "probe.py"
    path.write_text(probe)
    pool = SandboxPool(path, ("jinja2", "markupsafe"), LIMITS, 1, 1)
    monkeypatch.setattr(template_sandbox, "POOL", pool)
    assert render_sandboxed("", context()) == "['OSError', 'OSError', 'OSError', None]"


def test_templates_leave_nothing_behind() -> None:
    source = "{% set x = namespace(n=1) %}{{ x.n }}{{ cycler('a', 'b').next() }}"
    assert [render_sandboxed(source, context()) for _ in range(3)] == ["1a"] * 3
    with pytest.raises(ModelFormatError):
        render_sandboxed("{% for i in range(10**9) %}{% endfor %}", context())
    assert render_sandboxed(source, context()) == "1a"


BOMBS = [
    "{{ 'a' * 10**9 }}",
    "{{ 10**(10**8) }}",
    "{{ '%0999999999d' % 1 }}",
    "{{ '%0999999999d' | format(1) }}",
    "{{ '{:0999999999d}'.format(1) }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{% if 1 %}" * 3000,
    "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{{ [1] * 10**10 }}",
    "{{ (('a' * 10**7) | list) * 100 }}",
    "{{ range(10**9) | list }}",
    "{{ 'a' | center(10**10) }}",
    "{{ ('ab' * 10**6) | wordwrap(1) | urlize }}",
    "{{ lipsum(n=10**6) }}",
    "{{ ('a' * 10**6).replace('', 'b' * 10**6) }}",
    "{{ ('x' * 200000000)[:0] }}{{ ('y' * 500000000) }}",
    "{{ 'a' | indent(10**9) }}",
    "{{ 'a'.ljust(10**9) }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ ('a,' * 10**8).split(',') }}",
    "{{ [0] | batch(10**9, 'x') | list }}",
    "{{ ('a' * 10**6) | list | join('b' * 10**6) }}",
    "{{ 2 ** (2 ** 40) }}",
    "{% set l = namespace(x=[1]) %}{% for i in range(60) %}{% set l.x = l.x + l.x %}{% endfor %}",
    "{{ dict(a='b' * 10**9) | tojson }}",
    "{% filter upper %}{% for i in range(99999) %}{{ 'a' * 10**6 }}{% endfor %}{% endfilter %}",
    "{{ {'a': [1] * 10**7} | tojson(indent=1000) }}",
]  # fmt: skip


def test_enough_bombs() -> None:
    assert len(BOMBS) >= 30


@pytest.mark.parametrize("source", BOMBS, ids=lambda s: s[:30])
def test_bombs_end_in_an_error(source: str) -> None:
    with pytest.raises((ModelFormatError, RequestError)) as caught:
        render_sandboxed(source, context())
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("{{ raise_exception('only one system message') }}", RequestError, "only one system"),
        ("{{ undefined_name.attribute }}", RequestError, "cannot render"),
        ("{{ 1 / 0 }}", RequestError, r"messages: ZeroDivisionError \(line 1\)$"),
        ("a\n{{ messages.x.y }}", RequestError, r"they do not have \(line 2\)$"),
        ("{{ 'x' + 1 }}", RequestError, r"messages: TypeError \(line 1\)$"),
        ("{% if %}", ModelFormatError, "line 1 is malformed$"),
        ("a\n{{ ''.__class__.__mro__ }}", ModelFormatError, r"not allowed \(line 2\)$"),
        ("x" * (256 * 1024 + 1), ModelFormatError, "262,145 bytes"),
        ("{{ '\\ud800' }}", ModelFormatError, "surrogate"),
    ],
)
def test_errors(source: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        render_sandboxed(source, context())
    assert type(caught.value) is error


def test_memory_limit() -> None:
    assert render_sandboxed("{{ ('a' * 1000000) | length }}", {}) == "1000000"
    with pytest.raises(ModelFormatError, match="memory"):
        render_sandboxed("{{ ('a' * 600000000) | length }}", {})


def test_output_limit() -> None:
    data = context("x" * 1000)
    limit = 4 * (len("messagesroleusercontentbos_token<s>") + 1000)
    source = "{{ 'a' * %6d }}"
    limit += 4 * len(source % 0) + 64 * 1024
    assert len(render_sandboxed(source % limit, data)) == limit
    with pytest.raises(ModelFormatError, match="longer than"):
        render_sandboxed(source % (limit + 1), data)
