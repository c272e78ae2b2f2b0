/* q8_0 panels for the AVX-512 templates: two lines give two chunks of four inputs. */
#include "kernels/formats/q8_0/layout.h"
#include "kernels/util/x86_dot512.h"

/* Chunks 2j and 2j + 1 (inputs 8j..8j+7) as bytes 0..255. */
PI_INLINE struct pi_chunks load_chunks(const struct pi_group_q8_0 *group, size_t b, size_t j) {
    return (struct pi_chunks){_mm512_load_si512(group->q[b][2 * j]),
                              _mm512_load_si512(group->q[b][2 * j + 1])};
}

#define PARAM_GROUP struct pi_group_q8_0
#define PARAM_START start_q8
#define PARAM_LOAD_CHUNKS load_chunks
#define PARAM_FIRST_INPUT(j) (8 * (j))
#define PARAM_SECOND_INPUT(j) (8 * (j) + 4)
