/* Plain reading, scalar. */
#include "pyinfer/kernel_types.h"
#include <string.h>

pi_read_fn pi_limits_read_scalar;

uint64_t pi_limits_read_scalar(const struct pi_read_args *a) {
    uint64_t all = 0;
    for (size_t i = 0; i < a->bytes; i += sizeof all) {
        for (size_t s = 0; s < a->n_streams; s++) {
            uint64_t word;
            memcpy(&word, a->data[s] + i, sizeof word);
            all ^= word;
        }
    }
    return all;
}
