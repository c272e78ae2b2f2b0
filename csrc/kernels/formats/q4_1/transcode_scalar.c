/* q4_1 blocks as q5_1 blocks: the same scale, minimum and codes, no fifth bit. */
#include "kernels/formats/q4_1/layout.h"
#include "kernels/formats/q5_1/layout.h"
#include "pyinfer/kernel_types.h"
#include <string.h>

pi_transcode_fn pi_transcode_q4_1_scalar;

void pi_transcode_q4_1_scalar(void *to, const void *from, size_t n) {
    struct pi_block_q5_1 *out = to;
    const struct pi_block_q4_1 *in = from;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++) {
        out[b] = (struct pi_block_q5_1){.d = in[b].d, .m = in[b].m};
        memcpy(out[b].qs, in[b].qs, sizeof out[b].qs);
    }
}
