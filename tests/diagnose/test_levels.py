"""Which level runs, and what is said about the better ones. The table is one made up here, so that
the answers do not depend on the machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pyinfer._kernels import runtime
from pyinfer._kernels.runtime import Level, available_isas, choose_isa, isa_choice
from pyinfer.checkpoint import loader
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.diagnose.levels import level_facts, level_line, level_names
from pyinfer.errors import UnsupportedCPUError, UsageError

from ..checkpoints import random_config, write_folder

TABLE = (
    Level("wide", "wide vectors", True, ("sse9", "sse8")),
    Level("new", "new vectors", False, ()),
    Level("old", "old vectors", True, ()),
    Level("scalar", "plain C", True, ()),
)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("PYINFER_ISA", raising=False)
    set_table(monkeypatch, *TABLE)
    return monkeypatch


def set_table(monkeypatch: pytest.MonkeyPatch, *levels: Level) -> None:
    monkeypatch.setattr(runtime, "LEVELS", levels)
    monkeypatch.setattr(runtime, "ISAS", tuple(level.name for level in levels))


def test_the_first_that_runs_is_chosen_and_says_what_the_better_ones_lack(
    table: pytest.MonkeyPatch,
) -> None:
    assert available_isas() == ("old", "scalar")
    lacking = "wide: this CPU lacks sse9, sse8; new: not in this build"
    assert isa_choice() == ("old", lacking, False)
    assert level_line() == f"old ({lacking})"
    set_table(table, *TABLE[2:])
    assert isa_choice() == ("old", "the best there is", False)


def test_a_level_by_name(table: pytest.MonkeyPatch) -> None:
    assert isa_choice("scalar") == ("scalar", "isa=scalar", True)
    table.setenv("PYINFER_ISA", "scalar")
    assert isa_choice() == ("scalar", "PYINFER_ISA=scalar", True)
    assert choose_isa("old") == "old"


@pytest.mark.parametrize(
    ("name", "error", "problem"),
    [
        ("wide", UnsupportedCPUError, "this CPU lacks sse9, sse8"),
        ("new", UnsupportedCPUError, "not in this build"),
        ("neon9", UsageError, "no instruction set level here"),
        ("OLD", UsageError, "no instruction set level here"),
    ],
)
def test_a_level_that_does_not_run_is_refused_with_those_that_do(
    table: pytest.MonkeyPatch, name: str, error: type[UsageError], problem: str
) -> None:
    with pytest.raises(error, match=problem) as caught:
        isa_choice(name)
    assert caught.value.hint == "use one of: old, scalar"
    table.setenv("PYINFER_ISA", name)
    with pytest.raises(error, match=f"PYINFER_ISA=.*{name}"):
        isa_choice()


def test_facts_of_every_level(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = level_facts()
    assert tuple(facts) == level_names()
    for name in available_isas():
        assert facts[name].startswith("available: ")


def test_plain_c_is_not_taken_silently(
    table: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_folder(tmp_path, random_config(), 1)
    set_table(table, TABLE[0], TABLE[3])
    table.setattr(loader, "ISAS", ("wide", "scalar"))
    loader.load_model(tmp_path, LoadOptions(threads=1, ctx_size=64))
    assert caplog.messages == [
        "the kernels run in plain C, many times slower: wide: this CPU lacks sse9, sse8"
    ]
    caplog.clear()
    model = loader.load_model(tmp_path, LoadOptions(threads=1, ctx_size=64, isa="scalar"))
    assert caplog.messages == []
    assert "instruction set: scalar (isa=scalar)" in model.report
