/* q3_k super-blocks as q6_k super-blocks: the same scales, codes -4..3 above the offset of q6_k. */
#include "kernels/formats/q3_k/codes.h"
#include "kernels/formats/q6_k/codes.h"
#include "pyinfer/kernel_types.h"

pi_transcode_fn pi_transcode_q3_k_scalar;

void pi_transcode_q3_k_scalar(void *to, const void *from, size_t n) {
    struct pi_block_q6_k *out = to;
    const struct pi_block_q3_k *in = from;
    for (size_t s = 0; s < n / PI_SUPER_INPUTS; s++) {
        uint8_t code[PI_SUPER_INPUTS];
        pi_get_pairs(code, in[s].qs);
        pi_add_bits(code, in[s].hmask, 2);
        for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
            code[i] = (uint8_t)(code[i] + 28);
        }
        for (size_t p = 0; p < 16; p++) {
            out[s].scales[p] = (int8_t)pi_scale_k3(in[s].scales, p);
        }
        out[s].d = in[s].d;
        pi_set_codes6(&out[s], code);
    }
}
