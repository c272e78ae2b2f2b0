/* Template: file rows -> panel of a format whose blocks are rearranged, 16 rows at a time. Missing rows
 * and inputs read a block of zero bytes.
 *
 * Parameters:
 *   PACK                   exported symbol
 *   GROUP, INPUTS, SPAN    packed type, its inputs, the file blocks that it covers
 *   BLOCK                  file block type
 * and, defined before: put(group, b, row), the blocks at row[0..15] as block b of a group. */
#include "pyinfer/kernel_types.h"

pi_pack_fn PACK;

void PACK(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows, size_t n_cols) {
    const size_t n_blocks = n_cols / (INPUTS / SPAN);
    GROUP *groups = (GROUP *)(void *)panel;
    BLOCK zero;
    memset(&zero, 0, sizeof zero);
    const uint8_t *row[PI_PANEL_ROWS];
    for (size_t block = 0; block < pi_round_up(n_blocks, SPAN); block++) {
        for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
            const bool there = r < n_rows && block < n_blocks;
            row[r] = there ? rows + r * row_bytes + block * sizeof zero : (const uint8_t *)&zero;
        }
        put(groups + block / SPAN, block % SPAN, row);
    }
}

#undef PACK
#undef GROUP
#undef INPUTS
#undef SPAN
#undef BLOCK
