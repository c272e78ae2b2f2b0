/* q8_0 rows <-> panel. Bytes are stored ^ 0x80, which turns -128..127 into 0..255 as the unsigned
 * side of the integer dot product wants it. A missing input is 0 (stored 0x80) under the scale 0. */
#include "kernels/formats/q8_0/layout.h"
#include "pyinfer/kernel_types.h"
#include <string.h>

pi_pack_fn pi_pack_q8_0_scalar;
pi_unpack_fn pi_unpack_q8_0_scalar;

static void flip_signs(uint8_t *to, const uint8_t *from) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
    word ^= 0x80808080u;
    memcpy(to, &word, sizeof word);
}

void pi_pack_q8_0_scalar(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows,
                         size_t n_cols) {
    const size_t n_blocks = n_cols / PI_BLOCK_INPUTS;
    const size_t n_groups = pi_ceil_div(n_cols, PI_GROUP_INPUTS);
    struct pi_group_q8_0 *groups = (struct pi_group_q8_0 *)(void *)panel;
    for (size_t block = 0; block < n_groups * 4; block++) {
        struct pi_group_q8_0 *group = groups + block / 4;
        const size_t b = block % 4;
        for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
            struct pi_block_q8_0 source = {.d = 0};
            if (r < n_rows && block < n_blocks) {
                memcpy(&source, rows + r * row_bytes + block * sizeof source, sizeof source);
            }
            group->scale[b][r] = source.d;
            for (size_t j = 0; j < 8; j++) {
                flip_signs(group->q[b][j][r], (const uint8_t *)source.qs + 4 * j);
            }
        }
    }
}

void pi_unpack_q8_0_scalar(uint8_t *rows, const uint8_t *panel, size_t row_bytes, size_t n_rows,
                           size_t n_cols) {
    const struct pi_group_q8_0 *groups = (const struct pi_group_q8_0 *)(const void *)panel;
    for (size_t block = 0; block < n_cols / PI_BLOCK_INPUTS; block++) {
        const struct pi_group_q8_0 *group = groups + block / 4;
        const size_t b = block % 4;
        for (size_t r = 0; r < n_rows; r++) {
            struct pi_block_q8_0 out = {.d = group->scale[b][r]};
            for (size_t j = 0; j < 8; j++) {
                flip_signs((uint8_t *)out.qs + 4 * j, group->q[b][j][r]);
            }
            memcpy(rows + r * row_bytes + block * sizeof out, &out, sizeof out);
        }
    }
}
