/* q5_1: the block of a GGUF file (ggml documentation, little endian) and the panel.
 * Nibbles as in q4_0, fifth bits apart. */
#ifndef PYINFER_KERNELS_FORMATS_Q5_1_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_Q5_1_LAYOUT_H

#include "pyinfer/panels.h"

/* value[i] = d * q[i] + m; codes as in q5_0. */
struct pi_block_q5_1 {
    uint16_t d, m;
    uint8_t qh[4];
    uint8_t qs[16];
};

/* Fifth bits: of input 4j + k of a block it is bit j of high[block][row][k]. */
struct pi_group_q5_1 {
    uint16_t scale[4][PI_PANEL_ROWS];
    uint16_t min[4][PI_PANEL_ROWS]; /* f16, added */
    uint8_t q[4][4][PI_PANEL_ROWS][4];
    uint8_t high[4][PI_PANEL_ROWS][4];
};

_Static_assert(sizeof(struct pi_block_q5_1) == PI_BLOCK_BYTES_Q5_1, "q5_1 block");
_Static_assert(sizeof(struct pi_group_q5_1) == PI_GROUP_BYTES_Q5_1, "q5_1 group");

#endif
