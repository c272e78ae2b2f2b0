"""Templates in the language of Go; the expected texts follow Ollama's rules (docs/template.mdx)."""

from __future__ import annotations

from typing import Any

import pytest

from pyinfer.errors import ModelUnsupportedError
from pyinfer.store.go_template import is_jinja, to_jinja
from pyinfer.text.r1_format import recognise_r1
from pyinfer.text.template_sandbox import render_sandboxed

MESSAGES = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b"},
    {"role": "user", "content": "c"},
]
R1 = """{{- if .System }}{{ .System }}{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1}}
{{- if eq .Role "user" }}<｜User｜>{{ .Content }}
{{- else if eq .Role "assistant" }}<｜Assistant｜>
  {{- if and $.IsThinkSet (and $last .Thinking) -}}
<think>
{{ .Thinking }}
</think>
{{- end }}{{ .Content }}{{- if not $last }}<｜end▁of▁sentence｜>{{- end }}
{{- end }}
{{- if and $last (ne .Role "assistant") }}<｜Assistant｜>{{- end }}
{{- end }}"""
CHATML = """{{ if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}{{ if .Prompt }}<|im_start|>user
{{ .Prompt }}<|im_end|>
{{ end }}<|im_start|>assistant
{{ .Response }}<|im_end|>
"""


def render(template: str, **more: Any) -> str:
    context = {"messages": MESSAGES, "tools": None, "bos_token": "^", **more}
    return render_sandboxed(to_jinja(template), context)


def test_the_language_is_told_apart() -> None:
    assert is_jinja("{% for m in messages %}{{ m.content }}{% endfor %}")
    assert is_jinja("{{ messages[0]['content'] }}")
    assert is_jinja("{{- bos_token }}plain")
    for text in (R1, CHATML, "{{ .Prompt }}", "{{- range $m := .Messages }}{{ end }}"):
        assert not is_jinja(text)
    assert to_jinja("{{ messages[0]['content'] }}") == "{{ messages[0]['content'] }}"
    assert to_jinja("") == ""


def test_the_template_of_r1_becomes_the_published_one() -> None:
    assert recognise_r1(to_jinja(R1)) is not None
    assert recognise_r1(to_jinja("{{ .System }}<｜User｜>{{ .Prompt }}<｜Assistant｜>")) is not None
    assert recognise_r1(to_jinja(R1 + "Be nice.")) is None


def test_one_turn_at_a_time() -> None:
    want = "^<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n"
    want += "<|im_start|>assistant\nb<|im_end|>\n"
    want += "<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n"
    assert render(CHATML) == want
    assert render("{{ .System }}/{{ .Prompt }}>") == "^S/a>b/c>"


def test_messages_with_loops_variables_and_trimming() -> None:
    template = """
    {{- /* a comment */ -}}
    {{- range $i, $m := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 -}}
    [{{ .Role }}{{ if or (eq .Role "user" "tool") (and $last .Content) }}!{{ end }}
    {{- " " }}{{ $m.Content }}]
    {{- if $last }} END {{ $i }}{{ else }},{{ end }}
    {{- end }}{{ if and $.IsThinkSet (not $.Think) }}~{{ end }}"""
    want = "^[system S],[user! a],[assistant b],[user! c] END 3"
    assert render(template) == want
    assert render(template, enable_thinking=True) == want
    assert render(template, enable_thinking=False) == want + "~"


def test_tools_with_and_pipes() -> None:
    template = (
        "{{ range .Tools }}{{ .Function.Name }}={{ .Function.Parameters | json }};{{ else }}none"
        "{{ end }}{{ with .System }}<{{ . | print }}>{{ end }}{{ index .Messages 1 | json }}"
        "{{ range .Messages }}{{ end }}{{ len `ab` }}"
    )
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"a": 1}}}]
    with pytest.raises(ModelUnsupportedError):
        to_jinja("{{ range .Messages }}{{ . | frob }}{{ end }}")
    template = template.replace("<{{ . | print }}>", "<{{ $.System }}>")
    assert render(template, tools=tools).startswith('^f={"a": 1};<S>{"')
    assert render(template, tools=tools).endswith("2")
    assert render(template).startswith("^none<S>")


@pytest.mark.parametrize(
    "template",
    [
        "{{ .Banana }}",
        "{{ if .System }}",
        "{{ end }}{{ .Prompt }}",
        "{{ else }}{{ .Prompt }}",
        "{{ range .Messages }}{{ .Images }}{{ end }}",
        "{{ template \"x\" . }}{{ .Prompt }}",
        "{{ .Prompt | upper }}",
        "{{ (.Prompt }}",
        "{{ .Prompt }}{{ $x := }}",
        "{{ if }}{{ .Prompt }}{{ end }}",
        "{{ .Prompt ? }}",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named(template: str) -> None:
    with pytest.raises(ModelUnsupportedError, match="cannot be translated"):
        to_jinja(template)
