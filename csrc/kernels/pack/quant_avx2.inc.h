/* Template: file rows -> panel of a quantized format, 16 bytes of each of 16 rows at a time. Missing
 * rows and inputs read one block of zero weights. */
#include "kernels/util/x86_transpose.h"
#include "pyinfer/kernel_types.h"
#include <string.h>

#ifndef PARAM_PACK
#error "pack/quant_avx2.inc.h needs PARAM_PACK"
#endif
#ifndef PARAM_GROUP
#error "pack/quant_avx2.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_BLOCK
#error "pack/quant_avx2.inc.h needs PARAM_BLOCK"
#endif
#ifndef PARAM_ZERO_BYTE
#error "pack/quant_avx2.inc.h needs PARAM_ZERO_BYTE"
#endif
#ifndef PARAM_FLIP_BYTE
#error "pack/quant_avx2.inc.h needs PARAM_FLIP_BYTE"
#endif

pi_pack_fn PARAM_PACK;

static void pack_block(PARAM_GROUP *group, size_t b, const uint8_t *const row[PI_PANEL_ROWS]) {
    const __m128i flip = _mm_set1_epi8((char)PARAM_FLIP_BYTE);
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        memcpy(&group->scale[b][r], row[r] + offsetof(PARAM_BLOCK, d), sizeof group->scale[b][r]);
    }
    for (size_t i = 0; i < sizeof(((PARAM_BLOCK *)0)->qs); i += 16) {
        pi_rows_to_lines(group->q[b][i / 4], row, offsetof(PARAM_BLOCK, qs) + i, flip);
    }
}

void PARAM_PACK(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows,
                size_t n_cols) {
    const size_t n_blocks = n_cols / PI_BLOCK_INPUTS;
    const size_t n_padded = pi_round_up(n_blocks, 4);
    PARAM_GROUP *groups = (PARAM_GROUP *)(void *)panel;
    PARAM_BLOCK zero = {.d = 0};
    memset(zero.qs, PARAM_ZERO_BYTE, sizeof zero.qs);
    const uint8_t *row[PI_PANEL_ROWS];
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        row[r] = r < n_rows ? rows + r * row_bytes : (const uint8_t *)&zero;
    }
    for (size_t block = 0; block < n_blocks; block++) {
        pack_block(groups + block / 4, block % 4, row);
        for (size_t r = 0; r < n_rows; r++) {
            row[r] += sizeof(PARAM_BLOCK);
        }
    }
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        row[r] = (const uint8_t *)&zero;
    }
    for (size_t block = n_blocks; block < n_padded; block++) {
        pack_block(groups + block / 4, block % 4, row);
    }
}

#include "kernels/undef_params.h"
