/* q5_1 rows -> panel. */
#include "kernels/formats/q5_1/layout.h"
#include "kernels/util/pack_lines_avx2.h"

/* Nibbles stand as in the panel. Byte 0 of the fifth bits is chunks 0 and 1, and so on: bit 4 j + k of
 * the dword of a row becomes bit j of byte k. */
static void put(struct pi_group_q5_1 *group, size_t b, const uint8_t *const row[PI_PANEL_ROWS]) {
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        uint32_t bits;
        memcpy(&group->scale[b][r], row[r], 2);
        memcpy(&group->min[b][r], row[r] + 2, 2);
        memcpy(&bits, row[r] + 4, sizeof bits);
        for (size_t k = 0; k < 4; k++) {
            group->high[b][r][k] = (uint8_t)_pext_u32(bits, 0x11111111u << k);
        }
    }
    pi_transpose_rows(group->q[b], row, 8, 4);
}

#define PARAM_PACK pi_pack_q5_1_avx2
#define PARAM_GROUP struct pi_group_q5_1
#define PARAM_SPAN 1
#define PARAM_BLOCK struct pi_block_q5_1
#define PARAM_BLOCK_INPUTS 32
#define PARAM_PUT put
#include "kernels/pack/scaled_avx2.inc.h"
