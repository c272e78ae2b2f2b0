/* Part of templates: dots of one block of 32 inputs for a register tile of up to 2 panels x 8 tokens. */
#include "kernels/util/x86_dot512.h"

#ifndef PARAM_GROUP
#error "dot/quant_avx512vnni.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_START
#error "dot/quant_avx512vnni.inc.h needs PARAM_START"
#endif
#ifndef PARAM_LOAD_CHUNKS
#error "dot/quant_avx512vnni.inc.h needs PARAM_LOAD_CHUNKS"
#endif
#ifndef PARAM_FIRST_INPUT
#error "dot/quant_avx512vnni.inc.h needs PARAM_FIRST_INPUT"
#endif
#ifndef PARAM_SECOND_INPUT
#error "dot/quant_avx512vnni.inc.h needs PARAM_SECOND_INPUT"
#endif

#define CHUNK_STEPS 4 /* of a block; each takes two chunks of four inputs */

/* The integer accumulators start at the broadcast of -bias * sum(q), so the offset of the weights
 * costs a load and no arithmetic. One broadcast of four activation bytes feeds a dot of each panel:
 * with two the load ports stay below the multipliers. */
PI_INLINE void tile_dots(const PARAM_GROUP *const *group, size_t n_panels, size_t b,
                         const struct pi_a8_group *x, size_t n_tokens,
                         __m512i isum_i32x16[2][PI_TILE_TOKENS]) {
    for (size_t t = 0; t < n_tokens; t++) {
        for (size_t p = 0; p < n_panels; p++) {
            isum_i32x16[p][t] = _mm512_set1_epi32(x[t].PARAM_START[b]);
        }
    }
    PI_UNROLL(4)
    for (size_t j = 0; j < CHUNK_STEPS; j++) {
        __m512i first[2];
        __m512i second[2];
        for (size_t p = 0; p < n_panels; p++) {
            const struct pi_chunks chunks = PARAM_LOAD_CHUNKS(group[p], b, j);
            first[p] = chunks.first;
            second[p] = chunks.second;
        }
        for (size_t t = 0; t < n_tokens; t++) {
            const __m512i q = pi_broadcast4(x[t].q + PI_BLOCK_INPUTS * b + PARAM_FIRST_INPUT(j));
            for (size_t p = 0; p < n_panels; p++) {
                isum_i32x16[p][t] = _mm512_dpbusd_epi32(isum_i32x16[p][t], first[p], q);
            }
        }
        for (size_t t = 0; t < n_tokens; t++) {
            const __m512i q = pi_broadcast4(x[t].q + PI_BLOCK_INPUTS * b + PARAM_SECOND_INPUT(j));
            for (size_t p = 0; p < n_panels; p++) {
                isum_i32x16[p][t] = _mm512_dpbusd_epi32(isum_i32x16[p][t], second[p], q);
            }
        }
    }
}

#undef CHUNK_STEPS
