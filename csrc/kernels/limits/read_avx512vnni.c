/* Plain reading at the walk of the GEMV: 1 KiB of every stream in turn. */
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"
#include <immintrin.h>
#include <string.h>

pi_read_fn pi_limits_read_avx512vnni;

#define STEP 1024

uint64_t pi_limits_read_avx512vnni(const struct pi_read_args *a) {
    __m512i all = _mm512_setzero_si512();
    for (size_t i = 0; i < a->bytes; i += STEP) {
        for (size_t s = 0; s < a->n_streams; s++) {
            const uint8_t *at = a->data[s] + i;
            pi_prefetch_stream(at, STEP, a->prefetch_near, a->prefetch_far);
            for (size_t j = 0; j < STEP; j += sizeof all) {
                all = _mm512_xor_si512(all, _mm512_load_si512((const void *)(at + j)));
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
