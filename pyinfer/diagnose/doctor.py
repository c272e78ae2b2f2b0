"""Everything that decides how fast a model runs here, and which models fit."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyinfer import machine
from pyinfer._kernels.runtime import Runtime, choose_isa, cpu_name
from pyinfer._kernels.tensor import Arena, PackedTensor, packed_bytes
from pyinfer.checkpoint.loader import model_need
from pyinfer.config import ModelConfig
from pyinfer.diagnose.levels import level_facts, level_line
from pyinfer.diagnose.limits import Limits, measure_limits, read_buffer
from pyinfer.diagnose.roofline import workload
from pyinfer.diagnose.system import memory_facts, notable_features, thread_facts
from pyinfer.errors import PyinferError
from pyinfer.model.model import Model, StepLimits
from pyinfer.model.registry import architecture, read_hf_config
from pyinfer.model.tuner import cache_file, forget
from pyinfer.store.listing import list_models
from pyinfer.store.places import hub_cache_root, ollama_roots, store_root

PROMPT_TOKENS = 512
_MAX_FILES = 100_000


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """One model of the stores on this machine.

    Attributes
    ----------
    name : str
    memory : int
        Least bytes it needs; 0 if it does not run.
    fits : bool
    decode, prompt : float
        Most tokens per second that the measured limits allow; 0 if it does not run.
    problem : str
        Why it does not run.
    """

    name: str
    memory: int
    fits: bool
    decode: float
    prompt: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the doctor found.

    Attributes
    ----------
    sections : dict
        Title -> name -> text, in the order to print.
    limits : Limits
    models : list of ModelVerdict
    """

    sections: dict[str, dict[str, str]]
    limits: Limits
    models: list[ModelVerdict]


def examine(report: Callable[[str], None] = lambda step: None) -> Findings:
    """Look at the machine, measure it, run the tuner again and judge every stored model.

    Parameters
    ----------
    report : callable, optional
        Told what is being done.

    Raises
    ------
    UsageError, UnsupportedCPUError
        ``PYINFER_ISA`` names no level, or one that this CPU does not have.
    """
    isa, threads = choose_isa(), machine.default_threads().count
    runtime = Runtime(isa, threads)
    report("measuring memory and multipliers")
    limits = measure_limits(runtime, read_buffer())
    report("timing ways to walk the weights")
    walk = retune(isa, threads)
    report("looking at the models")
    models = [_judge(model.name, model.path, limits) for model in list_models()]
    sections = {
        "Processor": {
            "name": cpu_name(),
            "features": ", ".join(notable_features()) or "none of the newer ones",
            **level_facts(),
            "kernels": level_line(),
        },
        "Threads": thread_facts(),
        "Memory": memory_facts(),
        "Measured": {
            "reading": f"{limits.read / 1e9:.1f} GB/s on {threads} threads",
            "8-bit multiplying": f"{limits.int8 / 1e9:.0f} Gop/s",
            "f32 multiplying": f"{limits.f32 / 1e9:.0f} Gflop/s",
            "walk of the weights": walk,
        },
        "Files": _file_facts(),
    }
    return Findings(sections, limits, models)


def retune(isa: str, threads: int) -> str:
    """Time the walks anew, on feed-forward weights of a 1.5B model, and keep the choice."""
    runtime = Runtime(isa, threads)
    if os.environ.get("PYINFER_TUNE") != "off":
        forget(runtime)
    config = read_hf_config(
        {
            "model_type": "qwen2",
            "vocab_size": 256,
            "hidden_size": 1536,
            "intermediate_size": 8960,
            "num_hidden_layers": 9,
            "num_attention_heads": 12,
            "num_key_value_heads": 2,
            "max_position_embeddings": 64,
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": True,
        },
        name="sample",
    )
    if machine.available_memory() < 1 << 30:
        return "not timed: less than 1 GB of memory is available"
    model = _sample_model(config, runtime)
    try:
        return str(model.tuned)
    finally:
        model.close()


def _sample_model(config: ModelConfig, runtime: Runtime) -> Model:
    found = architecture(config.architecture)
    shapes = found.tensors.shapes(config)
    arena = Arena(sum(packed_bytes("q4_0", *x) for x in shapes.values() if len(x) == 2))
    np.asarray(arena.view()).fill(0)  # zero scales: every product is zero, and none is slow

    def matrix(name: str) -> PackedTensor:
        return PackedTensor(arena, "q4_0", *shapes[name])

    def vector(name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.ones(shapes[name], np.float32)

    return Model(config, found.build(config, matrix, vector), runtime, StepLimits(64, 1))


def _judge(name: str, path: Path, limits: Limits) -> ModelVerdict:
    try:
        need = model_need(path)
    except PyinferError as error:
        return ModelVerdict(name, 0, False, 0.0, 0.0, str(error))
    work = workload(need.config, need.formats, need.bytes_per_token, need.kv_per_token)
    return ModelVerdict(
        name,
        need.memory,
        need.memory <= machine.available_memory(),
        1 / work.decode_seconds(limits, 1, 0, 1),
        PROMPT_TOKENS / work.prompt_seconds(limits, PROMPT_TOKENS, 0, 1, PROMPT_TOKENS),
    )


def _file_facts() -> dict[str, str]:
    places = {"store": store_root(), "Hugging Face cache": hub_cache_root()}
    for root in ollama_roots():
        if root.is_dir():
            places["Ollama"] = root
    facts = {name: f"{path} ({_folder_size(path)})" for name, path in places.items()}
    return {**facts, "tuner's choices": f"{cache_file()} ({_folder_size(cache_file())})"}


def _folder_size(path: Path) -> str:
    """Bytes of regular files below a path, links not counted."""
    if not path.exists():
        return "not there"
    total = 0
    for number, file in enumerate([path] if path.is_file() else path.rglob("*")):
        try:
            if file.is_file() and not file.is_symlink():
                total += file.stat().st_size
        except OSError:
            continue
        if number > _MAX_FILES:
            break
    return f"{total / 1e9:.2f} GB" if total >= 10_000_000 else f"{total / 1e3:.1f} kB"
