/* q4_1: the block of a GGUF file (ggml documentation, little endian). */
#ifndef PYINFER_KERNELS_FORMATS_Q4_1_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_Q4_1_LAYOUT_H

#include "pyinfer/types.h"

/* value[i] = d * q[i] + m; nibbles as in q4_0. */
struct pi_block_q4_1 {
    uint16_t d, m; /* f16 */
    uint8_t qs[16];
};

_Static_assert(sizeof(struct pi_block_q4_1) == PI_BLOCK_BYTES_Q4_1, "q4_1 block");

#endif
