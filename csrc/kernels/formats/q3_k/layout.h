/* q3_k: the block of a GGUF file (ggml documentation, little endian). */
#ifndef PYINFER_KERNELS_FORMATS_Q3_K_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_Q3_K_LAYOUT_H

#include "pyinfer/types.h"

/* value[i] = d * scale[i / 16] * q[i], scale of 6 bits - 32, q of 3 bits - 4. The low two bits of q
 * as in q2_k; the third of q[32 b + l] is bit b of hmask[l]. */
struct pi_block_q3_k {
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12];
    uint16_t d;
};

_Static_assert(sizeof(struct pi_block_q3_k) == PI_BLOCK_BYTES_Q3_K, "q3_k block");

#endif
