/* q4_0 rows <-> panel. The nibbles of a file block are already low = input i, high = input 16 + i,
 * so packing moves whole dwords: line j of a block takes bytes 4j..4j+3 of every row. A missing
 * input is the nibble 8 under the scale 0. */
#include "kernels/formats/q4_0/layout.h"
#include "pyinfer/kernel_types.h"
#include <string.h>

pi_pack_fn pi_pack_q4_0_scalar;
pi_unpack_fn pi_unpack_q4_0_scalar;

void pi_pack_q4_0_scalar(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows,
                         size_t n_cols) {
    const size_t n_blocks = n_cols / PI_BLOCK_INPUTS;
    const size_t n_groups = pi_ceil_div(n_cols, PI_GROUP_INPUTS);
    struct pi_group_q4_0 *groups = (struct pi_group_q4_0 *)(void *)panel;
    for (size_t block = 0; block < n_groups * 4; block++) {
        struct pi_group_q4_0 *group = groups + block / 4;
        const size_t b = block % 4;
        for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
            struct pi_block_q4_0 source = {.d = 0};
            memset(source.qs, 0x88, sizeof source.qs);
            if (r < n_rows && block < n_blocks) {
                memcpy(&source, rows + r * row_bytes + block * sizeof source, sizeof source);
            }
            group->scale[b][r] = source.d;
            for (size_t j = 0; j < 4; j++) {
                memcpy(group->q[b][j][r], source.qs + 4 * j, 4);
            }
        }
    }
}

void pi_unpack_q4_0_scalar(uint8_t *rows, const uint8_t *panel, size_t row_bytes, size_t n_rows,
                           size_t n_cols) {
    const struct pi_group_q4_0 *groups = (const struct pi_group_q4_0 *)(const void *)panel;
    for (size_t block = 0; block < n_cols / PI_BLOCK_INPUTS; block++) {
        const struct pi_group_q4_0 *group = groups + block / 4;
        const size_t b = block % 4;
        for (size_t r = 0; r < n_rows; r++) {
            struct pi_block_q4_0 out = {.d = group->scale[b][r]};
            for (size_t j = 0; j < 4; j++) {
                memcpy(out.qs + 4 * j, group->q[b][j][r], 4);
            }
            memcpy(rows + r * row_bytes + block * sizeof out, &out, sizeof out);
        }
    }
}
