"""``python -m pyinfer.generate``: the same as ``pyinfer generate``."""

from pyinfer.cli.main import run

if __name__ == "__main__":
    run(command="generate")
