/* f32 <-> q4_k file blocks. */
#include "kernels/formats/q4_k/layout.h"
#include "kernels/util/block_codes.h"

static void get_codes(uint8_t *code, const struct pi_block_q4_k *block) {
    pi_get_nibbles_k(code, block->qs);
}
static void set_codes(struct pi_block_q4_k *block, const uint8_t *code) {
    pi_set_nibbles_k(block->qs, code);
}

#define PARAM_QUANTIZE pi_quantize_q4_k_scalar
#define PARAM_QUANTIZE_WEIGHTED pi_quantize_weighted_q4_k_scalar
#define PARAM_DEQUANTIZE pi_dequantize_q4_k_scalar
#define PARAM_BLOCK struct pi_block_q4_k
#define PARAM_TOP 15
#define PARAM_GET_CODES get_codes
#define PARAM_SET_CODES set_codes
#define PARAM_GRID ((struct pi_fit_grid){-1.0f, 0.1f, 20, false})
#include "kernels/quantize/k4_scalar.inc.h"
