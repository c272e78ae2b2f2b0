"""Shapes of the DeepSeek-R1-Distill-Qwen models: the one table of all benchmarks.

Letters: D width, F feed-forward width, H query heads, G kv heads, K head size, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Shape:
    """Sizes of one model."""

    name: str
    layers: int
    D: int
    F: int
    H: int
    G: int
    K: int
    V: int

    @property
    def body_macs(self) -> int:
        """Multiply-adds of one token in the matrices of all layers, without the head."""
        parts = self.matrices()
        return self.layers * sum(r * c for name, (r, c) in parts.items() if name != "head")

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Rows and inputs of the matrices of a layer and of the head, as the ops read them."""
        return {
            "qkv": ((self.H + 2 * self.G) * self.K, self.D),
            "o": (self.D, self.H * self.K),
            "gate_up": (2 * self.F, self.D),
            "down": (self.D, self.F),
            "head": (self.V, self.D),
        }


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("1.5b", 28, 1536, 8960, 12, 2, 128, 151936),
        Shape("7b", 28, 3584, 18944, 28, 4, 128, 152064),
        Shape("14b", 48, 5120, 13824, 40, 8, 128, 152064),
        Shape("32b", 64, 5120, 27648, 40, 8, 128, 152064),
        # As many layers as 1.5b and next to nothing to compute: what a step costs besides.
        Shape("empty", 28, 128, 128, 1, 1, 128, 256),
    )
}
