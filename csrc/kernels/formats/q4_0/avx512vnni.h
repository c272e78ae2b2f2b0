/* q4_0 panels for the AVX-512 templates: a line gives two chunks of four inputs. */
#include "kernels/formats/q4_0/layout.h"
#include "kernels/util/x86_dot512.h"

/* Chunk j (inputs 4j..4j+3) and chunk j + 4 (inputs 16+4j..16+4j+3) as bytes 0..15. */
PI_INLINE struct pi_chunks load_chunks(const struct pi_group_q4_0 *group, size_t b, size_t j) {
    const __m512i line = _mm512_load_si512(group->q[b][j]);
    return (struct pi_chunks){_mm512_and_si512(line, _mm512_set1_epi8(15)),
                              _mm512_and_si512(_mm512_srli_epi16(line, 4), _mm512_set1_epi8(15))};
}

#define PARAM_GROUP struct pi_group_q4_0
#define PARAM_START start_q4
#define PARAM_LOAD_CHUNKS load_chunks
#define PARAM_FIRST_INPUT(j) (4 * (j))
#define PARAM_SECOND_INPUT(j) (16 + 4 * (j))
