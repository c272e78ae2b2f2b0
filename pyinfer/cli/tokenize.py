"""``pyinfer tokenize``: text to tokens, with any model's tokenizer."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyinfer.cli.arguments import Parser
from pyinfer.cli.load_options import add_model_option
from pyinfer.cli.terminal import is_terminal, put
from pyinfer.cli.text_input import read_text
from pyinfer.errors import UsageError

if TYPE_CHECKING:
    from pyinfer.text.tokenizer import Tokenizer

DESCRIPTION = (
    "Show the tokens of a text. BOS is put in front if the model wants one, and names of control "
    "tokens in the text are those tokens, as in a raw prompt."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("text", nargs="?", help="the text; default: standard input")
    add_model_option(parser)
    parser.add_argument("-f", "--file", type=Path, metavar="PATH", help="read the text from a file")
    parser.add_argument("--no-bos", action="store_true", help="nothing in front of the text")
    parser.add_argument(
        "--no-special", action="store_true", help="names of control tokens are ordinary text"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--ids", action="store_true", help="print the ids on one line")
    form.add_argument("--count", action="store_true", help="print how many tokens there are")
    form.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Tokenize and print."""
    if options.text is not None and options.file is not None:
        raise UsageError("--file excludes a text on the command line")
    text = read_text(options.file) if options.text in (None, "-") else options.text
    from pyinfer.eval.subject import tokenizer_of

    tokenizer = tokenizer_of(options.model)
    ids = tokenizer.encode(
        text, add_special=not options.no_bos, parse_special=not options.no_special
    )
    put(sys.stdout, _shown(options, tokenizer, ids) + "\n")
    return 0


def _shown(options: argparse.Namespace, tokenizer: Tokenizer, ids: list[int]) -> str:
    if options.ids:
        return " ".join(map(str, ids))
    if options.count:
        return str(len(ids))
    pieces = [piece_text(tokenizer.token_bytes(i)) for i in ids]
    if options.json:
        facts = {"count": len(ids), "ids": ids, "pieces": pieces}
        return json.dumps(facts, ensure_ascii=is_terminal(sys.stdout))
    lines = [f"{i:>7}  {piece}" for i, piece in zip(ids, pieces, strict=True)]
    return "\n".join([*lines, f"{len(ids):,} tokens"])


def piece_text(data: bytes) -> str:
    r"""Return the bytes of a token as printable text, whatever they are.

    Examples
    --------
    >>> piece_text("é\n".encode()), piece_text(b"\xe6\x88"), piece_text(b"\\ ")
    ('é\\n', '\\xe6\\x88', '\\\\ ')
    """
    shown = []
    for char in data.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
            shown.append(f"\\x{code - 0xDC00:02x}")
        elif char == "\\" or not char.isprintable():
            shown.append(repr(char)[1:-1])
        else:
            shown.append(char)
    return "".join(shown)
