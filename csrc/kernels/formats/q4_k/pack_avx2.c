/* q4_k rows -> panel. */
#include "kernels/formats/q4_k/layout.h"
#include "kernels/util/pack_lines_avx2.h"

static void put(struct pi_super_q4_k *group, size_t b, const uint8_t *const row[PI_PANEL_ROWS]) {
    (void)b;
    pi_line lines[36] PI_ALIGNED(64); /* d and dmin, scales, codes */
    pi_transpose_rows(lines, row, 0, 36);
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        memcpy(&group->d[r], lines[0][r], 2);
        memcpy(&group->dmin[r], lines[0][r] + 2, 2);
    }
    memcpy(group->scale, lines[1], sizeof group->scale);
    for (size_t i = 0; i < 8; i++) {
        pi_put_nibbles(group->q[i], lines + 4 + i / 2 * 8, i % 2 ? 4 : 0);
    }
}

#define PARAM_PACK pi_pack_q4_k_avx2
#define PARAM_GROUP struct pi_super_q4_k
#define PARAM_SPAN 2
#define PARAM_BLOCK struct pi_block_q4_k
#define PARAM_BLOCK_INPUTS 256
#define PARAM_PUT put
#include "kernels/pack/scaled_avx2.inc.h"
