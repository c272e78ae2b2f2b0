/* q5_k: the block of a GGUF file (ggml documentation, little endian) and the panel.
 * Nibbles as in q4_0, fifth bits apart. */
#ifndef PYINFER_KERNELS_FORMATS_Q5_K_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_Q5_K_LAYOUT_H

#include "pyinfer/panels.h"

/* As q4_k with a fifth bit: of q[32 b + l] it is bit b of qh[l]. */
struct pi_block_q5_k {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qh[32];
    uint8_t qs[128];
};

struct pi_super_q5_k {
    uint16_t d[PI_PANEL_ROWS], dmin[PI_PANEL_ROWS];
    uint8_t scale[3][PI_PANEL_ROWS][4];
    uint8_t q[8][4][PI_PANEL_ROWS][4];
    uint8_t high[8][PI_PANEL_ROWS][4];
};

_Static_assert(sizeof(struct pi_block_q5_k) == PI_BLOCK_BYTES_Q5_K, "q5_k block");
_Static_assert(sizeof(struct pi_super_q5_k) == 2 * PI_GROUP_BYTES_Q5_K, "q5_k super group");

#endif
