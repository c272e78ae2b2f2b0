/* Random inputs, bit comparison and the loop over instruction sets of the kernel tests. The inputs are the
 * same on every architecture, and so are the bits of the results: their hash is written down here, in the
 * tests, so that no second machine is needed to compare. */
#ifndef PYINFER_TESTS_CHECK_H
#define PYINFER_TESTS_CHECK_H

#include "guarded.h"
#include "pyinfer/kernels.h"

/* One test case: the kernels under test, the specification, and a generator of its own. */
struct check {
    const struct pi_kernels *kernels;
    const struct pi_kernels *scalar;
    uint64_t state;
    bool at_end; /* where the buffers of this case stand */
    size_t failures;
    uint64_t hash; /* of everything that the kernels under test gave */
};

uint32_t check_random(struct check *c);
size_t check_between(struct check *c, size_t low, size_t high); /* both included */

/* A buffer of n floats: mostly ordinary sizes, some zeros, denormals and large values. */
struct guarded check_floats(struct check *c, size_t n);
struct guarded check_bytes(struct check *c, size_t n);
struct guarded check_output(struct check *c, size_t bytes);

/* Count a failure unless both buffers hold the same; floats: a NaN equals any NaN. */
void check_same_floats(struct check *c, const char *what, const struct guarded *found,
                       const struct guarded *expected);
void check_same_bytes(struct check *c, const char *what, const struct guarded *found,
                      const struct guarded *expected);

/* Runs `test` many times for every available instruction set, in the floating-point mode of the
 * contract. The hash of all results has to be `contract` at every level of every architecture. Returns
 * the exit status of the program. */
int check_run(void (*test)(struct check *c), size_t rounds, uint64_t contract);

#endif
