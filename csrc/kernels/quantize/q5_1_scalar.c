/* f32 <-> q5_1 file blocks; see affine_scalar.inc.h. */
#include "kernels/util/block_codes.h"

static void get_codes(uint8_t *code, const struct pi_block_q5_1 *block) {
    pi_get_codes5(code, block->qs, block->qh);
}
static void set_codes(struct pi_block_q5_1 *block, const uint8_t *code) {
    pi_set_codes5(block->qs, block->qh, code);
}

#define QUANTIZE pi_quantize_q5_1_scalar
#define QUANTIZE_WEIGHTED pi_quantize_weighted_q5_1_scalar
#define DEQUANTIZE pi_dequantize_q5_1_scalar
#define BLOCK struct pi_block_q5_1
#define TOP 31
#include "kernels/quantize/affine_scalar.inc.h"
