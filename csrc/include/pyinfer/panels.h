/* Byte layout of packed weights (panels) and of quantized activations (a8).
 *
 * A panel holds 16 output rows; a matrix is a sequence of panels, a panel a sequence of groups of
 * 128 inputs. A line is 64 bytes: row r owns bytes 4r..4r+3. Rows are padded to 16 and inputs to
 * 128 with zeros, so kernels see whole panels and groups only. Scales stand in front of the data
 * they scale, so a thread reads one ascending stream. The K formats share a scale over two groups
 * ("super"): their rows are multiples of 256 inputs, and a kernel is called with an even number of
 * groups from an even group on.
 */
#ifndef PYINFER_PANELS_H
#define PYINFER_PANELS_H

#include "pyinfer/types.h"

typedef uint8_t pi_line[PI_PANEL_ROWS][4];

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

_Static_assert(sizeof(struct pi_a8_group) == 192, "a8 group is 3 lines");

#endif
