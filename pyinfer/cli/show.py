"""``pyinfer show``: what a model is."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from pyinfer.cli.arguments import Parser
from pyinfer.cli.load_options import MODEL_FORMS
from pyinfer.cli.progress import ProgressBar
from pyinfer.cli.quantities import count_text, size_text
from pyinfer.cli.terminal import is_terminal, put, visible

if TYPE_CHECKING:
    from pyinfer.serving.library import ModelFacts
    from pyinfer.store.resolve import ResolvedModel

DESCRIPTION = "Show what a model is: architecture, size, formats, defaults, license."


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("model", help=MODEL_FORMS)
    parser.add_argument("--template", action="store_true", help="print the chat template only")
    parser.add_argument("--modelfile", action="store_true", help="print a Modelfile of it only")
    parser.add_argument("--license", action="store_true", help="print the license only")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--verify", action="store_true", help="read every stored file and compare its hash"
    )


def run(options: argparse.Namespace) -> int:
    """Print the facts."""
    from pyinfer.serving.library import read_facts
    from pyinfer.store.resolve import resolve_model

    model = resolve_model(options.model)
    facts = read_facts(model)
    if options.verify:
        from pyinfer.store.check import verify_model

        with ProgressBar("Verifying", "bytes") as bar:
            verify_model(model, bar.report)
    if options.template or options.license or options.modelfile:
        text = _part(options, model, facts)
        text = text.rstrip() + "\n" if text.strip() else ""
    elif options.json:
        text = json.dumps(_facts(model, facts), indent=1) + "\n"
    else:
        text = _page(model, facts)
        if options.verify:
            text += "\n  Every stored file has its hash.\n"
    put(sys.stdout, visible(text) if is_terminal(sys.stdout) else text)
    return 0


def _part(options: argparse.Namespace, model: ResolvedModel, facts: ModelFacts) -> str:
    settings = model.settings
    if options.template:
        return facts.template
    if options.modelfile:
        from pyinfer.store.modelfile import write_modelfile

        return write_modelfile(settings, str(model.path if model.source == "path" else model.name))
    return "\n\n".join(facts.licenses)


def _facts(model: ResolvedModel, facts: ModelFacts) -> dict[str, object]:
    details = facts.details
    config, generation = details.config, details.generation
    return {
        "name": model.name,
        "path": str(model.path),
        "source": model.source,
        "kind": details.kind,
        "architecture": config.architecture,
        "parameters": details.parameters,
        "context_length": config.max_position,
        "embedding_length": config.hidden_size,
        "layers": config.n_layers,
        "heads": config.n_heads,
        "kv_heads": config.n_kv_heads,
        "vocabulary": config.vocab_size,
        "bytes_by_format": details.formats,
        "defaults": {
            "temperature": generation.temperature,
            "top_p": generation.top_p,
            "top_k": generation.top_k,
            "repetition_penalty": generation.repetition_penalty,
            **dict(model.settings.parameters),
        },
        "system": model.settings.system,
        "template": facts.template,
        "messages": [dict(message) for message in model.settings.messages],
        "parent": model.settings.parent,
    }


def _page(model: ResolvedModel, facts: ModelFacts) -> str:
    details = facts.details
    config, generation = details.config, details.generation
    formats = ", ".join(f"{name} {size_text(n)}" for name, n in details.formats.items())
    sections: dict[str, dict[str, str]] = {
        "Model": {
            "name": model.name,
            "source": model.source,
            "architecture": config.architecture,
            "parameters": count_text(details.parameters),
            "context length": str(config.max_position),
            "embedding length": str(config.hidden_size),
            "layers": str(config.n_layers),
            "quantization": details.main_format,
            "formats": formats,
        },
        "Defaults": {
            "temperature": f"{generation.temperature:g}",
            "top_p": f"{generation.top_p:g}",
        },
    }
    sections["Defaults"] |= {name: json.dumps(value, ensure_ascii=False)
                             for name, value in model.settings.parameters.items()}  # fmt: skip
    if model.settings.system:
        sections["System"] = {" ".join(model.settings.system.split())[:70]: ""}
    if lines := [line for text in facts.licenses for line in text.splitlines()[:2] if line]:
        sections["License"] = dict.fromkeys(lines, "")
    lines = []
    for title, rows in sections.items():
        lines += [f"  {title}"]
        lines += [f"    {name:<20}{value}".rstrip() for name, value in rows.items()]
        lines += [""]
    return "\n".join(lines[:-1]) + "\n"
