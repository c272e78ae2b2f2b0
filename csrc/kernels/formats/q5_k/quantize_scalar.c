/* f32 <-> q5_k file blocks. */
#include "kernels/formats/q5_k/layout.h"
#include "kernels/util/block_codes.h"

static void get_codes(uint8_t *code, const struct pi_block_q5_k *block) {
    pi_get_nibbles_k(code, block->qs);
    pi_add_bits(code, block->qh, 4);
}
static void set_codes(struct pi_block_q5_k *block, const uint8_t *code) {
    pi_set_nibbles_k(block->qs, code);
    pi_set_bits(block->qh, code, 4);
}

#define PARAM_QUANTIZE pi_quantize_q5_k_scalar
#define PARAM_QUANTIZE_WEIGHTED pi_quantize_weighted_q5_k_scalar
#define PARAM_DEQUANTIZE pi_dequantize_q5_k_scalar
#define PARAM_BLOCK struct pi_block_q5_k
#define PARAM_TOP 31
#define PARAM_GET_CODES get_codes
#define PARAM_SET_CODES set_codes
#define PARAM_GRID ((struct pi_fit_grid){-0.5f, 0.1f, 15, false})
#include "kernels/quantize/k4_scalar.inc.h"
