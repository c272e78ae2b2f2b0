"""Pulling from a hub that misbehaves on purpose: nothing unverified is ever visible."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyinfer.errors import (
    DigestMismatchError,
    InvalidNameError,
    ModelFormatError,
    ModelNotFoundError,
    ModelUnsupportedError,
    PyinferError,
    RegistryError,
    RegistryTimeout,
    StoreFullError,
    UsageError,
)
from pyinfer.store.local import Store, StoredModel
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.store.pull import PullEvent, import_files, pull
from pyinfer.store.transport import NetworkSettings

from .hub_server import CONTENT_FAULTS, LISTING_FAULTS, Hub, bomb

WEIGHTS = random.Random(1).randbytes(300_000)
FILES = {"README.md": b"hi", "m-Q8_0.gguf": WEIGHTS, "sub/n-Q4_0.gguf": b"GGUF" * 10}
FOLDER = {
    path.name: path.read_bytes()
    for path in DEMO_FOLDER.iterdir()
    if path.suffix in (".json", ".safetensors")
}
FAST = NetworkSettings(
    connect_seconds=2,
    stall_seconds=0.2,
    min_rate=1000,
    rate_seconds=0.3,
    attempts=3,
    backoff_seconds=0.001,
    max_backoff_seconds=0.002,
)
MODEL = "hf:org/repo:Q8_0"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("NO_PROXY", "*")
    with Hub({"org/repo": dict(FILES), "org/folder": dict(FOLDER)}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def get(store: Store, model: str = MODEL, settings: NetworkSettings = FAST) -> StoredModel:
    return pull(model, store=store, settings=settings)


def assert_sound(store: Store) -> None:
    """Everything visible is whole and has its hash."""
    if store.blobs.exists():
        for blob in store.blobs.iterdir():
            assert blob.name == "sha256-" + hashlib.sha256(blob.read_bytes()).hexdigest()
    for model in store.models():
        assert store.path_of(model).exists()


def assert_weights(store: Store) -> None:
    (model,) = store.models()
    assert store.path_of(model).read_bytes() == WEIGHTS
    assert list(store.partial.iterdir()) == []
    assert_sound(store)


def test_one_file(hub: Hub, store: Store) -> None:
    events: list[PullEvent] = []
    model = pull(MODEL, store=store, settings=FAST, progress=events.append)
    assert str(model.name) == "hf.co/org/repo:Q8_0"
    assert model.manifest.commit == hub.commit("org/repo")
    assert_weights(store)
    assert events[0].status == "asking"
    assert events[-1] == PullEvent("done", done=len(WEIGHTS), total=len(WEIGHTS))
    done = [event.done for event in events if event.status == "fetching"]
    assert done == sorted(done)
    assert {event.file for event in events if event.status == "fetching"} == {"m-Q8_0.gguf"}


def test_folder_runs(hub: Hub, store: Store) -> None:
    import pyinfer

    model = get(store, "hf:org/folder")
    assert str(model.name) == "hf.co/org/folder:latest"
    assert_sound(store)
    with pyinfer.load(store.path_of(model), threads=1, ctx_size=128) as llm:
        assert llm.tokenizer.decode(llm.tokenizer.encode("hi")) == "hi"


def test_again_costs_one_request(hub: Hub, store: Store) -> None:
    get(store)
    hub.log.clear()
    sent = hub.sent
    get(store)
    assert len(hub.log) == 1
    assert hub.sent == sent


def test_other_names_and_files(hub: Hub, store: Store) -> None:
    assert str(get(store, "hf:org/repo:sub/n-Q4_0.gguf").name) == "hf.co/org/repo:Q4_0"
    assert str(pull(MODEL, name="mine", store=store, settings=FAST).name) == "mine:latest"
    with pytest.raises(ModelNotFoundError, match="Q4_0, Q8_0"):
        get(store, "hf:org/repo:Q2_K")
    for name in ("repo", "mine", "../x"):
        with pytest.raises(InvalidNameError):
            get(store, name)
    with pytest.raises(InvalidNameError):
        pull(MODEL, name="../x", store=store, settings=FAST)


def test_the_token_stays_with_the_hub(hub: Hub, store: Store) -> None:
    get(store)
    get(store, "hf:org/folder")
    hosts = {host: headers for host, _, headers in hub.log}
    assert set(hosts) == {f"127.0.0.1:{hub.port}", f"localhost:{hub.port}"}
    for host, _, headers in hub.log:
        mine = host.startswith("127.")
        assert headers.get("authorization") == ("Bearer hf_secret" if mine else None)
        assert headers["user-agent"].startswith("pyinfer")


@pytest.mark.parametrize("fault", CONTENT_FAULTS)
def test_a_fault_and_then_none(hub: Hub, store: Store, fault: str) -> None:
    hub.faults.extend([fault])
    try:
        get(store)
    except RegistryError:
        assert fault in ("status_404", "redirect_loop", "redirect_nowhere")
        assert store.models() == []
        assert_sound(store)
        get(store)
    assert_weights(store)


def failure(store: Store) -> PyinferError | None:
    """The error of a pull, if there is one."""
    try:
        get(store)
    except RegistryError as error:
        return error
    return None


@pytest.mark.parametrize("fault", CONTENT_FAULTS)
def test_a_fault_that_stays(hub: Hub, store: Store, fault: str) -> None:
    hub.faults.append("reset")  # there is something to resume
    hub.usual = lambda: fault
    error = failure(store)
    assert_sound(store)
    if error is None:
        # Each attempt brought some bytes, or ranges are not needed.
        assert fault in ("short", "reset", "drip", "stall", "no_range")
    else:
        assert store.models() == []
        assert str(error).isprintable()
        assert str(store.root) not in str(error)
        assert "hf_secret" not in str(error)
        assert isinstance(error, DigestMismatchError) == (fault == "flip")
    hub.usual = lambda: "ok"
    hub.count_from_zero()
    get(store)
    assert_weights(store)
    assert hub.sent <= len(WEIGHTS)


def test_timeouts_are_told_apart(hub: Hub, store: Store) -> None:
    hub.usual = lambda: "no_answer"
    with pytest.raises(RegistryTimeout):
        get(store)


def test_a_slow_drip_is_a_stall(hub: Hub, store: Store) -> None:
    hub.faults.extend(["drip"] * 3)
    slow = dataclasses.replace(FAST, attempts=4, min_rate=100_000)
    get(store, settings=slow)
    assert_weights(store)


@pytest.mark.parametrize("seed", range(6))
def test_random_faults(hub: Hub, store: Store, seed: int) -> None:
    hub.random.seed(seed)
    kinds = tuple(k for k in CONTENT_FAULTS if k not in ("stall", "no_answer"))
    hub.random_faults(seed, 0.6, kinds)
    for _ in range(60):
        try:
            get(store, "hf:org/repo:Q8_0")
            break
        except RegistryError:
            assert store.models() == []
            assert_sound(store)
    assert_weights(store)


def test_only_what_is_missing_is_fetched_again(hub: Hub, store: Store) -> None:
    """Also beyond the 8 MiB after which the data is synced."""
    big = random.Random(3).randbytes(20 << 20)
    hub.repositories["org/big"] = {"m-Q8_0.gguf": big}
    hub.faults.extend(["short"])
    hub.random.seed(5)
    with pytest.raises(RegistryError):
        get(store, "hf:org/big", dataclasses.replace(FAST, attempts=1))
    (data,) = store.partial.glob("*.data")
    have = data.stat().st_size
    assert have > 8 << 20
    hub.count_from_zero()
    get(store, "hf:org/big")
    assert hub.sent == len(big) - have
    (model,) = store.models()
    assert store.path_of(model).read_bytes() == big


@pytest.mark.parametrize("damage", ["flip", "cut", "zeros", "sums", "no sums", "sums garbage"])
def test_partial_data_that_was_damaged_on_disk(hub: Hub, store: Store, damage: str) -> None:
    hub.faults.extend(["short"])
    hub.random.seed(11)
    with pytest.raises(RegistryError):
        get(store, settings=dataclasses.replace(FAST, attempts=1))
    (data,), (sums,) = store.partial.glob("*.data"), store.partial.glob("*.sums")
    content = bytearray(data.read_bytes())
    assert content
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        del content[-1:]
    elif damage == "zeros":
        content[:] = bytes(len(content))
    data.write_bytes(content)
    if damage == "sums":
        sums.write_text(sums.read_text().replace(" ", " f"))
    elif damage == "no sums":
        sums.unlink()
    elif damage == "sums garbage":
        sums.write_bytes(b"\xff\n99999999999999999999999 0\n-1 0\n")
    get(store)
    assert_weights(store)


@pytest.mark.parametrize("fault", LISTING_FAULTS)
def test_listing_faults(hub: Hub, store: Store, fault: str) -> None:
    hub.faults.append(fault)
    get(store)
    assert_weights(store)
    hub.faults.extend([fault] * 3)
    with pytest.raises(RegistryError):
        get(store)


def test_a_bomb_costs_no_memory(hub: Hub, store: Store) -> None:
    hub.faults.extend(["listing_gzip", "gzip", "gzip"])
    bomb()
    tracemalloc.start()
    try:
        get(store)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize("status", [401, 403, 404])
def test_no_access(hub: Hub, store: Store, status: int) -> None:
    hub.faults.append(f"listing_{status}")
    with pytest.raises(RegistryError, match=str(status)):
        get(store)
    assert len(hub.log) == 1  # asking again would not help


@pytest.mark.parametrize(
    "change",
    [
        {"sha": "main"},
        {"sha": "../../x"},
        {"siblings": None},
        {"siblings": []},
        {"siblings": [1, {}, {"rfilename": 1}]},
        {"siblings": [{"rfilename": "m-Q8_0.gguf", "size": 5}]},
        {"siblings": [{"rfilename": "m-Q8_0.gguf", "size": -5, "lfs": {"sha256": "0" * 64}}]},
        {"siblings": [{"rfilename": "m-Q8_0.gguf", "size": 5, "lfs": {"sha256": "../x"}}]},
        {"siblings": [{"rfilename": "../m-Q8_0.gguf/..", "size": 5, "lfs": {"sha256": "0" * 64}}]},
        {"siblings": [{"rfilename": "\x1b[31m-Q8_0.gguf", "size": 5, "lfs": {"sha256": "0" * 64}}]},
    ],
)
def test_hostile_listings(hub: Hub, store: Store, change: dict[str, object]) -> None:
    value = {"sha": hub.commit("org/repo"), "siblings": hub.siblings("org/repo"), **change}
    hub.listing = json.dumps(value).encode()
    with pytest.raises(PyinferError) as caught:
        get(store)
    assert type(caught.value) in (RegistryError, ModelNotFoundError, InvalidNameError)
    assert store.models() == []
    assert not list(store.root.parent.glob("*.gguf"))


def test_wrong_hash_in_the_listing(hub: Hub, store: Store) -> None:
    siblings = hub.siblings("org/folder")
    for entry in siblings:
        entry["blobId"] = "0" * 40
    hub.listing = json.dumps({"sha": "0" * 40, "siblings": siblings}).encode()
    with pytest.raises(DigestMismatchError, match="git hash"):
        get(store, "hf:org/folder")
    assert store.models() == []


def test_an_architecture_that_does_not_run_is_seen_early(hub: Hub, store: Store) -> None:
    config = json.loads(FOLDER["config.json"]) | {"model_type": "gpt2", "architectures": ["GPT2"]}
    hub.repositories["org/folder"]["config.json"] = json.dumps(config).encode()
    with pytest.raises(ModelUnsupportedError):
        get(store, "hf:org/folder")
    assert hub.sent < 10_000


def test_offline(hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RegistryError, match="HF_HUB_OFFLINE"):
        get(store)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    get(store)
    monkeypatch.setenv("HF_HUB_OFFLINE", "yes")
    hub.log.clear()
    assert str(get(store).name) == "hf.co/org/repo:Q8_0"
    assert hub.log == []


def test_settings_of_the_environment(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_\x07")
    with pytest.raises(UsageError, match="HF_TOKEN"):
        get(store)
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setenv("HF_ENDPOINT", "ftp://x")
    with pytest.raises(UsageError, match="HF_ENDPOINT"):
        get(store)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9"):
        get(store)


def test_not_enough_space(hub: Hub, store: Store) -> None:
    siblings = hub.siblings("org/repo")
    for entry in siblings:
        if "lfs" in entry:
            entry["lfs"]["size"] = 1 << 49
    hub.listing = json.dumps({"sha": "0" * 40, "siblings": siblings}).encode()
    with pytest.raises(StoreFullError, match="are free"):
        get(store)
    assert hub.sent == 0


def test_files_copied_by_hand(store: Store, tmp_path: Path) -> None:
    model = import_files(DEMO_FOLDER, "demo", store=store)
    assert {file.name for file in model.manifest.files} >= {"config.json", "model.safetensors"}
    assert_sound(store)
    (tmp_path / "bad-Q8_0.gguf").write_bytes(b"GGUF")
    for path, kind in (
        (tmp_path / "bad-Q8_0.gguf", ModelFormatError),
        (tmp_path, ModelFormatError),
        (tmp_path / "none", ModelNotFoundError),
        (Path(os.devnull), ModelNotFoundError),
    ):
        with pytest.raises(kind):
            import_files(path, "bad", store=store)
    assert [str(m.name) for m in store.models()] == ["demo:latest"]
    assert list(store.partial.iterdir()) == []
