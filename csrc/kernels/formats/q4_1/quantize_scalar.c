/* f32 <-> q4_1 file blocks. */
#include "kernels/formats/q4_1/layout.h"
#include "kernels/util/block_codes.h"

static void get_codes(uint8_t *code, const struct pi_block_q4_1 *block) {
    pi_get_nibbles(code, block->qs);
}
static void set_codes(struct pi_block_q4_1 *block, const uint8_t *code) {
    pi_set_nibbles(block->qs, code);
}

#define PARAM_QUANTIZE pi_quantize_q4_1_scalar
#define PARAM_QUANTIZE_WEIGHTED pi_quantize_weighted_q4_1_scalar
#define PARAM_DEQUANTIZE pi_dequantize_q4_1_scalar
#define PARAM_BLOCK struct pi_block_q4_1
#define PARAM_TOP 15
#define PARAM_GET_CODES get_codes
#define PARAM_SET_CODES set_codes
#include "kernels/quantize/affine_scalar.inc.h"
