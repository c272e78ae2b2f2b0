/* q6_k: the block of a GGUF file (ggml documentation, little endian) and the panel.
 * Low nibbles as in q4_0, high bits apart. */
#ifndef PYINFER_KERNELS_FORMATS_Q6_K_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_Q6_K_LAYOUT_H

#include "pyinfer/panels.h"

/* value[i] = d * scales[i / 16] * (q[i] - 32). With i = 128 h + 32 k + l: the low four bits are the
 * low (k < 2) or high nibble of ql[64 h + 32 (k % 2) + l], the next two are bits 2k, 2k + 1 of
 * qh[32 h + l]. */
struct pi_block_q6_k {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint16_t d;
};

/* d is held as the bits of an f32, so that scales are one aligned line; pairs of high bits as the
 * codes of q2_k. */
struct pi_super_q6_k {
    uint32_t d[PI_PANEL_ROWS];
    int8_t scale[4][PI_PANEL_ROWS][4];
    uint8_t q[8][4][PI_PANEL_ROWS][4];
    uint8_t high[8][2][PI_PANEL_ROWS][4];
};

_Static_assert(sizeof(struct pi_block_q6_k) == PI_BLOCK_BYTES_Q6_K, "q6_k block");
_Static_assert(sizeof(struct pi_super_q6_k) == 2 * PI_GROUP_BYTES_Q6_K, "q6_k super group");

#endif
