/* Template: file rows <-> panel of a format whose blocks are rearranged code by code. Missing rows
 * and inputs become blocks of zero bytes, which are zero weights. Parameters: the scalar ones of a
 * format, and of its file block (README.md). */
#include "pyinfer/kernel_types.h"
#include <string.h>

#ifndef PARAM_PACK
#error "pack/scaled_scalar.inc.h needs PARAM_PACK"
#endif
#ifndef PARAM_UNPACK
#error "pack/scaled_scalar.inc.h needs PARAM_UNPACK"
#endif
#ifndef PARAM_GROUP
#error "pack/scaled_scalar.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_SPAN
#error "pack/scaled_scalar.inc.h needs PARAM_SPAN"
#endif
#ifndef PARAM_BLOCK
#error "pack/scaled_scalar.inc.h needs PARAM_BLOCK"
#endif
#ifndef PARAM_BLOCK_INPUTS
#error "pack/scaled_scalar.inc.h needs PARAM_BLOCK_INPUTS"
#endif
#ifndef PARAM_PUT
#error "pack/scaled_scalar.inc.h needs PARAM_PUT"
#endif
#ifndef PARAM_GET
#error "pack/scaled_scalar.inc.h needs PARAM_GET"
#endif

#define BLOCKS (PARAM_SPAN * PI_GROUP_INPUTS / PARAM_BLOCK_INPUTS) /* file blocks of a group */

pi_pack_fn PARAM_PACK;
pi_unpack_fn PARAM_UNPACK;

void PARAM_PACK(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows,
                size_t n_cols) {
    const size_t n_blocks = n_cols / PARAM_BLOCK_INPUTS;
    PARAM_GROUP *groups = (PARAM_GROUP *)(void *)panel;
    for (size_t block = 0; block < pi_round_up(n_blocks, BLOCKS); block++) {
        for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
            PARAM_BLOCK source;
            memset(&source, 0, sizeof source);
            if (r < n_rows && block < n_blocks) {
                memcpy(&source, rows + r * row_bytes + block * sizeof source, sizeof source);
            }
            PARAM_PUT(groups + block / BLOCKS, block % BLOCKS, r, &source);
        }
    }
}

void PARAM_UNPACK(uint8_t *rows, const uint8_t *panel, size_t row_bytes, size_t n_rows,
                  size_t n_cols) {
    const PARAM_GROUP *groups = (const PARAM_GROUP *)(const void *)panel;
    for (size_t block = 0; block < n_cols / PARAM_BLOCK_INPUTS; block++) {
        for (size_t r = 0; r < n_rows; r++) {
            PARAM_BLOCK out;
            PARAM_GET(&out, groups + block / BLOCKS, block % BLOCKS, r);
            memcpy(rows + r * row_bytes + block * sizeof out, &out, sizeof out);
        }
    }
}

#undef BLOCKS
#include "kernels/undef_params.h"
