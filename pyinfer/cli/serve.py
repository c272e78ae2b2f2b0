"""``pyinfer serve``: answer HTTP requests in the dialects of Ollama, OpenAI and llama-server."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from pyinfer.cli.arguments import Parser, positive
from pyinfer.cli.load_options import add_load_options, load_options
from pyinfer.cli.outcome import note
from pyinfer.errors import UsageError

DESCRIPTION = (
    "Serve models over HTTP: Ollama's, OpenAI's and llama-server's API and a chat page on one "
    "port. Without --preload models are loaded when they are asked for; a request without a model "
    "gets the embedded one."
)

_NEEDED = ("fastapi", "uvicorn", "httptools", "llguidance", "prometheus_client")


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run, prints=False)
    where = parser.add_argument_group("address and access")
    where.add_argument("--host", help="address; default OLLAMA_HOST, else 127.0.0.1")
    where.add_argument("--port", type=port, metavar="N", help="default 11434; 0 takes a free one")
    add_access_options(where)
    where.add_argument(
        "--allow-unauthenticated",
        action="store_true",
        help="listen on a public address without an API key",
    )
    where.add_argument(
        "--allow-host",
        action="append",
        metavar="NAME",
        help="a name besides localhost and the address under which the server is reached",
    )
    where.add_argument(
        "--origins",
        type=_words,
        metavar="LIST",
        help="further web pages that may call, like https://chat.example; none: no local ones",
    )
    models = parser.add_argument_group("models")
    models.add_argument(
        "--preload", action="append", metavar="MODEL", help="load at the start; may be repeated"
    )
    models.add_argument("--alias", metavar="NAME", help="another name of the first model")
    models.add_argument("--max-models", type=positive, metavar="N", help="loaded at once; 3")
    models.add_argument("--keep-alive", type=_duration, metavar="TIME", help="idle models; 5m")
    add_load_options(models)
    models.add_argument(
        "--reasoning-budget", type=_budget, metavar="N", help="most reasoning tokens; -1: no limit"
    )
    add_template_switches(models)
    models.add_argument("--loop-guard", action="store_true", help="cut off what repeats itself")
    _add_load_options(parser.add_argument_group("load"))
    shown = parser.add_argument_group("what is shown")
    shown.add_argument(
        "--metrics-prefix", type=_words, metavar="LIST", help="vllm, llamacpp, pyinfer; all"
    )
    shown.add_argument("--no-slots", dest="slots", action="store_false", help="hide /slots")
    shown.add_argument("--ollama-version", metavar="V", help="answer of /api/version")
    shown.add_argument(
        "--reasoning-field",
        choices=("reasoning_content", "both"),
        default="reasoning_content",
        help="both: also as reasoning (OpenAI)",
    )


def _add_load_options(load: argparse._ArgumentGroup) -> None:
    load.add_argument("--parallel", type=positive, metavar="N", help="sequences at once; 32")
    load.add_argument("--max-queue", type=_count, metavar="N", help="requests that wait; 512")
    load.add_argument(
        "--request-timeout", type=_duration, metavar="TIME", help="longest answer; 30m, -1 for ever"
    )
    load.add_argument("--queue-timeout", type=_duration, metavar="TIME", help="longest wait; 60s")
    load.add_argument(
        "--grace", type=_duration, metavar="TIME", help="for running requests at SIGTERM; 30s"
    )
    load.add_argument(
        "--body-memory", type=positive, metavar="MIB", help="of large request bodies at once; 256"
    )
    load.add_argument(
        "--share-prefix-cache",
        action="store_true",
        help="among API keys; by default each finds only what was computed for itself",
    )


def add_access_options(group: argparse._ArgumentGroup) -> None:
    """Add the options for API keys."""
    group.add_argument(
        "--api-key",
        action="append",
        metavar="KEYS",
        help="keys, separated by commas; also PYINFER_API_KEY",
    )
    group.add_argument("--api-key-file", metavar="FILE", help="one key per line")


def add_template_switches(group: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the option for switches of chat templates."""
    group.add_argument(
        "--chat-template-kwargs",
        type=_switches,
        metavar="JSON",
        help='switches for chat templates, like {"enable_thinking": false}',
    )


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    check_extra()
    from pyinfer.serving.settings import ServerSettings

    settings = ServerSettings.from_environment(
        **_given(
            preload=tuple(options.preload) if options.preload else None,
            alias=options.alias,
            **asdict(load_options(options)),
            loop_guard=options.loop_guard or None,
            template_variables=options.chat_template_kwargs,
            parallel=options.parallel,
            max_queue=options.max_queue,
            queue_timeout=options.queue_timeout,
            request_timeout=options.request_timeout,
            max_models=options.max_models,
            keep_alive=options.keep_alive,
            grace=options.grace,
        )
        | ({} if options.reasoning_budget is None or options.reasoning_budget < 0 else
           {"reasoning_budget": options.reasoning_budget})
    )  # fmt: skip
    return start(
        options,
        settings,
        host=options.host,
        port=options.port,
        origins=options.origins,
        ollama_version=options.ollama_version,
        hosts=tuple(options.allow_host or ()),
        allow_unauthenticated=options.allow_unauthenticated,
        slots=options.slots,
        reasoning_field=options.reasoning_field,
        metrics=options.metrics_prefix,
        share_prefix_cache=options.share_prefix_cache or None,
        body_memory=options.body_memory and options.body_memory << 20,
    )


def start(options: argparse.Namespace, settings: Any, **http: Any) -> int:
    """Serve with these settings; keys come from the options and the environment."""
    from pyinfer.server.http.run import serve
    from pyinfer.server.http.settings import HttpSettings, read_keys

    keys = list(options.api_key or ())
    if (from_environment := os.environ.get("PYINFER_API_KEY")) and not keys:
        keys = [from_environment]
    shown = HttpSettings.from_environment(api_keys=read_keys(keys, options.api_key_file), **http)
    with options.interrupts.tolerated():
        return serve(settings, shown, lambda line: note(f"pyinfer: {line}"))


def check_extra() -> None:
    """Refuse to go on without the packages of the extra.

    Raises
    ------
    UsageError
        Names the extra.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the server needs packages that are not installed: {', '.join(missing)}",
            hint="install them with: pip install 'pyinfer[server]'",
        )


def port(text: str) -> int:
    """Read a TCP port."""
    if not text.isascii() or not text.isdigit() or int(text[:6]) > 65_535:
        raise argparse.ArgumentTypeError(f"must be between 0 and 65535, found {text!r}")
    return int(text)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _count(text: str) -> int:
    return 0 if text == "0" else positive(text)


def _budget(text: str) -> int:
    return -1 if text == "-1" else _count(text)


def _duration(text: str) -> float:
    from pyinfer.errors import RequestError
    from pyinfer.serving.durations import parse_duration

    try:
        return parse_duration(text, "the time")
    except RequestError as error:
        raise argparse.ArgumentTypeError(error.message) from None


def _switches(text: str) -> dict[str, bool]:
    from pyinfer.serving.settings import read_switches

    try:
        return read_switches(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
