"""What the documents say is so: examples run, links and paths exist, tables are complete."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from pyinfer import errors
from pyinfer.cli.commands import COMMANDS as COMMAND_NAMES
from tools.reference import page

from .source_tree import ROOT, files, name, text

README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
COMMANDS = ROOT / "docs" / "commands.md"
DOCUMENTS = files(".md")
PROGRAMS = {
    "pip",
    "python",
    "pytest",
    "pyinfer",
    "ruff",
    "cython-lint",
    "mypy",
    "cmake",
    "ctest",
    "clang-format",
    "just",
    "pre-commit",
    ".",
}
SCRIPTS = {"tools/build_inplace.sh", ".ci/run"}


def blocks(path: Path, language: str) -> list[str]:
    """Fenced blocks of a language."""
    found, block = [], None
    for line in text(path).splitlines():
        if block is None and line == f"```{language}":
            block = []
        elif block is not None and line == "```":
            found.append("\n".join(block))
            block = None
        elif block is not None:
            block.append(line)
    return found


def between(path: Path, start: str, end: str) -> str:
    """Text between two markers."""
    _, _, rest = text(path).partition(start)
    return rest.partition(end)[0]


def slug(heading: str) -> str:
    """Anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this Python in the checkout."""
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def commands() -> Iterator[str]:
    """Every simple command in README and CONTRIBUTING: sh blocks, and the tables of tasks."""
    sources = (README, CONTRIBUTING)
    shell = [block.replace("\\\n", " ") for path in sources for block in blocks(path, "sh")]
    table = re.findall(
        r"`((?:just|python|\.ci/run)[^`]*)`", between(CONTRIBUTING, "## The inner", "| Extra")
    )
    for line in [*"\n".join(shell).splitlines(), *table]:
        for part in line.split("&&"):
            yield " ".join(part.split())


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks(README, "python")
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out
    assert "9.9" in printed
    assert "42" in printed


def test_the_transcript_is_what_the_command_prints() -> None:
    shown = between(README, "<!-- transcript -->", "<!-- end transcript -->")
    result = run("-m", "pyinfer.generate", "--temperature", "0", "Which is larger, 9.11 or 9.9?")
    assert result.returncode == 0
    assert shown.strip() == f"```\n{result.stdout.strip()}\n```"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text(path)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), target
        headings = re.findall(r"^#+ (.*)$", text(linked), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {slug(heading) for heading in headings}, target


def test_paths_exist() -> None:
    pattern = re.compile(r"`((?:\.ci|bench|cmake|csrc|docs|pyinfer|tests|tools)/[^`\s]*)`")
    for path in DOCUMENTS:
        for written in pattern.findall(text(path)):
            target = re.sub(r"<\w+>", "*", written).replace("...", "*")
            assert list(ROOT.glob(target.rstrip("/"))), f"{name(path)}: {written}"


def test_commands_exist() -> None:
    for command in commands():
        words = command.split()
        assert words[0] in PROGRAMS | SCRIPTS, command
        assert words[0] in PROGRAMS or (ROOT / words[0]).exists(), command
        if words[:2] == ["python", "-m"]:
            module = words[2].replace(".", "/")
            known = (ROOT / f"{module}.py").exists() or find_spec(words[2].split(".")[0])
            assert known, command
        if words[0] == "pytest" and len(words) > 1 and not words[1].startswith("-"):
            assert (ROOT / words[1]).exists(), command


def test_the_reference_is_current() -> None:
    assert (ROOT / "docs" / "reference.md").read_text(encoding="utf-8") == page()


def test_tasks_exist() -> None:
    tasks = set(re.findall(r"^(\w+)(?: [^:]*)?:$", text(ROOT / "justfile"), re.MULTILINE))
    named = re.findall(r"`just (\w+)", text(CONTRIBUTING))
    assert named
    assert set(named) <= tasks


def test_every_command_has_its_section() -> None:
    headings = re.findall(r"^## (.*)$", text(COMMANDS), re.MULTILINE)
    described = {word for heading in headings for word in heading.split(", ")}
    other = {"Names of models", "Environment variables", "Exit codes"}
    assert described == set(COMMAND_NAMES) | other


def test_modules_named_in_the_documents_exist() -> None:
    for path in DOCUMENTS:
        for module in re.findall(r"python -m ((?:pyinfer|bench|tools)[\w.]*)", text(path)):
            file = ROOT / module.replace(".", "/")
            assert file.with_suffix(".py").exists() or (file / "__main__.py").exists(), module


def test_options_in_the_readme_exist() -> None:
    options = run("-m", "pyinfer.generate", "--help").stdout
    named = re.findall(r"--[a-z][\w-]+", " ".join(c for c in commands() if "pyinfer.generate" in c))
    assert named
    assert [option for option in named if not re.search(rf"{option}\b", options)] == []


def test_environment_variables_are_listed() -> None:
    sources = [*files(".py", ".pyx", under="pyinfer"), *files(".c", under="csrc")]
    used = {word for path in sources for word in re.findall(r"\"(PYINFER_[A-Z]+)\"", text(path))}
    table = between(COMMANDS, "| Environment variable |", "| Exit code |")
    listed = set(re.findall(r"`(PYINFER_\w+)`", table))
    assert listed == used | {"PYINFER_TEST_DATA"}


def test_extras_are_listed() -> None:
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    table = between(CONTRIBUTING, "| Extra |", "## Find it")
    assert set(re.findall(r"`\[(\w+)\]`", table)) == set(project["optional-dependencies"])


def test_exit_codes_are_those_of_the_errors() -> None:
    table = text(COMMANDS).partition("| Exit code |")[2]
    listed = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.M)
              for code in row.split(",")}  # fmt: skip
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    raised = {kind.exit_code for kind in classes if issubclass(kind, errors.PyinferError)}
    without_error_class = {0, 141, 143}
    assert listed == raised | without_error_class


def test_generated_blocks_are_closed() -> None:
    for path in DOCUMENTS:
        opened = re.findall(r"<!-- generated: ([\w-]+) -->", text(path))
        assert len(set(opened)) == len(opened) == text(path).count("<!-- end generated -->")
