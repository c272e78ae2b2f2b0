/* q5_0 blocks as q8_0 blocks: the same scale, codes less their offset. */
#include "kernels/formats/q5_0/layout.h"
#include "kernels/formats/q8_0/layout.h"
#include "kernels/util/block_codes.h"
#include "pyinfer/kernel_types.h"

pi_transcode_fn pi_transcode_q5_0_scalar;

void pi_transcode_q5_0_scalar(void *to, const void *from, size_t n) {
    struct pi_block_q8_0 *out = to;
    const struct pi_block_q5_0 *in = from;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++) {
        uint8_t code[PI_BLOCK_INPUTS];
        pi_get_codes5(code, in[b].qs, in[b].qh);
        out[b].d = in[b].d;
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            out[b].qs[i] = (int8_t)(code[i] - 16);
        }
    }
}
