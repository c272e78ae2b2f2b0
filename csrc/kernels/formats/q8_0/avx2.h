/* q8_0 panels for the AVX2 templates.
 *
 * Dots of one q8_0 block: 8 or 16 rows (halves of a panel) x n_tokens.
 *
 * maddubs would saturate on bytes up to 255, so the magnitude of the signed weight is multiplied with
 * the activation under the weight's sign: a pair is at most 128 * 127 * 2 = 32,512 and fits int16.
 * |-128| = 128 is right as an unsigned byte; activations are within +-127, so their sign flips
 * safely. */
#include "kernels/formats/q8_0/layout.h"
#include "kernels/util/x86_broadcast256.h"
#include "kernels/util/prefetch.h"
#include "kernels/util/x86_sum_maddubs256.h"
#include "pyinfer/kernel_types.h"

PI_INLINE void block_dot(const struct pi_group_q8_0 *group, size_t b, const size_t first,
                         const size_t n_halves, const struct pi_a8_group *x, const size_t n_tokens,
                         const bool fetch, size_t far, __m256i (*isum)[4]) {
    const __m256i flip = _mm256_set1_epi8((char)0x80);
    const __m256i one = _mm256_set1_epi16(1);
    for (size_t t = 0; t < n_tokens; t++) {
        isum[0][t] = isum[1][t] = _mm256_setzero_si256();
    }
    PI_UNROLL(4)
    for (size_t j = 0; j < 8; j++) {
        pi_prefetch_line(group->q[b][j], fetch, far);
        __m256i w_i8x32[2];
        __m256i magnitude[2];
        for (size_t h = 0; h < n_halves; h++) {
            const __m256i line =
                _mm256_load_si256((const __m256i *)(const void *)group->q[b][j][8 * (first + h)]);
            w_i8x32[h] = _mm256_xor_si256(line, flip);
            magnitude[h] = _mm256_abs_epi8(w_i8x32[h]);
        }
        for (size_t t = 0; t < n_tokens; t++) {
            const __m256i q = pi_broadcast4_256(x[t].q + PI_BLOCK_INPUTS * b + 4 * j);
            for (size_t h = 0; h < n_halves; h++) {
                const __m256i pairs =
                    _mm256_maddubs_epi16(magnitude[h], _mm256_sign_epi8(q, w_i8x32[h]));
                isum[h][t] = _mm256_add_epi32(isum[h][t], _mm256_madd_epi16(pairs, one));
            }
        }
    }
}

/* Two planes, low and high nibbles of the bytes 0..255. */
PI_INLINE void unpack_block(const struct pi_group_q8_0 *group, size_t b,
                            uint8_t (*plane)[8][PI_LINE_BYTES]) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (size_t j = 0; j < 8; j++) {
        for (size_t half = 0; half < 2; half++) {
            const __m256i byte =
                _mm256_load_si256((const __m256i *)(const void *)group->q[b][j][8 * half]);
            __m256i *low = (__m256i *)(void *)plane[0][j] + half;
            __m256i *high = (__m256i *)(void *)plane[1][j] + half;
            _mm256_store_si256(low, _mm256_and_si256(byte, mask));
            _mm256_store_si256(high, _mm256_and_si256(_mm256_srli_epi16(byte, 4), mask));
        }
    }
}

#define PARAM_GROUP struct pi_group_q8_0
#define PARAM_START start_q8
#define PARAM_BLOCK_DOT block_dot
#define PARAM_PLANES 2
#define PARAM_UNPACK_BLOCK unpack_block
#define PARAM_ADD_PRODUCTS pi_add_pairs256
#define PARAM_WIDEN pi_widen_pairs256
