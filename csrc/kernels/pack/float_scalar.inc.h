/* Template: rows <-> panel of an unquantized format, element by element. */
#include "pyinfer/kernel_types.h"
#include <string.h>

#ifndef PARAM_PACK
#error "pack/float_scalar.inc.h needs PARAM_PACK"
#endif
#ifndef PARAM_UNPACK
#error "pack/float_scalar.inc.h needs PARAM_UNPACK"
#endif
#ifndef PARAM_ELEMENT
#error "pack/float_scalar.inc.h needs PARAM_ELEMENT"
#endif

pi_pack_fn PARAM_PACK;
pi_unpack_fn PARAM_UNPACK;

#define PER_LINE (4 / sizeof(PARAM_ELEMENT)) /* inputs of one row in a line */

static size_t index_of(size_t row, size_t col) {
    return ((col / PER_LINE) * PI_PANEL_ROWS + row) * PER_LINE + col % PER_LINE;
}

void PARAM_PACK(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows,
                size_t n_cols) {
    const size_t n_padded = pi_round_up(n_cols, PI_GROUP_INPUTS);
    PARAM_ELEMENT *out = (PARAM_ELEMENT *)(void *)panel;
    for (size_t col = 0; col < n_padded; col++) {
        for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
            PARAM_ELEMENT value = 0;
            if (r < n_rows && col < n_cols) {
                memcpy(&value, rows + r * row_bytes + col * sizeof value, sizeof value);
            }
            out[index_of(r, col)] = value;
        }
    }
}

void PARAM_UNPACK(uint8_t *rows, const uint8_t *panel, size_t row_bytes, size_t n_rows,
                  size_t n_cols) {
    const PARAM_ELEMENT *in = (const PARAM_ELEMENT *)(const void *)panel;
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t col = 0; col < n_cols; col++) {
            const PARAM_ELEMENT value = in[index_of(r, col)];
            memcpy(rows + r * row_bytes + col * sizeof value, &value, sizeof value);
        }
    }
}

#undef PER_LINE
#include "kernels/undef_params.h"
