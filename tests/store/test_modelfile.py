"""Modelfiles, read and written."""

from __future__ import annotations

import pytest

from pyinfer.errors import ModelUnsupportedError, UsageError
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.modelfile import parse_modelfile, write_modelfile

TEXT = '''# a comment
FROM ./model.gguf

parameter temperature 0.6
PARAMETER num_ctx 4096
PARAMETER stop "<｜User｜>"
PARAMETER stop <｜Assistant｜>
PARAMETER use_mmap true
PARAMETER mirostat 1
TEMPLATE """{{ messages[0].content }}
{{ bos_token }}"""
SYSTEM """
You are "Mario"."""
MESSAGE user Is Toronto in Canada?
MESSAGE assistant """yes
sure"""
LICENSE "MIT"
License """
Two
lines
"""
REQUIRES 0.6.0
'''


def test_everything() -> None:
    file = parse_modelfile(TEXT)
    assert file.source == "./model.gguf"
    assert file.notes == ("line 9 of the Modelfile: mirostat has no effect here",)
    assert file.settings == ModelSettings(
        template="{{ messages[0].content }}\n{{ bos_token }}",
        system='\nYou are "Mario".',
        parameters={
            "temperature": 0.6,
            "num_ctx": 4096,
            "stop": ["<｜User｜>", "<｜Assistant｜>"],
            "use_mmap": True,
        },
        messages=(
            {"role": "user", "content": "Is Toronto in Canada?"},
            {"role": "assistant", "content": "yes\nsure"},
        ),
        licenses=("MIT", "\nTwo\nlines\n"),
    )


def test_what_is_written_is_read_back() -> None:
    settings = parse_modelfile(TEXT).settings
    again = parse_modelfile(write_modelfile(settings, "deepseek-r1:1.5b"))
    assert (again.source, again.settings) == ("deepseek-r1:1.5b", settings)
    windows = parse_modelfile("\ufeff" + TEXT.replace("\n", "\r\n"))
    assert windows.settings == settings


def test_quotes_end_at_the_end_of_a_line() -> None:
    file = parse_modelfile('FROM a\nSYSTEM "say "hi" and\n"bye""\nPARAMETER stop """x"""\n')
    assert file.settings.system == 'say "hi" and\n"bye"'
    assert file.settings.parameters == {"stop": ["x"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no FROM"),
        ("SYSTEM hi", "no FROM"),
        ("FROM a\nFROM b", "line 2.*second FROM"),
        ("FROM a\nPARAMETER temperature hot", "line 2.*temperature must be of type number"),
        ("FROM a\nPARAMETER num_ctx 1.5", "num_ctx must be of type integer"),
        ("FROM a\nPARAMETER top_p nan", "top_p must be of type number"),
        ("FROM a\nPARAMETER use_mmap 2", "use_mmap must be of type true or false"),
        ("FROM a\nPARAMETER colour red", "'colour' is no parameter"),
        ("FROM a\nPARAMETER stop", "PARAMETER takes"),
        ("FROM a\nMESSAGE robot hi", "'robot' is no role"),
        ("FROM a\nMESSAGE user", "MESSAGE takes"),
        ('FROM a\nSYSTEM """never\nclosed', "line 2.*never closed"),
        ("FROM a\nBANANA 1", "'BANANA' is no instruction|'banana' is no instruction"),
        ("FROM", "FROM has no value"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_modelfile(text)


def test_adapters_are_refused_with_the_reason() -> None:
    with pytest.raises(ModelUnsupportedError, match=r"line 2.*LoRA"):
        parse_modelfile("FROM a\nADAPTER ./lora.gguf")
    with pytest.raises(ModelUnsupportedError, match="'frobnicate'"):
        parse_modelfile("FROM a\nTEMPLATE {{ .System }}{{ frobnicate .Prompt }}")
