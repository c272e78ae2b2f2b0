/* q4_0: the block of a GGUF file (ggml documentation, little endian) and the panel.
 * A line holds four inputs in the low, four in the high nibbles. */
#ifndef PYINFER_KERNELS_FORMATS_Q4_0_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_Q4_0_LAYOUT_H

#include "pyinfer/panels.h"

/* value[i] = d * (q[i] - 8); q[i] is the low nibble of qs[i] for i < 16, the high nibble of
 * qs[i - 16] otherwise. */
struct pi_block_q4_0 {
    uint16_t d; /* f16 */
    uint8_t qs[16];
};

struct pi_group_q4_0 {
    uint16_t scale[4][PI_PANEL_ROWS]; /* f16, [block of 32][row] */
    /* [block][chunk j][row][input 4j..4j+3 in the low, 16+4j..16+4j+3 in the high nibble] */
    uint8_t q[4][4][PI_PANEL_ROWS][4];
};

_Static_assert(sizeof(struct pi_block_q4_0) == PI_BLOCK_BYTES_Q4_0, "q4_0 block");
_Static_assert(sizeof(struct pi_group_q4_0) == PI_GROUP_BYTES_Q4_0, "q4_0 group");

#endif
