"""Send generated requests to a running server, by its own OpenAPI document.

``python -m tools.fuzz_api --requests 20000`` starts ``pyinfer serve`` on a free port with an empty
store and without a network, and asks schemathesis for requests that fit the document and requests
that do not. Fails on every 5xx that the document does not name (a 500 is never named), on a broken
connection, and if the server is not healthy afterwards. Prints how often each status came.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

START_SECONDS = 300
REQUEST_SECONDS = 300
#: Values of fields that would only make the answers long.
SHORT = {"n_predict": 4, "max_tokens": 4, "max_completion_tokens": 4}


@dataclass(slots=True)
class Findings:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many were sent."""
        return self.statuses.total()


def fuzz(url: str, requests: int, number: int = 0) -> Findings:
    """Send about ``requests`` requests, evenly over all operations and both kinds.

    Parameters
    ----------
    url : str
        Of the server.
    requests : int
        At least so many.
    number : int
        Seed of the generator; each turn takes the next one.
    """
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    findings, before = Findings(), -1
    # Operations with few different requests run out of them; the others take more turns then.
    while before < findings.requests < requests:
        before = findings.requests
        each = -(-(requests - before) // (2 * len(operations)))
        for operation in operations:
            for mode in GenerationMode:
                _fuzz_one(operation, mode, each, number, findings)
        number += 1
    return findings


def _fuzz_one(
    operation: Any, mode: GenerationMode, count: int, number: int, findings: Findings
) -> None:
    documented = set(operation.definition.raw.get("responses", {}))

    @seed(number)
    @settings(
        max_examples=count, phases=[Phase.generate], deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        if isinstance(case.body, dict):
            case.body = {key: SHORT.get(key, value) for key, value in case.body.items()}
            for key in ("num_predict",):
                if isinstance(case.body.get("options"), dict):
                    case.body["options"] = case.body["options"] | {key: 4}
        try:
            status = case.call(timeout=REQUEST_SECONDS).status_code
        except OSError as error:
            findings.statuses[0] += 1
            findings.failures.append(f"{operation.label}: {type(error).__name__}: {error}"[:300])
            return
        findings.statuses[status] += 1
        if status >= 500 and str(status) not in documented:
            findings.failures.append(f"{operation.label}: {status} for {str(case.body)[:200]}")

    try:
        send()
    except schemathesis.errors.SchemathesisError:
        return  # nothing can be generated, such as wrong requests where nothing can be wrong
    except Exception as error:
        if type(error).__name__ != "Unsatisfiable":
            raise


def start_server(folder: str) -> tuple[subprocess.Popen[bytes], str]:
    """A server with an empty store and no way to the network; gives its address."""
    log = Path(folder, "log")
    environment = os.environ | {
        "PYINFER_MODELS": f"{folder}/models",
        "HF_HUB_CACHE": f"{folder}/hub",
        "OLLAMA_MODELS": f"{folder}/ollama",
        "HF_HUB_OFFLINE": "1",
        "HF_ENDPOINT": "http://127.0.0.1:9",
    }
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "pyinfer", "serve", "--port", "0", "--preload", "demo"],
            stderr=stream,
            env=environment,
        )
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"listening on (http://\S+)", log.read_text(encoding="utf-8")):
            return process, found[1]
        time.sleep(0.05)
    process.kill()
    raise SystemExit("the server did not start:\n" + log.read_text(encoding="utf-8"))


def main() -> int:
    """Run and report; 1 if something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--url", help="a server that runs already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        process, url = (None, options.url) if options.url else start_server(folder)
        try:
            findings = fuzz(url, options.requests, options.seed)
            with urllib.request.urlopen(f"{url}/health", timeout=REQUEST_SECONDS) as answer:
                healthy = json.load(answer) == {"status": "ok"}
        finally:
            if process is not None:
                process.terminate()
                process.wait(60)
    print(f"{findings.requests} requests: {dict(sorted(findings.statuses.items()))}")
    for failure in dict.fromkeys(findings.failures):
        print(f"FAILED {failure}")
    return 1 if findings.failures or not healthy else 0


if __name__ == "__main__":
    sys.exit(main())
