/* iq4_nl: the block of a GGUF file (ggml documentation, little endian). */
#ifndef PYINFER_KERNELS_FORMATS_IQ4_NL_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_IQ4_NL_LAYOUT_H

#include "pyinfer/types.h"

/* value[i] = d * level[q[i]], 16 fixed levels; nibbles as in q4_0. */
struct pi_block_iq4_nl {
    uint16_t d;
    uint8_t qs[16];
};

_Static_assert(sizeof(struct pi_block_iq4_nl) == PI_BLOCK_BYTES_IQ4_NL, "iq4_nl block");

#endif
