/* The thread pool behind pi_pool_run. */
#ifndef PYINFER_RUNTIME_POOL_H
#define PYINFER_RUNTIME_POOL_H

#include "pyinfer/runtime.h"

enum pi_status pi_pool_create(struct pi_pool **out, size_t n_threads);
void pi_pool_destroy(struct pi_pool *pool);

/* The other worker `index` of the same pool. */
struct pi_worker *pi_pool_worker(struct pi_pool *pool, size_t index);

#endif
