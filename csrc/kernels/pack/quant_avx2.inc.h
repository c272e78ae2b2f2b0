/* Template: file rows -> panel of a quantized format, 16 bytes of each of 16 rows at a time. Missing
 * rows and inputs read one block of zero weights.
 *
 * Parameters:
 *   PACK         exported symbol
 *   GROUP        packed group type
 *   BLOCK        file block type
 *   ZERO_BYTE    quantized zero in the file's encoding
 *   FLIP_BYTE    xored into every byte on the way */
#include "kernels/util/x86_transpose.h"
#include "pyinfer/blocks.h"
#include "pyinfer/kernel_types.h"
#include <string.h>

pi_pack_fn PACK;

static void pack_block(GROUP *group, size_t b, const uint8_t *const row[PI_PANEL_ROWS]) {
    const __m128i flip = _mm_set1_epi8((char)FLIP_BYTE);
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        memcpy(&group->scale[b][r], row[r] + offsetof(BLOCK, d), sizeof group->scale[b][r]);
    }
    for (size_t i = 0; i < sizeof(((BLOCK *)0)->qs); i += 16) {
        pi_rows_to_lines(group->q[b][i / 4], row, offsetof(BLOCK, qs) + i, flip);
    }
}

void PACK(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows, size_t n_cols) {
    const size_t n_blocks = n_cols / PI_BLOCK_INPUTS;
    const size_t n_padded = pi_round_up(n_blocks, 4);
    GROUP *groups = (GROUP *)(void *)panel;
    BLOCK zero = {.d = 0};
    memset(zero.qs, ZERO_BYTE, sizeof zero.qs);
    const uint8_t *row[PI_PANEL_ROWS];
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        row[r] = r < n_rows ? rows + r * row_bytes : (const uint8_t *)&zero;
    }
    for (size_t block = 0; block < n_blocks; block++) {
        pack_block(groups + block / 4, block % 4, row);
        for (size_t r = 0; r < n_rows; r++) {
            row[r] += sizeof(BLOCK);
        }
    }
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        row[r] = (const uint8_t *)&zero;
    }
    for (size_t block = n_blocks; block < n_padded; block++) {
        pack_block(groups + block / 4, block % 4, row);
    }
}

#undef PACK
#undef GROUP
#undef BLOCK
#undef ZERO_BYTE
#undef FLIP_BYTE
