/* Byte layout of packed weights (panels) and of quantized activations (a8).
 *
 * A panel holds 16 output rows; a matrix is a sequence of panels, a panel a sequence of groups of
 * 128 inputs. A line is 64 bytes: row r owns bytes 4r..4r+3. Rows are padded to 16 and inputs to
 * 128 with zeros, so kernels see whole panels and groups only. Scales stand in front of the data
 * they scale, so a thread reads one ascending stream.
 *
 *   format      one line holds            scales              bytes per group
 *   q4_0        4 inputs low, 4 high      4 x 16 f16          1152
 *   q8_0        4 inputs, byte ^ 0x80     4 x 16 f16          2176
 *   f16, bf16   2 inputs                  -                   4096
 *   f32         1 input                   -                   8192
 */
#ifndef PYINFER_PANELS_H
#define PYINFER_PANELS_H

#include "pyinfer/types.h"

struct pi_group_q4_0 {
    uint16_t scale[4][PI_PANEL_ROWS]; /* f16, [block of 32][row] */
    /* [block][chunk j][row][input 4j..4j+3 in the low, 16+4j..16+4j+3 in the high nibble] */
    uint8_t q[4][4][PI_PANEL_ROWS][4];
};

struct pi_group_q8_0 {
    uint16_t scale[4][PI_PANEL_ROWS];
    uint8_t q[4][8][PI_PANEL_ROWS][4]; /* [block][chunk j][row][input 4j..4j+3], signed ^ 0x80 */
};

struct pi_group_16bit { /* f16 and bf16 */
    uint16_t w[PI_GROUP_INPUTS / 2][PI_PANEL_ROWS][2];
};

struct pi_group_f32 {
    float w[PI_GROUP_INPUTS][PI_PANEL_ROWS];
};

/* 128 inputs of one token. value[i] = scale[i / 32] * q[i], |q| <= 127.
 * The offset of a weight format is folded into the start of the integer accumulator:
 * sum((w - bias) * q) = start + sum(w * q), start = -bias * sum(q). */
struct pi_a8_group {
    int8_t q[PI_GROUP_INPUTS];
    float scale[4];
    float scaled_sum[4]; /* scale * sum(q): for formats with a minimum per block */
    int32_t start_q4[4]; /* -8 * sum(q), for nibbles stored as 0..15 */
    int32_t start_q8[4]; /* -128 * sum(q), for bytes stored as 0..255 */
};

_Static_assert(sizeof(struct pi_group_q4_0) == 1152, "q4_0 group is 18 lines");
_Static_assert(sizeof(struct pi_group_q8_0) == 2176, "q8_0 group is 34 lines");
_Static_assert(sizeof(struct pi_group_16bit) == 4096, "16-bit group is 64 lines");
_Static_assert(sizeof(struct pi_group_f32) == 8192, "f32 group is 128 lines");
_Static_assert(sizeof(struct pi_a8_group) == 192, "a8 group is 3 lines");

#endif
