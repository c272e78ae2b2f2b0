"""Plots of saved runs: small SVG files that are the same for the same figures.

Every plot stands on a light card of its own, so it reads on light and on dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot as plt

Points = Sequence[tuple[float, float]]

CARD, INK, GRID = "#fbfbf8", "#1f2328", "#d5d8dc"
COLOURS = ("#0b6fb8", "#c4561a", "#3f8f4f", "#8457a8", "#8a6d1f")
LIMIT = "#6b7280"

_STYLE = {
    "svg.hashsalt": "pyinfer",
    "svg.fonttype": "none",  # text stays text: a tenth of the size
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": CARD,
    "figure.facecolor": CARD,
    "savefig.facecolor": CARD,
    "axes.grid": True,
    "grid.color": GRID,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


def bars(path: Path, title: str, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Share of the limit: one group per format, one bar per engine; the line at 100 % is the limit.

    ``shares[group][engine]`` is a number, 1 for the limit.
    """
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 2.9))
        engines = list(dict.fromkeys(name for group in shares.values() for name in group))
        width = 0.8 / max(1, len(engines))
        for i, engine in enumerate(engines):
            found = [
                (j + (i - (len(engines) - 1) / 2) * width, group[engine])
                for j, group in enumerate(shares.values())
                if engine in group
            ]
            places, values = [x for x, _ in found], [100 * y for _, y in found]
            colour = COLOURS[i % len(COLOURS)]
            drawn = axes.bar(places, values, width * 0.92, color=colour, label=engine)
            axes.bar_label(drawn, fmt="%.0f", fontsize=8, color=INK)
        axes.axhline(100, color=LIMIT, linewidth=1.5, linestyle="--", label="limit")
        axes.set_xticks(range(len(shares)), list(shares))
        axes.set_ylabel("% of the limit")
        axes.set_ylim(0, 118)
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=8, ncols=len(engines) + 1, frameon=False, loc="upper center")
        _save(figure, path)


def lines(
    path: Path, title: str, xlabel: str, series: Mapping[str, Points], *, log: bool = False
) -> None:
    """Tokens per second against something; a series named ``limit`` is dashed."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(6.4, 2.9))
        ticks: set[float] = set()
        for i, (name, points) in enumerate(series.items()):
            x, y = zip(*sorted(points), strict=True)
            ticks |= set(x)
            if name == "limit":
                axes.plot(x, y, color=LIMIT, linestyle="--", marker=".", label=name)
            else:
                axes.plot(x, y, color=COLOURS[i % len(COLOURS)], marker="o", ms=4, label=name)
        if log:
            axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(ticks), [f"{tick:,.0f}" for tick in sorted(ticks)])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel(xlabel)
        axes.set_ylabel("tokens/s")
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=8, frameon=False)
        _save(figure, path)
