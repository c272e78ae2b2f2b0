"""``pyinfer llama-server``: the server with the options of llama.cpp's ``llama-server``.

Options that llama-server has and that mean nothing here are accepted with a warning, those that
would change what is answered or who may ask are refused, unknown ones are errors.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyinfer.cli.arguments import Parser
from pyinfer.cli.outcome import note
from pyinfer.cli.serve import (
    add_access_options,
    add_template_switches,
    check_extra,
    port,
    start,
)
from pyinfer.errors import UsageError
from pyinfer.store.text_encoding import decode_text

PROGRAM = "pyinfer-llama-server"
DESCRIPTION = "Serve one model with the options of llama-server. See also: pyinfer serve."

DEFAULT_PORT = 8080
_MAX_TEMPLATE_BYTES = 256 * 2**10

#: Known options without effect, by how many words follow.
_FLAGS_WITHOUT_EFFECT = (
    "--mlock --mmap --no-mmap -cb --cont-batching -nocb --no-cont-batching --no-webui --webui "
    "--props --context-shift --no-context-shift --warmup --no-warmup --no-kv-offload -nkvo "
    "--kv-unified -kvu --swa-full --no-perf --perf --check-tensors --offline -v --verbose "
    "--log-disable --log-prefix --log-timestamps --log-colors --no-jinja "
    "--cache-prompt --no-cache-prompt --cpu-strict --no-repack --no-host --no-op-offload "
    "--escape --special -sp --direct-io"
)
_OPTIONS_WITHOUT_EFFECT = (
    "-b --batch-size -ub --ubatch-size -ngl --gpu-layers --n-gpu-layers -sm --split-mode -ts "
    "--tensor-split -mg --main-gpu -dev --device -tb --threads-batch --threads-http "
    "--numa --prio --poll --keep -to --timeout --slot-save-path -sps "
    "--slot-prompt-similarity --cache-reuse -cram --cache-ram --pooling --spec-type --draft "
    "--draft-max --draft-min --draft-p-min -md --model-draft -cd --ctx-size-draft -ngld "
    "--gpu-layers-draft -C --cpu-mask -Cr --cpu-range --verbosity -lv --log-file --log-verbosity "
    "--defrag-thold -dt --fit --swa-checkpoints --ctx-checkpoints --embd-normalize "
    "--sleep-idle-seconds --tags"
)
#: They would change answers or access, so silence would be wrong.
_REFUSED = {
    "--lora": "adapters are not supported",
    "--lora-scaled": "adapters are not supported",
    "--control-vector": "control vectors are not supported",
    "--mmproj": "only text models are supported",
    "--ssl-key-file": "put a proxy with TLS in front of the server",
    "--ssl-cert-file": "put a proxy with TLS in front of the server",
    "--path": "static files are not served",
    "--rope-scaling": "the position encoding is what the model's file says",
    "--rope-scale": "the position encoding is what the model's file says",
    "--rope-freq-base": "the position encoding is what the model's file says",
    "--rope-freq-scale": "the position encoding is what the model's file says",
    "--grammar": "send a grammar with the request",
    "--grammar-file": "send a grammar with the request",
    "-j": "send a schema with the request",
    "--json-schema": "send a schema with the request",
}
#: Always so; accepted without a word.
_ALWAYS_ON = "--metrics --slots --jinja --embedding --embeddings"

_SAMPLING = {
    "temp": float,
    "top_k": int,
    "top_p": float,
    "min_p": float,
    "typical": float,
    "repeat_penalty": float,
    "repeat_last_n": int,
    "presence_penalty": float,
    "frequency_penalty": float,
    "seed": int,
}
_SAMPLING_NAMES = {
    "temp": "temperature",
    "typical": "typical_p",
    "repeat_penalty": "repetition_penalty",
}


class _Noted(argparse.Action):
    """Warns that an option has no effect."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        note(f"pyinfer: warning: {option_string} has no effect here")


