"""``pyinfer bench``: lists of numbers, output, refusals."""

from __future__ import annotations

import argparse
import json

import pytest

from pyinfer.cli import bench
from pyinfer.cli.main import main
from pyinfer.diagnose.bench_report import FORMATS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("512", [512]),
        ("0,128", [0, 128]),
        ("1-4", [1, 2, 3, 4]),
        ("128-512+128", [128, 256, 384, 512]),
        ("1-10*3,7", [1, 3, 9, 7]),
        ("5-5*2", [5]),
    ],
)
def test_numbers(text: str, expected: list[int]) -> None:
    """The syntax that llama-bench documents."""
    assert bench.numbers(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "1,", "-1", "4-1", "5-5*1", "1-9*1", "0-9*2", "1-9+0", "1-5000", "99999999", "٣"],
)
def test_wrong_numbers(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        bench.numbers(text)


def test_the_formats_are_those_of_the_library() -> None:
    assert bench.FORMATS == FORMATS


def test_lists_run_every_combination(capsys: pytest.CaptureFixture[str]) -> None:
    words = "bench -p 4 -p 8,0 -n 2 -pg 4,2 -d 0 -t 1,2 -np 2 -r 1 -o jsonl --progress"
    assert main(words.split()) == 0
    printed = capsys.readouterr()
    found = [json.loads(line) for line in printed.out.splitlines()]
    tests = [(line["n_threads"], line["n_prompt"], line["n_gen"]) for line in found]
    assert tests == [(t, *n) for t in (1, 2) for n in ((4, 0), (8, 0), (0, 2), (4, 2))]
    assert {line["n_parallel"] for line in found} == {2}
    assert printed.err.count("\n") == len(found)


def test_table_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "-p", "4", "-n", "0", "-r", "1", "-t", "1", "--no-warmup"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "pp4" in lines[2]


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["-p", "x"], 2, "'x'"),
        (["-p", "0", "-n", "0"], 2, "nothing to measure"),
        (["-t", "0"], 2, "'0'"),
        (["-pg", "4"], 2, "'4'"),
        (["-pg", "4,99999999"], 2, "99999999"),
        (["-o", "xml"], 2, "xml"),
        (["-r", "0"], 2, "'0'"),
        (["-np", "99"], 2, "99 sequences"),
        (["-d", "9999"], 2, "context"),
        (["-m", "does/not/exist"], 5, "does/not/exist"),
    ],
)
def test_refused(
    words: list[str], status: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words]) == status
    error = capsys.readouterr().err
    assert error.startswith("pyinfer: error: ")
    assert error.count("\n") == 1
    assert text in error
