/* Byte layout of the GGUF quantization blocks (ggml documentation, little endian).
 * A row is a sequence of blocks of 32 inputs. */
#ifndef PYINFER_BLOCKS_H
#define PYINFER_BLOCKS_H

#include "pyinfer/types.h"

/* value[i] = d * (q[i] - 8); q[i] is the low nibble of qs[i] for i < 16, the high nibble of
 * qs[i - 16] otherwise. */
struct pi_block_q4_0 {
    uint16_t d; /* f16 */
    uint8_t qs[16];
};

/* value[i] = d * qs[i] */
struct pi_block_q8_0 {
    uint16_t d; /* f16 */
    int8_t qs[32];
};

_Static_assert(sizeof(struct pi_block_q4_0) == 18, "q4_0 block is 18 bytes");
_Static_assert(sizeof(struct pi_block_q8_0) == 34, "q8_0 block is 34 bytes");

#endif
