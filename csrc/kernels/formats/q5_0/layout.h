/* q5_0: the block of a GGUF file (ggml documentation, little endian). */
#ifndef PYINFER_KERNELS_FORMATS_Q5_0_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_Q5_0_LAYOUT_H

#include "pyinfer/types.h"

/* value[i] = d * (q[i] - 16); bit i % 8 of qh[i / 8] above the nibble. */
struct pi_block_q5_0 {
    uint16_t d;
    uint8_t qh[4];
    uint8_t qs[16];
};

_Static_assert(sizeof(struct pi_block_q5_0) == PI_BLOCK_BYTES_Q5_0, "q5_0 block");

#endif
