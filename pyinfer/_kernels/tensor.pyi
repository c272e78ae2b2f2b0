"""Packed weights: 16-row panels in an arena of huge pages."""

from typing import Any

from pyinfer._kernels.runtime import Runtime

MAP_ALIGNMENT: int

def row_bytes(fmt: str, cols: int) -> int:
    """Bytes of one file row. ``ValueError`` if ``cols`` is no multiple of the block."""

def panel_format(fmt: str) -> str:
    """The format whose panels hold the values of ``fmt`` exactly, mostly ``fmt`` itself."""

def packed_bytes(fmt: str, rows: int, cols: int) -> int:
    """Bytes of a packed tensor, rows padded to 16 and inputs to 128."""

class Arena:
    """Anonymous memory, committed on first touch, or a file; handed out front to back.

    Raises
    ------
    InsufficientMemoryError
        The system refused the address space.
    """

    nbytes: int
    used: int
    writable: bool

    def __init__(self, nbytes: int) -> None: ...
    @staticmethod
    def map_file(fd: int, offset: int, nbytes: int) -> Arena:
        """Map bytes of a file that holds packed weights: read-only, shared between processes.

        ``offset`` is a multiple of :data:`MAP_ALIGNMENT` and the range lies inside the file; the
        descriptor may be closed afterwards. ``InsufficientMemoryError`` if the system refuses.
        """

    @property
    def lost(self) -> bool:
        """Whether the mapped file was cut short: what is not there any more reads as zeros."""

    def view(self) -> Any:
        """All bytes, uint8 (nbytes,); a view that keeps the arena."""

class PackedTensor:
    """A matrix of ``rows`` outputs by ``cols`` inputs in one format, taken from an arena."""

    arena: Arena
    format: str
    rows: int
    cols: int
    nbytes: int

    def __init__(self, arena: Arena, fmt: str, rows: int, cols: int) -> None: ...
    def pack(self, runtime: Runtime, first_row: int, data: Any, source_format: str) -> None:
        """Pack whole rows of a file into the panels from ``first_row`` on.

        Parameters
        ----------
        runtime : Runtime
            Its workers share the panels.
        first_row : int
            Multiple of 16.
        data : uint8 (n_rows * row_bytes,)
            Rows as the file holds them; read only. ``n_rows`` is a multiple of 16 unless the
            slice ends the tensor.
        source_format : str
            Format of ``data``. One of files only is rewritten exactly for the panels that hold its
            values; any other that differs is converted through f32.

        Raises
        ------
        ValueError
            Sizes do not match the tensor.
        """

    def panels(self) -> Any:
        """The packed bytes, uint8 (n_panels, panel_bytes); a view that keeps the arena."""
