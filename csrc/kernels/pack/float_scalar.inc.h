/* Template: rows <-> panel of an unquantized format, element by element.
 *
 * Parameters:
 *   PACK, UNPACK   exported symbols
 *   ELEMENT        element type
 *   PER_LINE       inputs of one row in a line: 64 / 16 / sizeof(ELEMENT) */
#include "pyinfer/kernel_types.h"
#include <string.h>

pi_pack_fn PACK;
pi_unpack_fn UNPACK;

static size_t index_of(size_t row, size_t col) {
    return ((col / PER_LINE) * PI_PANEL_ROWS + row) * PER_LINE + col % PER_LINE;
}

void PACK(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows, size_t n_cols) {
    const size_t n_padded = pi_round_up(n_cols, PI_GROUP_INPUTS);
    ELEMENT *out = (ELEMENT *)(void *)panel;
    for (size_t col = 0; col < n_padded; col++) {
        for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
            ELEMENT value = 0;
            if (r < n_rows && col < n_cols) {
                memcpy(&value, rows + r * row_bytes + col * sizeof value, sizeof value);
            }
            out[index_of(r, col)] = value;
        }
    }
}

void UNPACK(uint8_t *rows, const uint8_t *panel, size_t row_bytes, size_t n_rows, size_t n_cols) {
    const ELEMENT *in = (const ELEMENT *)(const void *)panel;
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t col = 0; col < n_cols; col++) {
            const ELEMENT value = in[index_of(r, col)];
            memcpy(rows + r * row_bytes + col * sizeof value, &value, sizeof value);
        }
    }
}

#undef PACK
#undef UNPACK
#undef ELEMENT
#undef PER_LINE
