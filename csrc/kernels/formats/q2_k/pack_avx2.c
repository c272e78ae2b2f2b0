/* q2_k rows -> panel. */
#include "kernels/formats/q2_k/layout.h"
#include "kernels/util/pack_lines_avx2.h"

static void put(struct pi_super_q2_k *group, size_t b, const uint8_t *const row[PI_PANEL_ROWS]) {
    (void)b;
    pi_line lines[20] PI_ALIGNED(64); /* scales, codes */
    pi_transpose_rows(lines, row, 0, 20);
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        memcpy(&group->d[r], row[r] + offsetof(struct pi_block_q2_k, d), 2);
        memcpy(&group->dmin[r], row[r] + offsetof(struct pi_block_q2_k, dmin), 2);
    }
    memcpy(group->scale, lines[0], sizeof group->scale);
    for (size_t i = 0; i < 8; i++) {
        pi_put_pairs(group->q[i], lines + 4 + i / 4 * 8, (int)(2 * (i % 4)));
    }
}

#define PARAM_PACK pi_pack_q2_k_avx2
#define PARAM_GROUP struct pi_super_q2_k
#define PARAM_SPAN 2
#define PARAM_BLOCK struct pi_block_q2_k
#define PARAM_BLOCK_INPUTS 256
#define PARAM_PUT put
#include "kernels/pack/scaled_avx2.inc.h"
