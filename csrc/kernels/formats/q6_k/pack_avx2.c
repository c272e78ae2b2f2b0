/* q6_k rows -> panel. */
#include "kernels/formats/q6_k/layout.h"
#include "kernels/util/f16.h"
#include "kernels/util/pack_lines_avx2.h"

static void put(struct pi_super_q6_k *group, size_t b, const uint8_t *const row[PI_PANEL_ROWS]) {
    (void)b;
    pi_line lines[52] PI_ALIGNED(64); /* low nibbles, high pairs, scales */
    pi_transpose_rows(lines, row, 0, 52);
    for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
        uint16_t d;
        memcpy(&d, row[r] + offsetof(struct pi_block_q6_k, d), sizeof d);
        group->d[r] = pi_widen_f16(d);
    }
    memcpy(group->scale, lines[48], sizeof group->scale);
    for (size_t i = 0; i < 8; i++) {
        const size_t k = i % 4; /* block of its half */
        pi_put_nibbles(group->q[i], lines + i / 4 * 16 + k % 2 * 8, k < 2 ? 0 : 4);
        pi_put_pairs(group->high[i], lines + 32 + i / 4 * 8, (int)(2 * k));
    }
}

#define PARAM_PACK pi_pack_q6_k_avx2
#define PARAM_GROUP struct pi_super_q6_k
#define PARAM_SPAN 2
#define PARAM_BLOCK struct pi_block_q6_k
#define PARAM_BLOCK_INPUTS 256
#define PARAM_PUT put
#include "kernels/pack/scaled_avx2.inc.h"
