/* Template: quantized GEMV with vpdpbusd, 16 rows per register.
 *
 * Parameters:
 *   NAME    exported symbol
 * and the block header of the format (block_<format>_avx512vnni.h), included before.
 *
 * Per block and token the integer accumulator starts at the broadcast of -bias * sum(q), so the
 * offset of the weights costs a load and no arithmetic. The streams of a call are walked in
 * lockstep, a group of each in turn: several far-apart streams keep more DRAM pages open and more
 * lines in flight than one. Weights are unpacked once for all tokens. */
#include "kernels/util/x86_dot512.h"
#include "kernels/util/x86_prefetch.h"
#include "pyinfer/kernel_types.h"

pi_gemv_fn NAME;

PI_INLINE void add_block(const pi_block_group *group, size_t b, const struct pi_a8_group *x,
                         size_t n_tokens, __m512 *f_f32x16) {
    __m512i isum_i32x16[PI_TILE_TOKENS];
    for (size_t t = 0; t < n_tokens; t++) {
        isum_i32x16[t] = _mm512_set1_epi32(x[t].PI_BLOCK_START[b]);
    }
    PI_UNROLL(4)
    for (size_t j = 0; j < PI_BLOCK_STEPS; j++) {
        const __auto_type line = pi_block_line(group, b, j);
        const __m512i first = pi_block_first(line);
        const __m512i second = pi_block_second(line);
        for (size_t t = 0; t < n_tokens; t++) {
            const int8_t *q = x[t].q + PI_BLOCK_INPUTS * b;
            isum_i32x16[t] = _mm512_dpbusd_epi32(isum_i32x16[t], first,
                                                 pi_broadcast4(q + pi_block_first_input(j)));
            isum_i32x16[t] = _mm512_dpbusd_epi32(isum_i32x16[t], second,
                                                 pi_broadcast4(q + pi_block_second_input(j)));
        }
    }
    const __m512 scale_f32x16 = pi_load_f16_512(group->scale[b]);
    for (size_t t = 0; t < n_tokens; t++) {
        f_f32x16[t] = pi_scale_step(isum_i32x16[t], scale_f32x16, x[t].scale[b], f_f32x16[t]);
    }
}

PI_INLINE void run(const struct pi_gemv_args *a, size_t n_streams, size_t n_tokens) {
    const size_t n_groups = a->n_groups;
    for (size_t p = 0; p < a->n_panels; p++) {
        __m512 f_f32x16[PI_MAX_STREAMS][PI_TILE_TOKENS];
        for (size_t s = 0; s < n_streams; s++) {
            for (size_t t = 0; t < n_tokens; t++) {
                f_f32x16[s][t] = _mm512_setzero_ps();
            }
        }
        const struct pi_a8_group *x = a->x;
        for (size_t g = 0; g < n_groups; g++, x += n_tokens) {
            for (size_t s = 0; s < n_streams; s++) {
                const pi_block_group *group =
                    (const pi_block_group *)(const void *)a->w[s] + p * n_groups + g;
                for (size_t b = 0; b < 4; b++) {
                    pi_prefetch_part(group, sizeof *group, b, 4, a->prefetch_near, a->prefetch_far);
                    add_block(group, b, x, n_tokens, f_f32x16[s]);
                }
            }
        }
        for (size_t s = 0; s < n_streams; s++) {
            for (size_t t = 0; t < n_tokens; t++) {
                _mm512_storeu_ps(a->out[s] + t * a->out_stride + p * PI_PANEL_ROWS, f_f32x16[s][t]);
            }
        }
    }
}

#include "kernels/gemv/variants_avx512vnni.inc.h"
