/* Plain reading at the walk of the GEMV: 1 KiB of every stream in turn. */
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"
#include <immintrin.h>
#include <string.h>

pi_read_fn pi_limits_read_avx2;

#define STEP 1024

uint64_t pi_limits_read_avx2(const struct pi_read_args *a) {
    __m256i all = _mm256_setzero_si256();
    for (size_t i = 0; i < a->bytes; i += STEP) {
        for (size_t s = 0; s < a->n_streams; s++) {
            const uint8_t *at = a->data[s] + i;
            pi_prefetch_stream(at, STEP, a->prefetch_near, a->prefetch_far);
            for (size_t j = 0; j < STEP; j += sizeof all) {
                all = _mm256_xor_si256(all, _mm256_load_si256((const void *)(at + j)));
            }
        }
    }
    uint64_t words[sizeof all / sizeof(uint64_t)];
    memcpy(words, &all, sizeof words);
    uint64_t result = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        result ^= words[i];
    }
    return result;
}
