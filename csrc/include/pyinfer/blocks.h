/* Byte layout of the GGUF quantization blocks (ggml documentation, little endian).
 * A row is a sequence of blocks of 32 inputs; of the K formats, of super-blocks of 256. */
#ifndef PYINFER_BLOCKS_H
#define PYINFER_BLOCKS_H

#include "pyinfer/types.h"

/* value[i] = d * (q[i] - 8); q[i] is the low nibble of qs[i] for i < 16, the high nibble of
 * qs[i - 16] otherwise. */
struct pi_block_q4_0 {
    uint16_t d; /* f16 */
    uint8_t qs[16];
};

/* value[i] = d * q[i] + m; nibbles as in q4_0. */
struct pi_block_q4_1 {
    uint16_t d, m; /* f16 */
    uint8_t qs[16];
};

/* value[i] = d * (q[i] - 16); bit i % 8 of qh[i / 8] above the nibble. */
struct pi_block_q5_0 {
    uint16_t d;
    uint8_t qh[4];
    uint8_t qs[16];
};

/* value[i] = d * q[i] + m; codes as in q5_0. */
struct pi_block_q5_1 {
    uint16_t d, m;
    uint8_t qh[4];
    uint8_t qs[16];
};

/* value[i] = d * qs[i] */
struct pi_block_q8_0 {
    uint16_t d; /* f16 */
    int8_t qs[32];
};

/* value[i] = d * level[q[i]], 16 fixed levels; nibbles as in q4_0. */
struct pi_block_iq4_nl {
    uint16_t d;
    uint8_t qs[16];
};

/* value[i] = d * (scales[i / 16] & 15) * q[i] - dmin * (scales[i / 16] >> 4);
 * q[128 h + 32 p + l] = bits 2p, 2p + 1 of qs[32 h + l]. */
struct pi_block_q2_k {
    uint8_t scales[16];
    uint8_t qs[64];
    uint16_t d, dmin;
};

/* value[i] = d * scale[i / 16] * q[i], scale of 6 bits - 32, q of 3 bits - 4. The low two bits of q
 * as in q2_k; the third of q[32 b + l] is bit b of hmask[l]. */
struct pi_block_q3_k {
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12];
    uint16_t d;
};

/* value[i] = d * scale[i / 32] * q[i] - dmin * min[i / 32]; scale and min of 6 bits.
 * q[64 c + l] = low nibble of qs[32 c + l], q[64 c + 32 + l] = high nibble. */
struct pi_block_q4_k {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qs[128];
};

/* As q4_k with a fifth bit: of q[32 b + l] it is bit b of qh[l]. */
struct pi_block_q5_k {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qh[32];
    uint8_t qs[128];
};

/* value[i] = d * scales[i / 16] * (q[i] - 32). With i = 128 h + 32 k + l: the low four bits are the
 * low (k < 2) or high nibble of ql[64 h + 32 (k % 2) + l], the next two are bits 2k, 2k + 1 of
 * qh[32 h + l]. */
struct pi_block_q6_k {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint16_t d;
};

_Static_assert(sizeof(struct pi_block_q4_0) == PI_BLOCK_BYTES_Q4_0, "q4_0 block");
_Static_assert(sizeof(struct pi_block_q4_1) == PI_BLOCK_BYTES_Q4_1, "q4_1 block");
_Static_assert(sizeof(struct pi_block_q5_0) == PI_BLOCK_BYTES_Q5_0, "q5_0 block");
_Static_assert(sizeof(struct pi_block_q5_1) == PI_BLOCK_BYTES_Q5_1, "q5_1 block");
_Static_assert(sizeof(struct pi_block_q8_0) == PI_BLOCK_BYTES_Q8_0, "q8_0 block");
_Static_assert(sizeof(struct pi_block_iq4_nl) == PI_BLOCK_BYTES_IQ4_NL, "iq4_nl block");
_Static_assert(sizeof(struct pi_block_q2_k) == PI_BLOCK_BYTES_Q2_K, "q2_k block");
_Static_assert(sizeof(struct pi_block_q3_k) == PI_BLOCK_BYTES_Q3_K, "q3_k block");
_Static_assert(sizeof(struct pi_block_q4_k) == PI_BLOCK_BYTES_Q4_K, "q4_k block");
_Static_assert(sizeof(struct pi_block_q5_k) == PI_BLOCK_BYTES_Q5_K, "q5_k block");
_Static_assert(sizeof(struct pi_block_q6_k) == PI_BLOCK_BYTES_Q6_K, "q6_k block");

#endif
