/* q6_k rows <-> panel. The f16 scale becomes an f32 by integer code and back, so that every bit
 * pattern survives, also of a NaN. */
#include "kernels/formats/q6_k/codes.h"
#include "kernels/formats/q6_k/scalar.h"

static void put(struct pi_super_q6_k *group, size_t b, size_t row,
                const struct pi_block_q6_k *block) {
    uint8_t code[PI_SUPER_INPUTS];
    (void)b;
    pi_get_codes6(code, block);
    group->d[row] = pi_widen_f16(block->d);
    for (size_t i = 0; i < 4; i++) {
        memcpy(group->scale[i][row], block->scales + 4 * i, 4);
    }
    for (size_t i = 0; i < 8; i++) {
        pi_panel_set_nibbles(group->q[i], row, code + 32 * i);
        pi_panel_set_pairs(group->high[i], row, code + 32 * i, 4);
    }
}

static void get(struct pi_block_q6_k *block, const struct pi_super_q6_k *group, size_t b,
                size_t row) {
    uint8_t code[PI_SUPER_INPUTS];
    (void)b;
    for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
        code[i] = (uint8_t)pi_code_q6_k(group, i, row);
    }
    block->d = pi_narrow_f16(group->d[row]);
    for (size_t i = 0; i < 4; i++) {
        memcpy(block->scales + 4 * i, group->scale[i][row], 4);
    }
    pi_set_codes6(block, code);
}

#define PARAM_PACK pi_pack_q6_k_scalar
#define PARAM_UNPACK pi_unpack_q6_k_scalar
#define PARAM_BLOCK struct pi_block_q6_k
#define PARAM_BLOCK_INPUTS 256
#define PARAM_PUT put
#define PARAM_GET get
#include "kernels/pack/scaled_scalar.inc.h"