class _Override(argparse.Action):
    """Takes ``tokenizer.ggml.pre=str:NAME``; other keys would change what a file means."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        for pair in str(values).split(","):
            key, _, value = pair.partition("=")
            if key != "tokenizer.ggml.pre" or not value.startswith("str:"):
                raise UsageError(
                    f"{option_string} of {key[:80]!r} is not offered: the model's file says it",
                    hint="tokenizer.ggml.pre=str:NAME is; write another file for other keys",
                )
            namespace.pre = value.removeprefix("str:")


class _Refused(argparse.Action):
    """Raises UsageError with the reason."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        raise UsageError(f"{option_string} is not offered: {_REFUSED[option_string or '']}")


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run, prints=False)
    add = parser.add_argument
    add("-m", "--model", metavar="FILE", help="GGUF file, folder or name; default: embedded model")
    add("-hf", "-hfr", "--hf-repo", metavar="REPO", help="org/repo[:quant] that was pulled")
    add("-a", "--alias", help="name of the model in answers")
    add("-c", "--ctx-size", type=int, metavar="N", help="context; 0: what the model allows")
    add("-np", "--parallel", type=int, metavar="N", help="sequences at once")
    add("-t", "--threads", type=int, metavar="N", help="-1: all cores")
    add("-n", "--predict", "--n-predict", type=int, metavar="N", help="most tokens of an answer")
    add("--host", default="127.0.0.1", help="address; default 127.0.0.1")
    add("--port", type=port, default=DEFAULT_PORT, metavar="N", help="default 8080")
    add_access_options(parser.add_argument_group("access"))
    for name, kind in _SAMPLING.items():
        spellings = [f"--{name.replace('_', '-')}"]
        spellings += ["-s"] if name == "seed" else ["--temperature"] if name == "temp" else []
        add(*spellings, dest=name, type=kind, metavar="X", help="for requests that do not say")
    add("-ctk", "--cache-type-k", metavar="TYPE", help="f16, f32 or q8_0, as -ctv")
    add("-ctv", "--cache-type-v", metavar="TYPE")
    add("--chat-template", metavar="JINJA", help="in place of the model's own")
    add("--chat-template-file", metavar="FILE")
    add_template_switches(parser)
    add("--reasoning", "-rea", choices=("on", "off", "auto"), default="auto")
    add("--reasoning-format", choices=("none", "deepseek", "deepseek-legacy", "auto"))
    add("--reasoning-budget", type=int, metavar="N", help="most reasoning tokens; -1: no limit")
    add("--no-prefill-assistant", dest="prefill", action="store_false",
        help="open a new turn behind a last message of the assistant")  # fmt: skip
    add("--cors-origins", metavar="LIST", help="web pages that may call; localhost, * or a list")
    add("--no-slots", dest="slots", action="store_false", help="hide /slots")
    for name in _ALWAYS_ON.split():
        add(name, action="store_true", dest="always", help=argparse.SUPPRESS)
    for name in _FLAGS_WITHOUT_EFFECT.split():
        add(name, nargs=0, action=_Noted, help=argparse.SUPPRESS)
    for name in _OPTIONS_WITHOUT_EFFECT.split():
        add(name, action=_Noted, help=argparse.SUPPRESS)
    add("-fa", "--flash-attn", nargs="?", action=_Noted, help=argparse.SUPPRESS)
    add("--override-kv", action=_Override, help="tokenizer.ggml.pre=str:NAME")
    for name in _REFUSED:
        add(name, action=_Refused, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    check_extra()
    from pyinfer.checkpoint.load_options import LoadOptions
    from pyinfer.serving.settings import ServerSettings

    model = options.model or (f"hf:{options.hf_repo}" if options.hf_repo else None)
    budget = options.reasoning_budget
    if options.reasoning == "off":
        budget = 0
    settings = ServerSettings(
        preload=(model or "demo",),
        alias=options.alias or "",
        load=LoadOptions(
            ctx_size=options.ctx_size if (options.ctx_size or 0) > 0 else None,
            threads=options.threads if (options.threads or 0) > 0 else None,
            kv_type=_kv_type(options),
            pre=getattr(options, "pre", None),
        ),
        reasoning_budget=budget if budget is not None and budget >= 0 else None,
        sampling=_sampling(options),
        template=_template(options),
        template_variables=options.chat_template_kwargs or {},
        keep_alive=-1.0,
        any_name=True,
        continue_answers=options.prefill,
        **({"parallel": options.parallel} if (options.parallel or 0) > 0 else {}),
    )
    settings.check()
    return start(
        options,
        settings,
        host=options.host,
        port=options.port,
        slots=options.slots,
        reasoning_format=options.reasoning_format,
        origins=_origins(options.cors_origins),
    )


def _origins(text: str | None) -> tuple[str, ...] | None:
    """Pages that may call besides local ones, which llama-server calls localhost."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    return tuple(word for word in words if word and word != "localhost")


def _kv_type(options: argparse.Namespace) -> str | None:
    kinds = {kind for kind in (options.cache_type_k, options.cache_type_v) if kind}
    if len(kinds) > 1:
        raise UsageError("keys and values of the cache have one type here, give -ctk and -ctv one")
    return kinds.pop() if kinds else None


def _sampling(options: argparse.Namespace) -> Any:
    from pyinfer.engine.params import SamplingParams

    given = {_SAMPLING_NAMES.get(name, name): getattr(options, name) for name in _SAMPLING}
    limit = options.predict
    return SamplingParams(**given, max_tokens=limit if limit is not None and limit >= 0 else None)


def _template(options: argparse.Namespace) -> str | None:
    if options.chat_template_file is None:
        text = options.chat_template
        if text is not None and "{" not in text:
            raise UsageError(
                f"there is no built-in template {text[:40]!r}",
                hint="the model's own is used without --chat-template",
            )
        return text
    try:
        with Path(options.chat_template_file).open("rb") as file:
            return decode_text(file.read(_MAX_TEMPLATE_BYTES))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is neither UTF-8 nor UTF-16"
        raise UsageError(f"cannot read {options.chat_template_file}: {reason}") from None
