# Packed weights in an arena of huge pages. Documented in tensor.pyi.
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport uint8_t, uint64_t

from pyinfer._kernels cimport c_api as c
from pyinfer._kernels cimport c_runtime as r
from pyinfer._kernels.runtime cimport Runtime
from pyinfer._kernels.status cimport check_status

from pyinfer._kernels.formats import FILE_FORMATS, format_info
from pyinfer.errors import InsufficientMemoryError

MAP_ALIGNMENT = 2 << 20  # of a mapped file range: a huge page


cdef c.pi_format format_of(str name) except *:
    return <c.pi_format><int>FILE_FORMATS.index(format_info(name).name)


def panel_format(str fmt):
    return format_info(fmt).panel


def row_bytes(str fmt, size_t cols):
    cdef const c.pi_qtype *q = c.pi_qtype_of(format_of(fmt))
    if cols % q.block_inputs != 0:
        raise ValueError(f"{cols} inputs are no multiple of the {q.block_inputs} of a {fmt} block")
    return cols // q.block_inputs * q.block_bytes


def packed_bytes(str fmt, size_t rows, size_t cols):
    cdef const c.pi_qtype *q = c.pi_qtype_of(format_of(fmt))
    if q.group_bytes == 0:
        raise ValueError(f"format {fmt!r} has no panels, {panel_format(fmt)} holds its values")
    cdef size_t panels = (rows + c.PI_PANEL_ROWS - 1) // c.PI_PANEL_ROWS
    cdef size_t groups = (cols + c.PI_GROUP_INPUTS - 1) // c.PI_GROUP_INPUTS
    return panels * groups * q.group_bytes


cdef class Arena:
    def __init__(self, size_t nbytes):
        if self.base is not NULL or nbytes == 0:
            raise ValueError("an Arena is initialised once, with at least one byte")
        self.base = <uint8_t *>r.pi_memory_map(nbytes)
        if self.base is NULL:
            raise InsufficientMemoryError(f"the system refused {nbytes:,} bytes for the weights")
        self.nbytes = nbytes
        self.writable = True

    @staticmethod
    def map_file(int fd, uint64_t offset, size_t nbytes):
        cdef Arena arena = Arena.__new__(Arena)
        if offset % MAP_ALIGNMENT != 0:
            raise ValueError(f"offset {offset} is no multiple of {MAP_ALIGNMENT}")
        arena.base = <uint8_t *>r.pi_memory_map_file(fd, offset, nbytes)
        if arena.base is NULL:
            raise InsufficientMemoryError(f"the system refused to map {nbytes:,} bytes of a file")
        arena.nbytes = nbytes
        return arena

    def __dealloc__(self):
        r.pi_memory_unmap(self.base, self.nbytes)

    # A view holds the arena, so the memory stays mapped as long as anybody looks at it.
    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(
            buffer, self, self.base, <Py_ssize_t>self.nbytes, not self.writable, flags)

    @property
    def lost(self):
        return bool(r.pi_memory_lost(self.base))

    def view(self):
        return memoryview(self)

    cdef uint8_t *take(self, size_t nbytes) except NULL:
        if nbytes > self.nbytes - self.used:
            raise ValueError(f"{nbytes:,} bytes do not fit: {self.used:,} of {self.nbytes:,} "
                             "bytes of the arena are used")
        cdef uint8_t *piece = self.base + self.used
        self.used += nbytes
        return piece


cdef class PackedTensor:
    def __init__(self, Arena arena, str fmt, size_t rows, size_t cols):
        if rows == 0 or cols == 0:
            raise ValueError(f"a tensor of {rows} x {cols} is empty")
        self.arena = arena
        self.format, self.rows, self.cols = fmt, rows, cols
        self.nbytes = packed_bytes(fmt, rows, cols)
        self.weight.format = format_of(fmt)
        self.weight.n_panels = (rows + c.PI_PANEL_ROWS - 1) // c.PI_PANEL_ROWS
        self.weight.n_groups = (cols + c.PI_GROUP_INPUTS - 1) // c.PI_GROUP_INPUTS
        self.weight.panels = arena.take(self.nbytes)

    cdef uint8_t *place(self, size_t first_row, size_t n_rows) except NULL:
        if not self.arena.writable:
            raise ValueError("the weights are mapped from a file and cannot be written")
        if n_rows == 0 or first_row >= self.rows or n_rows > self.rows - first_row:
            raise ValueError(f"rows {first_row} to {first_row + n_rows} of {self.rows}")
        if first_row % <size_t>c.PI_PANEL_ROWS != 0 or (
                n_rows % <size_t>c.PI_PANEL_ROWS != 0 and first_row + n_rows != self.rows):
            raise ValueError("only the last slice may end inside a panel of 16 rows")
        return <uint8_t *>self.weight.panels + (
            first_row // c.PI_PANEL_ROWS * (self.nbytes // self.weight.n_panels))

    def pack(self, Runtime runtime, size_t first_row, const uint8_t[::1] data, str source_format):
        cdef r.pi_pack_job job
        job.row_bytes = row_bytes(source_format, self.cols)
        row_bytes(self.format, self.cols)
        job.n_rows = <size_t>data.shape[0] // job.row_bytes
        if job.n_rows == 0 or job.n_rows * job.row_bytes != <size_t>data.shape[0]:
            raise ValueError(f"{data.shape[0]} bytes are no whole rows of {job.row_bytes} bytes")
        job.panels = self.place(first_row, job.n_rows)
        job.to = self.weight.format
        job.rows = &data[0]
        job.from_ = format_of(source_format)
        job.n_cols = self.cols
        cdef c.pi_status status
        runtime.enter()
        with nogil:
            status = r.pi_pack_rows(runtime.handle, &job)
        runtime.leave()
        check_status(status, f"packing {source_format} into {self.format}")

    def panels(self):
        cdef size_t first = <size_t>(self.weight.panels - self.arena.base)
        return self.arena.view()[first:first + self.nbytes].cast(
            "B", (self.weight.n_panels, self.nbytes // self.weight.n_panels))
