# Facts of the weight formats, read from the C table. Documented in formats.pyi.
from pyinfer._kernels cimport c_api as c

from typing import NamedTuple


class FormatInfo(NamedTuple):
    name: str
    block_inputs: int
    block_bytes: int
    group_bytes: int
    quantized: bool
    panel: str
    ggml_type: int


cdef facts(int index):
    cdef const c.pi_qtype *q = c.pi_qtype_of(<c.pi_format>index)
    panel = c.pi_qtype_of(q.panel).name.decode()
    return FormatInfo(q.name.decode(), q.block_inputs, q.block_bytes, q.group_bytes,
                      bool(q.quantized), panel, q.ggml_type)


INFO = {info.name: info for info in [facts(i) for i in range(<int>c.PI_FILE_FORMAT_COUNT)]}
FILE_FORMATS = tuple(INFO)
FORMATS = FILE_FORMATS[:<int>c.PI_FORMAT_COUNT]


def format_info(fmt):
    if fmt not in INFO:
        raise ValueError(f"format {fmt!r} is unknown, expected one of {', '.join(FILE_FORMATS)}")
    return INFO[fmt]
