"""``python -m pyinfer``: the same as the ``pyinfer`` command."""

from pyinfer.cli.main import run

if __name__ == "__main__":
    run()
