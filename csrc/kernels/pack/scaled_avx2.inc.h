/* Template: file rows -> panel of a format whose blocks are rearranged, 16 rows at a time. Missing rows
 * and inputs read a block of zero bytes. */
#include "pyinfer/kernel_types.h"
#include <string.h>

#ifndef PARAM_PACK
#error "pack/scaled_avx2.inc.h needs PARAM_PACK"
#endif
#ifndef PARAM_GROUP
#error "pack/scaled_avx2.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_SPAN
#error "pack/scaled_avx2.inc.h needs PARAM_SPAN"
#endif
#ifndef PARAM_BLOCK
#error "pack/scaled_avx2.inc.h needs PARAM_BLOCK"
#endif
#ifndef PARAM_BLOCK_INPUTS
#error "pack/scaled_avx2.inc.h needs PARAM_BLOCK_INPUTS"
#endif
#ifndef PARAM_PUT
#error "pack/scaled_avx2.inc.h needs PARAM_PUT"
#endif

#define BLOCKS (PARAM_SPAN * PI_GROUP_INPUTS / PARAM_BLOCK_INPUTS) /* file blocks of a group */

pi_pack_fn PARAM_PACK;

void PARAM_PACK(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows,
                size_t n_cols) {
    const size_t n_blocks = n_cols / PARAM_BLOCK_INPUTS;
    PARAM_GROUP *groups = (PARAM_GROUP *)(void *)panel;
    PARAM_BLOCK zero;
    memset(&zero, 0, sizeof zero);
    const uint8_t *row[PI_PANEL_ROWS];
    for (size_t block = 0; block < pi_round_up(n_blocks, BLOCKS); block++) {
        for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
            const bool there = r < n_rows && block < n_blocks;
            row[r] = there ? rows + r * row_bytes + block * sizeof zero : (const uint8_t *)&zero;
        }
        PARAM_PUT(groups + block / BLOCKS, block % BLOCKS, row);
    }
}

#undef BLOCKS
#include "kernels/undef_params.h"
