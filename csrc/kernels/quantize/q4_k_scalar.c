/* f32 <-> q4_k file blocks; see k4_scalar.inc.h. */
#include "kernels/util/block_codes.h"

static void get_codes(uint8_t *code, const struct pi_block_q4_k *block) {
    pi_get_nibbles_k(code, block->qs);
}
static void set_codes(struct pi_block_q4_k *block, const uint8_t *code) {
    pi_set_nibbles_k(block->qs, code);
}

#define QUANTIZE pi_quantize_q4_k_scalar
#define QUANTIZE_WEIGHTED pi_quantize_weighted_q4_k_scalar
#define DEQUANTIZE pi_dequantize_q4_k_scalar
#define BLOCK struct pi_block_q4_k
#define TOP 15
#define GRID ((struct pi_fit_grid){-1.0f, 0.1f, 20, false})
#include "kernels/quantize/k4_scalar.inc.h"
