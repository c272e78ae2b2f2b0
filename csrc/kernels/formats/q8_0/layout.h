/* q8_0: the block of a GGUF file (ggml documentation, little endian) and the panel.
 * A line holds four inputs, each byte ^ 0x80. */
#ifndef PYINFER_KERNELS_FORMATS_Q8_0_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_Q8_0_LAYOUT_H

#include "pyinfer/panels.h"

/* value[i] = d * qs[i] */
struct pi_block_q8_0 {
    uint16_t d; /* f16 */
    int8_t qs[32];
};

struct pi_group_q8_0 {
    uint16_t scale[4][PI_PANEL_ROWS];
    uint8_t q[4][8][PI_PANEL_ROWS][4]; /* [block][chunk j][row][input 4j..4j+3], signed ^ 0x80 */
};

_Static_assert(sizeof(struct pi_block_q8_0) == PI_BLOCK_BYTES_Q8_0, "q8_0 block");
_Static_assert(sizeof(struct pi_group_q8_0) == PI_GROUP_BYTES_Q8_0, "q8_0 group");

#endif
