/* iq4_nl blocks as q8_0 blocks: the same scale, levels as codes. */
#include "kernels/formats/iq4_nl/layout.h"
#include "kernels/formats/q8_0/layout.h"
#include "kernels/util/block_codes.h"
#include "kernels/formats/iq4_nl/levels.h"
#include "pyinfer/kernel_types.h"

pi_transcode_fn pi_transcode_iq4_nl_scalar;

void pi_transcode_iq4_nl_scalar(void *to, const void *from, size_t n) {
    struct pi_block_q8_0 *out = to;
    const struct pi_block_iq4_nl *in = from;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++) {
        uint8_t code[PI_BLOCK_INPUTS];
        pi_get_nibbles(code, in[b].qs);
        out[b].d = in[b].d;
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            out[b].qs[i] = PI_LEVELS_IQ4_NL[code[i]];
        }
    }
}
