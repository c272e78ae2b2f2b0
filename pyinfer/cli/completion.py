"""``pyinfer completion``: a script for the shell that completes commands, options and models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pyinfer.cli.arguments import Parser
from pyinfer.cli.terminal import put

DESCRIPTION = (
    'Print a completion script. bash: eval "$(pyinfer completion bash)" in ~/.bashrc; '
    "zsh: the same in ~/.zshrc after compinit; "
    "fish: pyinfer completion fish > ~/.config/fish/completions/pyinfer.fish"
)

# The scripts ask the program itself, so that they never fall behind: `pyinfer completion words`
# gets the words of the line, the last one unfinished, and prints one candidate per line. A first
# line of "files" asks the shell for its own completion of file names, too.
_SCRIPTS = {
    "bash": """\
_pyinfer() {
    local cur="${COMP_LINE:0:COMP_POINT}" word lines
    cur="${cur##*[[:space:]]}"
    mapfile -t lines < <(pyinfer completion words -- \\
        "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    COMPREPLY=()
    for word in "${lines[@]:1}"; do
        if [[ "$word" == "$cur"* ]]; then
            # Colons separate words for bash: what stands before the last one is there already.
            [[ "$cur" == *:* ]] && word="${word#"${cur%"${cur##*:}"}"}"
            COMPREPLY+=("$word")
        fi
    done
    if [[ "${lines[0]}" == files ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
    fi
}
complete -F _pyinfer pyinfer
""",
    "zsh": """\
#compdef pyinfer
_pyinfer() {
    local -a lines
    lines=("${(@f)$(pyinfer completion words -- "$LBUFFER" 2>/dev/null)}")
    compadd -- "${(@)lines[2,-1]}"
    [[ "${lines[1]}" == files ]] && _files
}
compdef _pyinfer pyinfer
""",
    "fish": """\
function __pyinfer_words
    pyinfer completion words -- (commandline -cp) 2>/dev/null | tail -n +2
end
complete -c pyinfer -f -a '(__pyinfer_words)'
complete -c pyinfer -n 'pyinfer completion words -- (commandline -cp) 2>/dev/null | head -n 1 \\
    | string match -q files' -F
""",
}
_MODEL_COMMANDS = ("run", "show", "cp", "rm")
_FILE_OPTIONS = ("--from", "-m", "--model")
_FILE_COMMANDS = ("run", "show", "convert", "quantize", "imatrix", "perplexity", "verify")


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("shell", choices=[*_SCRIPTS, "words"], metavar="bash|zsh|fish")
    parser.add_argument("line", nargs="?", default="", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Print the script, or the candidates for a line."""
    if options.shell == "words":
        files, words = candidates(options.line)
        put(sys.stdout, "\n".join(["files" if files else "words", *words]) + "\n")
    else:
        put(sys.stdout, _SCRIPTS[options.shell])
    return 0


def candidates(line: str) -> tuple[bool, list[str]]:
    """What may complete the last word of ``line``, and whether files may, too."""
    words = line.split()[1:]
    last = "" if not line or line[-1].isspace() else (words.pop() if words else "")
    if not words:
        return False, _matching(_commands(), last)
    command, before = words[0], words[-1]
    if last.startswith("-"):
        return False, _matching(_options(command), last)
    if before in ("-m", "--model"):
        return True, _matching(_models(), last)
    if before == "--from" or before in _FILE_OPTIONS:
        return True, []
    if command == "completion":
        return False, _matching(list(_SCRIPTS), last)
    if command in _MODEL_COMMANDS and (len(words) == 1 or command == "rm"):
        return command in _FILE_COMMANDS, _matching(_models(), last)
    return command in _FILE_COMMANDS, []


def _matching(words: Sequence[str], start: str) -> list[str]:
    return [word for word in words if word.startswith(start)]


def _commands() -> list[str]:
    from pyinfer.cli.commands import COMMANDS

    return [*COMMANDS, "--help", "--version"]


def _options(command: str) -> list[str]:
    from pyinfer.cli.commands import COMMANDS, build_parser

    if command not in COMMANDS:
        return []
    parser = build_parser(command)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = action.choices[command]._option_string_actions
            return sorted(option for option in found if option.startswith("--"))
    return []


def _models() -> list[str]:
    from pyinfer.store.resolve import known_names

    return [name.removesuffix(":latest") for name in known_names()]
