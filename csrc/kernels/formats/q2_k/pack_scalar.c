/* q2_k rows <-> panel. */
#include "kernels/formats/q2_k/scalar.h"

static void put(struct pi_super_q2_k *group, size_t b, size_t row,
                const struct pi_block_q2_k *block) {
    uint8_t code[PI_SUPER_INPUTS];
    (void)b;
    pi_get_pairs(code, block->qs);
    group->d[row] = block->d;
    group->dmin[row] = block->dmin;
    for (size_t i = 0; i < 4; i++) {
        memcpy(group->scale[i][row], block->scales + 4 * i, 4);
    }
    for (size_t i = 0; i < 8; i++) {
        pi_panel_set_pairs(group->q[i], row, code + 32 * i, 0);
    }
}

static void get(struct pi_block_q2_k *block, const struct pi_super_q2_k *group, size_t b,
                size_t row) {
    uint8_t code[PI_SUPER_INPUTS];
    (void)b;
    for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
        code[i] = (uint8_t)pi_code_q2_k(group, i, row);
    }
    block->d = group->d[row];
    block->dmin = group->dmin[row];
    for (size_t i = 0; i < 4; i++) {
        memcpy(block->scales + 4 * i, group->scale[i][row], 4);
    }
    pi_set_pairs(block->qs, code, 0);
}

#define PARAM_PACK pi_pack_q2_k_scalar
#define PARAM_UNPACK pi_unpack_q2_k_scalar
#define PARAM_BLOCK struct pi_block_q2_k
#define PARAM_BLOCK_INPUTS 256
#define PARAM_PUT put
#define PARAM_GET get
#include "kernels/pack/scaled_scalar.inc.h"
