"""Memory of the paged key/value cache: blocks of 64 tokens per layer."""

FORMATS: tuple[str, ...]

def block_bytes(fmt: str, n_layers: int, n_kv_heads: int, head_dim: int) -> int:
    """Bytes of one 64-token block over all layers: K and V, V rows padded to 16."""

class KvCache:
    """Pool of blocks in ``fmt`` (``"f16"`` or ``"f32"``), committed on first touch.

    Raises
    ------
    InsufficientMemoryError
        The system refused the address space.
    """

    n_layers: int
    n_blocks: int
    n_kv_heads: int
    head_dim: int
    nbytes: int

    def __init__(
        self, fmt: str, n_layers: int, n_blocks: int, n_kv_heads: int, head_dim: int
    ) -> None: ...
    def copy_block(self, source: int, target: int) -> None:
        """Copy one block in all layers over another one."""
