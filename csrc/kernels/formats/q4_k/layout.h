/* q4_k: the block of a GGUF file (ggml documentation, little endian) and the panel.
 * Nibbles as in q4_0. */
#ifndef PYINFER_KERNELS_FORMATS_Q4_K_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_Q4_K_LAYOUT_H

#include "pyinfer/panels.h"

/* value[i] = d * scale[i / 32] * q[i] - dmin * min[i / 32]; scale and min of 6 bits.
 * q[64 c + l] = low nibble of qs[32 c + l], q[64 c + 32 + l] = high nibble. */
struct pi_block_q4_k {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qs[128];
};

/* The twelve bytes of scales and minimums of a row are those of its file block. */
struct pi_super_q4_k {
    uint16_t d[PI_PANEL_ROWS], dmin[PI_PANEL_ROWS];
    uint8_t scale[3][PI_PANEL_ROWS][4];
    uint8_t q[8][4][PI_PANEL_ROWS][4];
};

_Static_assert(sizeof(struct pi_block_q4_k) == PI_BLOCK_BYTES_Q4_K, "q4_k block");
_Static_assert(sizeof(struct pi_super_q4_k) == 2 * PI_GROUP_BYTES_Q4_K, "q4_k super group");

#endif
