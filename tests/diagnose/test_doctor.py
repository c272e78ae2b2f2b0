"""What the doctor finds on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyinfer._kernels.runtime import available_isas
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model, model_need
from pyinfer.cli.main import main
from pyinfer.diagnose import doctor
from pyinfer.errors import UsageError
from pyinfer.model import tuner
from pyinfer.store.local import Store
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.store.pull import import_files

from ..store.stores import add_model


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINFER_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pyinfer.diagnose.limits.READ_BYTES", 8 << 20)


def test_findings(capsys: pytest.CaptureFixture[str]) -> None:
    import_files(DEMO_FOLDER, "demo", store=Store())
    add_model(Store(), "broken", {"m.gguf": b"GGUF"})
    findings = doctor.examine()
    assert list(findings.sections) == ["Processor", "Threads", "Memory", "Measured", "Files"]
    processor = findings.sections["Processor"]
    for level in available_isas():
        assert processor[level].startswith("available: ")
    models = {model.name: model for model in findings.models}
    demo, broken = models["demo:latest"], models["broken:latest"]
    assert demo.fits
    assert not broken.fits
    assert "m.gguf" in broken.problem
    assert demo.prompt > demo.decode > 0
    assert main(["doctor"]) == 0
    page = capsys.readouterr().out
    for text in ("kernels", "CPU quota", "huge pages", "GB/s on", "demo:latest", "does not run"):
        assert text in page
    assert main(["doctor", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["limits"]["read"] > 0
    assert {model["name"] for model in value["models"]} == set(models)


def test_need_is_what_loading_takes() -> None:
    need = model_need(DEMO_FOLDER)
    loaded = load_model(DEMO_FOLDER, LoadOptions(threads=1, ctx_size=64))
    try:
        assert need.bytes_per_token == loaded.model.bytes_per_token
        assert need.formats == loaded.formats
    finally:
        loaded.model.close()
    assert need.memory > need.weights > need.bytes_per_token * 0.9


def test_tuner_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def rounds(runtime: object, sample: object) -> list[dict[tuner.Walk, float]]:
        calls.append(sample)
        return [dict.fromkeys(tuner.CANDIDATES, 0.1)]

    monkeypatch.setattr(tuner, "_time_rounds", rounds)
    monkeypatch.setenv("PYINFER_TUNE", "")
    for _ in range(2):
        assert "GB/s (measured now)" in doctor.retune("scalar", 1)
    assert len(calls) == 2
    assert tuner.cache_file().exists()


def test_unknown_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINFER_ISA", "sse9")
    with pytest.raises(UsageError, match="sse9"):
        doctor.examine()
