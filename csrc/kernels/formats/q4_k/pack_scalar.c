/* q4_k rows <-> panel. A file byte holds inputs of two blocks; here, as in q4_0, of one. */
#include "kernels/formats/q4_k/scalar.h"

static void put(struct pi_super_q4_k *group, size_t b, size_t row,
                const struct pi_block_q4_k *block) {
    uint8_t code[PI_SUPER_INPUTS];
    (void)b;
    pi_get_nibbles_k(code, block->qs);
    group->d[row] = block->d;
    group->dmin[row] = block->dmin;
    pi_panel_set_scales_k4(group->scale, row, block->scales);
    for (size_t i = 0; i < 8; i++) {
        pi_panel_set_nibbles(group->q[i], row, code + 32 * i);
    }
}

static void get(struct pi_block_q4_k *block, const struct pi_super_q4_k *group, size_t b,
                size_t row) {
    uint8_t code[PI_SUPER_INPUTS];
    (void)b;
    for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
        code[i] = (uint8_t)pi_code_q4_k(group, i, row);
    }
    block->d = group->d[row];
    block->dmin = group->dmin[row];
    pi_panel_scales_k4(block->scales, group->scale, row);
    pi_set_nibbles_k(block->qs, code);
}

#define PARAM_PACK pi_pack_q4_k_scalar
#define PARAM_UNPACK pi_unpack_q4_k_scalar
#define PARAM_BLOCK struct pi_block_q4_k
#define PARAM_BLOCK_INPUTS 256
#define PARAM_PUT put
#define PARAM_GET get
#include "kernels/pack/scaled_scalar.inc.h"
