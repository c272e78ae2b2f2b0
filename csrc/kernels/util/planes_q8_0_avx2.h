/* q8_0 blocks as two planes, low and high nibbles of the bytes 0..255; the offset -128 is in the
 * start value. */
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

#define GROUP struct pi_group_q8_0
#define PLANES 2
#define BLOCK_START start_q8

typedef struct {
    uint8_t line[PLANES][8][PI_LINE_BYTES]; /* [plane][inputs 4j..4j+3][4 * row + input] */
} block_planes;

PI_INLINE void unpack_block(const GROUP *group, size_t b, block_planes *planes) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (size_t j = 0; j < 8; j++) {
        for (size_t half = 0; half < 2; half++) {
            const __m256i byte =
                _mm256_load_si256((const __m256i *)(const void *)group->q[b][j][8 * half]);
            __m256i *low = (__m256i *)(void *)planes->line[0][j] + half;
            __m256i *high = (__m256i *)(void *)planes->line[1][j] + half;
            _mm256_store_si256(low, _mm256_and_si256(byte, mask));
            _mm256_store_si256(high, _mm256_and_si256(_mm256_srli_epi16(byte, 4), mask));
        }
    }
}
