/* Creation of a runtime. */
#include "pyinfer/runtime.h"
#include "runtime/pool.h"
#include <stdlib.h>

/* Good on every machine measured so far; the tuner refines them. */
static const struct pi_walk DEFAULT_WALK = {
    .n_streams = 2, .prefetch_near = 0, .prefetch_far = 5120};

enum pi_status pi_runtime_create(struct pi_runtime **out, const struct pi_level *level,
                                 size_t n_threads) {
    if (n_threads == 0) {
        return PI_ERR_ARG;
    }
    struct pi_runtime *rt = calloc(1, sizeof *rt);
    if (rt == NULL) {
        return PI_ERR_NOMEM;
    }
    rt->walk = DEFAULT_WALK;
    rt->n_threads = n_threads;
    enum pi_status status = pi_kernels_init(&rt->kernels, level);
    if (status == PI_OK) {
        status = pi_pool_create(&rt->pool, n_threads);
    }
    if (status != PI_OK) {
        free(rt);
        return status;
    }
    *out = rt;
    return PI_OK;
}

void pi_runtime_destroy(struct pi_runtime *rt) {
    if (rt != NULL) {
        pi_pool_destroy(rt->pool);
        free(rt);
    }
}
