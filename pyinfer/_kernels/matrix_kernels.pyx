# The kernels that know a weight format; kernels.pyx adds the rest. Shapes, dtypes and errors are
# documented in matrix_kernels.pyi. Every call checks shapes, then runs the kernel in the
# floating-point mode of the contract.
from libc.stdint cimport uint8_t, uintptr_t

from pyinfer._kernels cimport c_api as c

import numpy as np

from pyinfer._kernels.formats import FILE_FORMATS, FORMATS, format_info
from pyinfer._kernels.runtime import available_isas

cdef size_t ROWS = c.PI_PANEL_ROWS
cdef size_t GROUP = c.PI_GROUP_INPUTS
cdef size_t TILE = c.PI_TILE_TOKENS
cdef size_t A8_BYTES = sizeof(c.pi_a8_group)


cdef int require(bint condition, str message) except -1:
    if not condition:
        raise ValueError(message)
    return 0


cdef size_t groups_of(size_t n_cols):
    return (n_cols + GROUP - 1) // GROUP


cdef int check_panels(info, const uint8_t[:, ::1] panels, size_t n_groups) except -1:
    require(panels.shape[0] > 0 and n_groups > 0 and n_groups * GROUP % info.block_inputs == 0
            and <size_t>panels.shape[1] == n_groups * <size_t>info.group_bytes,
            f"panels of {panels.shape[1]} bytes do not hold {n_groups} groups of {info.name}")
    return require(<uintptr_t>&panels[0, 0] % <uintptr_t>c.PI_LINE_BYTES == 0,
                   "panels are not 64-byte aligned, use aligned_empty")


cdef panel_info(fmt):
    require(fmt in FORMATS, f"format {fmt!r} has no panels, expected one of {', '.join(FORMATS)}")
    return format_info(fmt)


def aligned_empty(shape, dtype=np.uint8):
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(count + c.PI_LINE_BYTES, dtype=np.uint8)
    start = -raw.ctypes.data % c.PI_LINE_BYTES
    return raw[start:start + count].view(dtype).reshape(shape)


