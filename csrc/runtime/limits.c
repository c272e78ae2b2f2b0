/* Measures what the machine can do with the threads of a runtime, in one pass each; callers take
 * the best or the median of several passes interleaved with what they compare. */
#include "pyinfer/runtime.h"
#include "runtime/os.h"

#define READ_STEP 1024

struct read_context {
    const struct pi_runtime *rt;
    const uint8_t *data;
    size_t bytes;
    struct pi_walk walk;
    _Atomic uint64_t sink;
};

static void read_worker(void *context, struct pi_worker *worker) {
    struct read_context *c = context;
    const size_t steps = c->bytes / READ_STEP;
    const size_t first = steps * worker->id / worker->n_workers;
    const size_t mine = steps * (worker->id + 1) / worker->n_workers - first;
    const size_t per_stream = mine / c->walk.n_streams;
    struct pi_read_args args = {
        .n_streams = c->walk.n_streams,
        .bytes = per_stream * READ_STEP,
        .prefetch_near = c->walk.prefetch_near,
        .prefetch_far = c->walk.prefetch_far,
    };
    for (size_t s = 0; s < args.n_streams; s++) {
        args.data[s] = c->data + (first + s * per_stream) * READ_STEP;
    }
    atomic_fetch_xor(&c->sink, c->rt->kernels.limit_read(&args));
}

enum pi_status pi_measure_read(struct pi_runtime *rt, const struct pi_walk *walk,
                               const uint8_t *data, size_t bytes, double *bytes_per_second) {
    struct read_context context = {.rt = rt, .data = data, .bytes = bytes, .walk = *walk};
    const uint64_t start = pi_os_now_ns();
    const enum pi_status status = pi_pool_run(rt, read_worker, &context, 0, NULL);
    const uint64_t elapsed = pi_os_now_ns() - start;
    *bytes_per_second = (double)bytes / ((double)elapsed * 1e-9);
    return status;
}

struct peak_context {
    pi_peak_fn *kernel;
    size_t rounds;
    _Atomic uint64_t operations;
    float sink[64]; /* one per worker, modulo; only there to be written */
};

static void peak_worker(void *context, struct pi_worker *worker) {
    struct peak_context *c = context;
    float sink = 0.0f;
    const double operations = c->kernel(&sink, c->rounds);
    c->sink[worker->id % 64] = sink;
    atomic_fetch_add(&c->operations, (uint64_t)operations);
}

enum pi_status pi_measure_peak(struct pi_runtime *rt, bool integer, size_t rounds,
                               double *operations_per_second) {
    struct peak_context context = {
        .kernel = integer ? rt->kernels.limit_dot : rt->kernels.limit_fma, .rounds = rounds};
    const uint64_t start = pi_os_now_ns();
    const enum pi_status status = pi_pool_run(rt, peak_worker, &context, 0, NULL);
    const uint64_t elapsed = pi_os_now_ns() - start;
    *operations_per_second = (double)context.operations / ((double)elapsed * 1e-9);
    return status;
}
