/* Template: file rows -> panel of an unquantized format, 16 bytes of each of 16 rows at a time; a
 * line holds one dword per row in all of them, two 16-bit inputs or one f32. Missing rows are a row
 * of zeros of one step; inputs behind the last whole step go through a zeroed copy. */
#include "kernels/util/x86_transpose.h"
#include "pyinfer/kernel_types.h"
#include <string.h>

#ifndef PARAM_PACK
#error "pack/float_avx2.inc.h needs PARAM_PACK"
#endif
#ifndef PARAM_ELEMENT
#error "pack/float_avx2.inc.h needs PARAM_ELEMENT"
#endif

pi_pack_fn PARAM_PACK;

#define STEP_BYTES 16

void PARAM_PACK(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows,
                size_t n_cols) {
    static const uint8_t ZEROS[STEP_BYTES];
    const size_t used_bytes = n_cols * sizeof(PARAM_ELEMENT);
    const size_t whole_bytes = used_bytes / STEP_BYTES * STEP_BYTES;
    const size_t padded_bytes = pi_round_up(n_cols, PI_GROUP_INPUTS) * sizeof(PARAM_ELEMENT);
    const __m128i no_flip = _mm_setzero_si128();
    const uint8_t *row[PI_PANEL_ROWS];
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        row[r] = r < n_rows ? rows + r * row_bytes : ZEROS;
    }
    for (size_t i = 0; i < whole_bytes; i += STEP_BYTES) {
        pi_rows_to_lines(panel + i * PI_PANEL_ROWS, row, 0, no_flip);
        for (size_t r = 0; r < n_rows; r++) {
            row[r] += STEP_BYTES;
        }
    }
    if (whole_bytes == padded_bytes) {
        return;
    }
    uint8_t last[PI_PANEL_ROWS][STEP_BYTES] = {{0}};
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        if (r < n_rows) {
            memcpy(last[r], row[r], used_bytes - whole_bytes);
        }
        row[r] = last[r];
    }
    pi_rows_to_lines(panel + whole_bytes * PI_PANEL_ROWS, row, 0, no_flip);
    const size_t end = whole_bytes + STEP_BYTES;
    memset(panel + end * PI_PANEL_ROWS, 0, (padded_bytes - end) * PI_PANEL_ROWS);
}

#undef STEP_BYTES

#include "kernels/undef_params.h"
