/* The one list of weight formats. A row makes a format known everywhere: the enum below, the facts
 * (quant/qtype.c), the scalar kernels (dispatch/kernels.c), the names and sizes that Python asks for
 * (_kernels/formats.pyx). What a format computes lies in kernels/formats/<format>/.
 *
 * X(format, NAME, id of its ggml type, inputs of a file block, bytes of a file block,
 *   bytes of 16 rows x 128 inputs packed, PANEL)
 *
 * PANEL is the format whose panels hold the values exactly. */
#ifndef PYINFER_FORMATS_H
#define PYINFER_FORMATS_H

/* clang-format off */

/* Multiplied with f32 activations. */
#define PI_FLOAT_FORMATS(X) \
    X(f32,    F32,     0,   1,   4, 8192, F32)  \
    X(f16,    F16,     1,   1,   2, 4096, F16)  \
    X(bf16,   BF16,   30,   1,   2, 4096, BF16)

/* Multiplied with a8 activations, as all that follow. */
#define PI_QUANTIZED_FORMATS(X) \
    X(q8_0,   Q8_0,    8,  32,  34, 2176, Q8_0) \
    X(q4_0,   Q4_0,    2,  32,  18, 1152, Q4_0) \
    X(q5_1,   Q5_1,    7,  32,  24, 1536, Q5_1) \
    X(q2_k,   Q2_K,   10, 256,  84,  672, Q2_K) \
    X(q4_k,   Q4_K,   12, 256, 144, 1152, Q4_K) \
    X(q5_k,   Q5_K,   13, 256, 176, 1408, Q5_K) \
    X(q6_k,   Q6_K,   14, 256, 210, 1696, Q6_K)

/* Without panels of their own: held in those of another format. */
#define PI_FILE_ONLY_FORMATS(X) \
    X(q4_1,   Q4_1,    3,  32,  20,    0, Q5_1) \
    X(q5_0,   Q5_0,    6,  32,  22,    0, Q8_0) \
    X(iq4_nl, IQ4_NL, 20,  32,  18,    0, Q8_0) \
    X(q3_k,   Q3_K,   11, 256, 110,    0, Q6_K)

/* clang-format on */

#define PI_PANEL_FORMATS(X) PI_FLOAT_FORMATS(X) PI_QUANTIZED_FORMATS(X)
#define PI_FORMATS(X) PI_PANEL_FORMATS(X) PI_FILE_ONLY_FORMATS(X)

/* Index into the kernel arrays: PI_FORMAT_F32 and so on, first those with panels. */
#define PI_ENUMERATE(format, NAME, ...) PI_FORMAT_##NAME,
enum pi_format {
    PI_PANEL_FORMATS(PI_ENUMERATE) PI_FORMAT_COUNT,
    PI_FORMAT_LAST_PANEL = PI_FORMAT_COUNT - 1,
    PI_FILE_ONLY_FORMATS(PI_ENUMERATE) PI_FILE_FORMAT_COUNT
};
#undef PI_ENUMERATE

/* PI_BLOCK_BYTES_Q4_0 and PI_GROUP_BYTES_Q4_0: the sizes that the structures of a format must have. */
#define PI_SIZES(format, NAME, id, inputs, bytes, group, panel)                                    \
    PI_BLOCK_BYTES_##NAME = (bytes), PI_GROUP_BYTES_##NAME = (group),
enum pi_format_sizes { PI_FORMATS(PI_SIZES) };
#undef PI_SIZES

#endif
