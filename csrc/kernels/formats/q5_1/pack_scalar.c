/* q5_1 rows <-> panel. Nibbles stand as in q4_0; the fifth bits of a block are one line. */
#include "kernels/formats/q5_1/scalar.h"

static void put(struct pi_group_q5_1 *group, size_t b, size_t row,
                const struct pi_block_q5_1 *block) {
    uint8_t code[PI_BLOCK_INPUTS];
    pi_get_codes5(code, block->qs, block->qh);
    group->scale[b][row] = block->d;
    group->min[b][row] = block->m;
    pi_panel_set_nibbles(group->q[b], row, code);
    pi_panel_set_bits(group->high[b], row, code);
}

static void get(struct pi_block_q5_1 *block, const struct pi_group_q5_1 *group, size_t b,
                size_t row) {
    uint8_t code[PI_BLOCK_INPUTS];
    for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
        code[i] = (uint8_t)pi_code_q5_1(group, b * PI_BLOCK_INPUTS + i, row);
    }
    block->d = group->scale[b][row];
    block->m = group->min[b][row];
    pi_set_codes5(block->qs, block->qh, code);
}

#define PARAM_PACK pi_pack_q5_1_scalar
#define PARAM_UNPACK pi_unpack_q5_1_scalar
#define PARAM_BLOCK struct pi_block_q5_1
#define PARAM_BLOCK_INPUTS 32
#define PARAM_PUT put
#define PARAM_GET get
#include "kernels/pack/scaled_scalar.inc.h"
