/* Template: file rows <-> panel of a format whose blocks are rearranged code by code. Missing rows
 * and inputs become blocks of zero bytes, which are zero weights.
 *
 * Parameters:
 *   PACK, UNPACK                    exported symbols
 *   GROUP, INPUTS, SPAN             packed type, its inputs, the file blocks that it covers
 *   BLOCK                           file block type
 * and, defined before: put(group, b, row, block), one file block into a row, b = 0..SPAN-1, and
 * get(block, group, b, row), the way back. */
#include "kernels/util/panel_codes.h"
#include "pyinfer/kernel_types.h"

pi_pack_fn PACK;
pi_unpack_fn UNPACK;

void PACK(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows, size_t n_cols) {
    const size_t block_inputs = INPUTS / SPAN;
    const size_t n_blocks = n_cols / block_inputs;
    GROUP *groups = (GROUP *)(void *)panel;
    for (size_t block = 0; block < pi_round_up(n_blocks, SPAN); block++) {
        for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
            BLOCK source;
            memset(&source, 0, sizeof source);
            if (r < n_rows && block < n_blocks) {
                memcpy(&source, rows + r * row_bytes + block * sizeof source, sizeof source);
            }
            put(groups + block / SPAN, block % SPAN, r, &source);
        }
    }
}

void UNPACK(uint8_t *rows, const uint8_t *panel, size_t row_bytes, size_t n_rows, size_t n_cols) {
    const GROUP *groups = (const GROUP *)(const void *)panel;
    for (size_t block = 0; block < n_cols / (INPUTS / SPAN); block++) {
        for (size_t r = 0; r < n_rows; r++) {
            BLOCK out;
            get(&out, groups + block / SPAN, block % SPAN, r);
            memcpy(rows + r * row_bytes + block * sizeof out, &out, sizeof out);
        }
    }
}

#undef PACK
#undef UNPACK
#undef GROUP
#undef INPUTS
#undef SPAN
#undef BLOCK
