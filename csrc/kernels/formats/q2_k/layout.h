/* q2_k: the block of a GGUF file (ggml documentation, little endian) and the panel.
 * A line holds 16 inputs. */
#ifndef PYINFER_KERNELS_FORMATS_Q2_K_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_Q2_K_LAYOUT_H

#include "pyinfer/panels.h"

/* value[i] = d * (scales[i / 16] & 15) * q[i] - dmin * (scales[i / 16] >> 4);
 * q[128 h + 32 p + l] = bits 2p, 2p + 1 of qs[32 h + l]. */
struct pi_block_q2_k {
    uint8_t scales[16];
    uint8_t qs[64];
    uint16_t d, dmin;
};

/* Bits 2j, 2j + 1 of q[block][e][row][k] are input 16e + 4j + k of the block. */
struct pi_super_q2_k {
    uint16_t d[PI_PANEL_ROWS], dmin[PI_PANEL_ROWS]; /* f16 */
    uint8_t scale[4][PI_PANEL_ROWS][4];             /* part of 16 inputs i is [i / 4][row][i % 4] */
    uint8_t q[8][2][PI_PANEL_ROWS][4];
};

_Static_assert(sizeof(struct pi_block_q2_k) == PI_BLOCK_BYTES_Q2_K, "q2_k block");
_Static_assert(sizeof(struct pi_super_q2_k) == 2 * PI_GROUP_BYTES_Q2_K, "q2_k super group");

#endif
