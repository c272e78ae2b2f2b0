"""``pyinfer create``: a model with settings, from a Modelfile."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyinfer.cli.arguments import Parser
from pyinfer.cli.outcome import note
from pyinfer.cli.progress import ProgressBar
from pyinfer.cli.quantities import size_text
from pyinfer.errors import ModelNotFoundError, UsageError

if TYPE_CHECKING:
    from pyinfer.store.resolve import ResolvedModel

DESCRIPTION = (
    "Make a model from another one and a Modelfile: FROM (a model, GGUF file or folder), "
    "PARAMETER, TEMPLATE, SYSTEM, MESSAGE and LICENSE. Weights in the store are not copied."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("name", metavar="NAME", help="name of the new model")
    parser.add_argument(
        "-f", "--file", metavar="MODELFILE", default="Modelfile", help="- reads standard input"
    )
    parser.add_argument(
        "-q", "--quantize", metavar="TYPE", default="", help="write float weights as q4_K_M, ..."
    )


def run(options: argparse.Namespace) -> int:
    """Create the model."""
    from pyinfer.convert.create import CreateEvent, create_model
    from pyinfer.store.modelfile import parse_modelfile
    from pyinfer.store.names import parse_name

    name = parse_name(options.name)
    file = parse_modelfile(_text(options.file))
    for line in file.notes:
        note(f"pyinfer: {line}")
    folder = Path.cwd() if options.file == "-" else Path(options.file).absolute().parent
    base = _base(file.source, folder)
    with ProgressBar("Creating", "bytes") as bar, base.reading():

        def show(event: CreateEvent) -> None:
            if event.total:
                bar.report(event.done, event.total)

        model = create_model(name, base, file.settings, quantize=options.quantize, progress=show)
    note(f"created {model.name}: {size_text(model.manifest.size)} in the store")
    return 0


def _text(file: str) -> str:
    from pyinfer.store.modelfile import MAX_MODELFILE_BYTES
    from pyinfer.store.text_encoding import decode_text

    try:
        if file == "-":
            data = sys.stdin.buffer.read(MAX_MODELFILE_BYTES + 1)
        else:
            with Path(file).open("rb") as source:
                data = source.read(MAX_MODELFILE_BYTES + 1)
        if len(data) > MAX_MODELFILE_BYTES:
            raise UsageError(f"{file}: more than {MAX_MODELFILE_BYTES} bytes")
        return decode_text(data)
    except OSError as error:
        raise UsageError(
            f"{file!r} cannot be read: {error.strerror}", hint="name the Modelfile with -f"
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: byte {error.start} is neither UTF-8 nor UTF-16") from None


def _base(source: str, folder: Path) -> ResolvedModel:
    """What stands after FROM: a path beside the Modelfile, or a name."""
    from pyinfer.cli.pull import fetch
    from pyinfer.store.names import is_hub_reference
    from pyinfer.store.resolve import resolve_model

    path = folder / Path(source).expanduser()
    if source.startswith((".", "/", "~")) or path.is_file() or (path / "config.json").is_file():
        return resolve_model(path)
    try:
        return resolve_model(source)
    except ModelNotFoundError:
        if not is_hub_reference(source):
            raise
        return resolve_model(str(fetch(source).name))
