/* f32 <-> q4_1 file blocks; see affine_scalar.inc.h. */
#include "kernels/util/block_codes.h"

static void get_codes(uint8_t *code, const struct pi_block_q4_1 *block) {
    pi_get_nibbles(code, block->qs);
}
static void set_codes(struct pi_block_q4_1 *block, const uint8_t *code) {
    pi_set_nibbles(block->qs, code);
}

#define QUANTIZE pi_quantize_q4_1_scalar
#define QUANTIZE_WEIGHTED pi_quantize_weighted_q4_1_scalar
#define DEQUANTIZE pi_dequantize_q4_1_scalar
#define BLOCK struct pi_block_q4_1
#define TOP 15
#include "kernels/quantize/affine_scalar.inc.h"
