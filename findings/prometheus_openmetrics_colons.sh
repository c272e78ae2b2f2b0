#!/usr/bin/env bash
# Guess: a metric name with a colon (vllm:num_requests_running), which Prometheus has always allowed,
#   is written alike whatever exposition format the scraper asks for.
# What happens: in prometheus_client 0.26.0 the OpenMetrics encoder that a plain
#   "application/openmetrics-text;version=1.0.0" selects (what Prometheus 2 sends) turns the colon of the
#   sample into an underscore, while the HELP and TYPE lines above it keep the colon. The text format
#   keeps it everywhere, even with escaping=underscores. Dashboards built on the documented name stay empty.
# Versions: prometheus_client 0.26.0. Date: 2026-12-01.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet prometheus_client==0.26.0
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder

print("prometheus_client", version("prometheus_client"))
registry = CollectorRegistry()
Gauge("vllm:num_requests_running", "Requests that run.", registry=registry).set(1)
seen = {}
for accept in ("text/plain;version=0.0.4", "text/plain;version=1.0.0;escaping=underscores",
               "application/openmetrics-text;version=1.0.0",
               "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"):
    encode, content_type = choose_encoder(accept)
    lines = encode(registry).decode().splitlines()
    seen[accept] = [line.split()[0] for line in lines if not line.startswith("#")]
    print(f"\nAccept: {accept}\nContent-Type: {content_type}")
    print("\n".join(lines))
names = [found[0] for found in seen.values()]
colon, underscore = "vllm:num_requests_running", "vllm_num_requests_running"
assert names == [colon, colon, underscore, colon], names
PYTHON
