/* Byte layout of packed weights (panels) and of quantized activations (a8).
 *
 * A panel holds 16 output rows; a matrix is a sequence of panels, a panel a sequence of groups of
 * 128 inputs. A line is 64 bytes: row r owns bytes 4r..4r+3. Rows are padded to 16 and inputs to
 * 128 with zeros, so kernels see whole panels and groups only. Scales stand in front of the data
 * they scale, so a thread reads one ascending stream. The K formats share a scale over two groups
 * ("super"): their rows are multiples of 256 inputs, and a kernel is called with an even number of
 * groups from an even group on.
 *
 *   format      one line holds            scales                       bytes per group
 *   q4_0        4 inputs low, 4 high      4 x 16 f16                   1152
 *   q5_1        as q4_0, fifth bits apart 4 x 16 f16, 4 x 16 f16 mins  1536
 *   q8_0        4 inputs, byte ^ 0x80     4 x 16 f16                   2176
 *   q2_k        16 inputs                 per 16 inputs, 4 bits        1344 / 2
 *   q4_k        as q4_0                   per 32 inputs, 6 bits        2304 / 2
 *   q5_k        as q5_1                   per 32 inputs, 6 bits        2816 / 2
 *   q6_k        as q4_0, high bits apart  per 16 inputs, 8 bits        3392 / 2
 *   f16, bf16   2 inputs                  -                            4096
 *   f32         1 input                   -                            8192
 */
#ifndef PYINFER_PANELS_H
#define PYINFER_PANELS_H

#include "pyinfer/types.h"

typedef uint8_t pi_line[PI_PANEL_ROWS][4];

struct pi_group_q4_0 {
    uint16_t scale[4][PI_PANEL_ROWS]; /* f16, [block of 32][row] */
    /* [block][chunk j][row][input 4j..4j+3 in the low, 16+4j..16+4j+3 in the high nibble] */
    uint8_t q[4][4][PI_PANEL_ROWS][4];
};

struct pi_group_q8_0 {
    uint16_t scale[4][PI_PANEL_ROWS];
    uint8_t q[4][8][PI_PANEL_ROWS][4]; /* [block][chunk j][row][input 4j..4j+3], signed ^ 0x80 */
};

/* Fifth bits: of input 4j + k of a block it is bit j of high[block][row][k]. */
struct pi_group_q5_1 {
    uint16_t scale[4][PI_PANEL_ROWS];
    uint16_t min[4][PI_PANEL_ROWS]; /* f16, added */
    uint8_t q[4][4][PI_PANEL_ROWS][4];
    uint8_t high[4][PI_PANEL_ROWS][4];
};

/* Bits 2j, 2j + 1 of q[block][e][row][k] are input 16e + 4j + k of the block. */
struct pi_super_q2_k {
    uint16_t d[PI_PANEL_ROWS], dmin[PI_PANEL_ROWS]; /* f16 */
    uint8_t scale[4][PI_PANEL_ROWS][4];             /* part of 16 inputs i is [i / 4][row][i % 4] */
    uint8_t q[8][2][PI_PANEL_ROWS][4];
};

/* The twelve bytes of scales and minimums of a row are those of its file block. */
struct pi_super_q4_k {
    uint16_t d[PI_PANEL_ROWS], dmin[PI_PANEL_ROWS];
    uint8_t scale[3][PI_PANEL_ROWS][4];
    uint8_t q[8][4][PI_PANEL_ROWS][4];
};

struct pi_super_q5_k {
    uint16_t d[PI_PANEL_ROWS], dmin[PI_PANEL_ROWS];
    uint8_t scale[3][PI_PANEL_ROWS][4];
    uint8_t q[8][4][PI_PANEL_ROWS][4];
    uint8_t high[8][PI_PANEL_ROWS][4];
};

/* d is held as the bits of an f32, so that scales are one aligned line; pairs of high bits as the
 * codes of q2_k. */
struct pi_super_q6_k {
    uint32_t d[PI_PANEL_ROWS];
    int8_t scale[4][PI_PANEL_ROWS][4];
    uint8_t q[8][4][PI_PANEL_ROWS][4];
    uint8_t high[8][2][PI_PANEL_ROWS][4];
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

_Static_assert(sizeof(struct pi_group_q4_0) == PI_GROUP_BYTES_Q4_0, "q4_0 group");
_Static_assert(sizeof(struct pi_group_q8_0) == PI_GROUP_BYTES_Q8_0, "q8_0 group");
_Static_assert(sizeof(struct pi_group_q5_1) == PI_GROUP_BYTES_Q5_1, "q5_1 group");
_Static_assert(sizeof(struct pi_super_q2_k) == 2 * PI_GROUP_BYTES_Q2_K, "q2_k super group");
_Static_assert(sizeof(struct pi_super_q4_k) == 2 * PI_GROUP_BYTES_Q4_K, "q4_k super group");
_Static_assert(sizeof(struct pi_super_q5_k) == 2 * PI_GROUP_BYTES_Q5_K, "q5_k super group");
_Static_assert(sizeof(struct pi_super_q6_k) == 2 * PI_GROUP_BYTES_Q6_K, "q6_k super group");
_Static_assert(sizeof(struct pi_group_16bit) == PI_GROUP_BYTES_F16, "f16 group");
_Static_assert(sizeof(struct pi_group_16bit) == PI_GROUP_BYTES_BF16, "bf16 group");
_Static_assert(sizeof(struct pi_group_f32) == PI_GROUP_BYTES_F32, "f32 group");
_Static_assert(sizeof(struct pi_a8_group) == 192, "a8 group is 3 lines");

#endif