cdef class MatrixKernels:
    def __init__(self, isa=None):
        isas = available_isas()
        isa = isas[0] if isa is None else isa
        require(isa in isas, f"instruction set {isa!r} is not available here, expected one of "
                             f"{', '.join(isas)}")
        c.pi_kernels_init(&self.table, c.pi_level_find(isa.encode()))

    @property
    def isa(self):
        return self.table.level.name.decode()

    def pack(self, fmt, const uint8_t[:, ::1] rows, size_t n_cols):
        info = panel_info(fmt)
        cdef size_t n_rows = rows.shape[0], row_bytes = rows.shape[1], p
        require(n_rows > 0 and n_cols > 0 and n_cols % info.block_inputs == 0
                and row_bytes == n_cols // info.block_inputs * info.block_bytes,
                f"rows of shape ({n_rows}, {row_bytes}) do not hold {n_cols} inputs in {fmt}")
        cdef size_t panel_bytes = groups_of(n_cols) * <size_t>info.group_bytes
        cdef size_t n_panels = (n_rows + ROWS - 1) // ROWS
        panels = aligned_empty((n_panels, panel_bytes))
        cdef uint8_t[:, ::1] out = panels
        cdef c.pi_pack_ptr kernel = self.table.pack[<int>FORMATS.index(fmt)]
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            for p in range(n_panels):
                kernel(&out[p, 0], &rows[p * ROWS, 0], row_bytes,
                       min(ROWS, n_rows - p * ROWS), n_cols)
            c.pi_fpmode_leave(mode)
        return panels

    def unpack(self, fmt, const uint8_t[:, ::1] panels, size_t n_rows, size_t n_cols):
        info = panel_info(fmt)
        cdef size_t row_bytes = n_cols // <size_t>info.block_inputs * <size_t>info.block_bytes, p
        check_panels(info, panels, groups_of(n_cols))
        require(0 < n_rows <= <size_t>panels.shape[0] * ROWS and n_cols % info.block_inputs == 0,
                f"{n_rows} rows of {n_cols} inputs do not come from {panels.shape[0]} panels")
        rows = np.empty((n_rows, row_bytes), dtype=np.uint8)
        cdef uint8_t[:, ::1] out = rows
        cdef c.pi_unpack_ptr kernel = self.table.unpack[<int>FORMATS.index(fmt)]
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            for p in range((n_rows + ROWS - 1) // ROWS):
                kernel(&out[p * ROWS, 0], &panels[p, 0], row_bytes,
                       min(ROWS, n_rows - p * ROWS), n_cols)
            c.pi_fpmode_leave(mode)
        return rows

    def quantize(self, fmt, const float[:, ::1] x, const float[::1] importance=None):
        info = format_info(fmt)
        cdef size_t n_rows = x.shape[0], n = x.shape[1], r
        require(n_rows > 0 and n > 0 and n % info.block_inputs == 0,
                f"{n} inputs are no multiple of the {info.block_inputs} inputs of a {fmt} block")
        blocks = np.empty((n_rows, n // info.block_inputs * info.block_bytes), dtype=np.uint8)
        cdef uint8_t[:, ::1] out = blocks
        cdef int index = FILE_FORMATS.index(fmt)
        cdef c.pi_quantize_ptr kernel = self.table.quantize[index]
        cdef c.pi_quantize_weighted_ptr weighted = NULL
        if importance is not None:
            require(<size_t>importance.shape[0] == n,
                    f"{importance.shape[0]} importances for {n} inputs")
            weighted = self.table.quantize_weighted[index]
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            for r in range(n_rows):
                if weighted is not NULL:
                    weighted(&out[r, 0], &x[r, 0], &importance[0], n)
                else:
                    kernel(&out[r, 0], &x[r, 0], n)
            c.pi_fpmode_leave(mode)
        return blocks

    def can_fit(self, fmt):
        format_info(fmt)
        return fmt in FORMATS and self.table.fit[<int>FORMATS.index(fmt)] != NULL

    def fit(self, fmt, const float[:, ::1] x, const float[::1] importance):
        info = format_info(fmt)
        cdef size_t n_rows = x.shape[0], n = x.shape[1], r
        require(self.can_fit(fmt), f"there is no search for {fmt}")
        require(n_rows > 0 and n > 0 and n % info.block_inputs == 0,
                f"{n} inputs are no multiple of the {info.block_inputs} inputs of a {fmt} block")
        require(<size_t>importance.shape[0] == n,
                f"importance of {importance.shape[0]} inputs for rows of {n}")
        blocks = np.empty((n_rows, n // info.block_inputs * info.block_bytes), dtype=np.uint8)
        cdef uint8_t[:, ::1] out = blocks
        cdef c.pi_fit_ptr kernel = self.table.fit[<int>FORMATS.index(fmt)]
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            for r in range(n_rows):
                kernel(&out[r, 0], &x[r, 0], &importance[0], n)
            c.pi_fpmode_leave(mode)
        return blocks

    def dequantize(self, fmt, const uint8_t[:, ::1] blocks):
        info = format_info(fmt)
        cdef size_t n_rows = blocks.shape[0], row_bytes = blocks.shape[1], r
        require(n_rows > 0 and row_bytes > 0 and row_bytes % info.block_bytes == 0,
                f"rows of {row_bytes} bytes are no whole {fmt} blocks")
        cdef size_t n = row_bytes // <size_t>info.block_bytes * <size_t>info.block_inputs
        x = np.empty((n_rows, n), dtype=np.float32)
        cdef float[:, ::1] out = x
        cdef c.pi_dequantize_ptr kernel = self.table.dequantize[<int>FILE_FORMATS.index(fmt)]
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            for r in range(n_rows):
                kernel(&out[r, 0], &blocks[r, 0], n)
            c.pi_fpmode_leave(mode)
        return x

    def embed(self, fmt, const uint8_t[:, ::1] panels, size_t row):
        info = panel_info(fmt)
        cdef size_t n_groups = panels.shape[1] // <size_t>info.group_bytes
        check_panels(info, panels, n_groups)
        require(row < panels.shape[0] * ROWS, f"row {row} of {panels.shape[0] * ROWS}")
        x = np.empty(n_groups * GROUP, dtype=np.float32)
        cdef float[::1] out = x
        cdef c.pi_embed_ptr kernel = self.table.embed[<int>FORMATS.index(fmt)]
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            kernel(&out[0], &panels[0, 0], row, n_groups)
            c.pi_fpmode_leave(mode)
        return x

    def act_a8(self, const float[:, ::1] x, size_t tile=0):
        cdef size_t T = x.shape[0], n = x.shape[1], t
        require(T > 0 and n > 0 and n % GROUP == 0,
                f"({T}, {n}) activations: inputs must be a multiple of {GROUP}")
        cdef size_t step = tile if tile else T, n_groups = n // GROUP
        tiles = aligned_empty(((T + step - 1) // step, n_groups, step, A8_BYTES))
        tiles.fill(0)
        cdef uint8_t[:, :, :, ::1] out = tiles
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            for t in range(T):
                self.table.act_a8(<c.pi_a8_group *>&out[t // step, 0, t % step, 0], step, &x[t, 0],
                                  n_groups)
            c.pi_fpmode_leave(mode)
        return tiles

    def gemv(self, fmt, const uint8_t[:, ::1] panels, x, size_t n_streams=1,
             size_t prefetch_near=0, size_t prefetch_far=0, out=None):
        info = panel_info(fmt)
        cdef const uint8_t[:, :, ::1] x_a8
        cdef const float[:, ::1] x_f32
        cdef c.pi_gemv_args args
        cdef size_t n_panels = panels.shape[0], s
        if info.quantized:
            x_a8 = x
            args.n_groups, args.n_tokens, args.x_stride = x_a8.shape[0], x_a8.shape[1], 0
            require(args.n_groups > 0 and args.n_tokens > 0 and <size_t>x_a8.shape[2] == A8_BYTES,
                    f"activations of shape {tuple(x.shape)} are no a8 tile")
            args.x = &x_a8[0, 0, 0]
        else:
            x_f32 = x
            args.n_groups, args.n_tokens = x_f32.shape[1] // GROUP, x_f32.shape[0]
            args.x_stride = x_f32.shape[1]
            require(args.n_groups > 0 and args.n_tokens > 0 and args.x_stride % GROUP == 0,
                    f"activations of shape {tuple(x.shape)}: inputs must be a multiple of {GROUP}")
            args.x = &x_f32[0, 0]
        check_panels(info, panels, args.n_groups)
        require(args.n_tokens <= 8, f"{args.n_tokens} tokens: at most 8")
        require(n_streams in (1, 2, 4) and n_panels % n_streams == 0,
                f"{n_panels} panels in {n_streams} streams: 1, 2 or 4 streams of equal length")
        if out is None:
            out = np.empty((args.n_tokens, n_panels * ROWS), dtype=np.float32)
        cdef float[:, ::1] y = out
        require(<size_t>y.shape[0] == args.n_tokens and <size_t>y.shape[1] == n_panels * ROWS,
                f"out has shape {tuple(out.shape)}, not ({args.n_tokens}, {n_panels * ROWS})")
        args.n_streams, args.n_panels = n_streams, n_panels // n_streams
        args.out_stride = n_panels * ROWS
        args.prefetch_near, args.prefetch_far = prefetch_near, prefetch_far
        for s in range(n_streams):
            args.w[s] = &panels[s * args.n_panels, 0]
            args.out[s] = &y[0, s * args.n_panels * ROWS]
        cdef c.pi_gemv_ptr kernel = self.table.gemv[<int>FORMATS.index(fmt)]
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            kernel(&args)
            c.pi_fpmode_leave(mode)
        return out

    def gemm(self, fmt, const uint8_t[:, ::1] panels, x, size_t first_group=0, n_groups=None,
             bint accumulate=False, out=None):
        info = panel_info(fmt)
        cdef const uint8_t[:, :, :, ::1] x_a8
        cdef const float[:, ::1] x_f32
        cdef c.pi_gemm_args args
        cdef size_t total, n_panels = panels.shape[0]
        if info.quantized:
            x_a8 = x
            total, args.n_tiles = x_a8.shape[1], x_a8.shape[0]
            args.x_stride = total * TILE * A8_BYTES
            require(total > 0 and args.n_tiles > 0 and <size_t>x_a8.shape[2] == TILE
                    and <size_t>x_a8.shape[3] == A8_BYTES,
                    f"activations of shape {tuple(x.shape)} are no tiles of {TILE} tokens")
            require(first_group < total, f"group {first_group} of {total}")
            args.x = &x_a8[0, first_group, 0, 0]
        else:
            x_f32 = x
            total, args.n_tiles = x_f32.shape[1] // GROUP, x_f32.shape[0] // TILE
            args.x_stride = x_f32.shape[1]
            require(total > 0 and args.n_tiles > 0 and args.x_stride % GROUP == 0
                    and x_f32.shape[0] % TILE == 0,
                    f"activations of shape {tuple(x.shape)} are no tiles of {TILE} tokens")
            require(first_group < total, f"group {first_group} of {total}")
            args.x = &x_f32[0, first_group * GROUP]
        check_panels(info, panels, total)
        args.n_groups = total - first_group if n_groups is None else n_groups
        require(0 < args.n_groups <= total - first_group,
                f"groups {first_group} to {first_group + args.n_groups} of {total}")
        require(first_group * GROUP % info.block_inputs == 0
                and args.n_groups * GROUP % info.block_inputs == 0,
                f"groups {first_group} to {first_group + args.n_groups} part a {fmt} block")
        if out is None:
            require(not accumulate, "accumulate goes on from `out`, which is missing")
            out = np.empty((args.n_tiles * TILE, n_panels * ROWS), dtype=np.float32)
        cdef float[:, ::1] y = out
        require(<size_t>y.shape[0] == args.n_tiles * TILE and <size_t>y.shape[1] == n_panels * ROWS,
                f"out has shape {tuple(out.shape)}, not ({args.n_tiles * TILE}, {n_panels * ROWS})")
        args.w = &panels[0, first_group * <size_t>info.group_bytes]
        args.panel_stride, args.n_panels = panels.shape[1], n_panels
        args.out, args.out_stride, args.accumulate = &y[0, 0], n_panels * ROWS, accumulate
        cdef c.pi_gemm_ptr kernel = self.table.gemm[<int>FORMATS.index(fmt)]
        cdef unsigned int mode
        with nogil:
            mode = c.pi_fpmode_enter()
            kernel(&args)
            c.pi_fpmode_leave(mode)
        return out
