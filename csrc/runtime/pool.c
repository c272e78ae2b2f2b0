/* Persistent worker threads in lockstep.
 *
 * A run is one epoch: the caller publishes the work and releases the epoch, works as worker 0, and
 * leaves through the same barrier as everybody. Waiting spins for a short window (the next run or
 * the slowest worker is usually microseconds away), then parks on a futex, so an idle pool uses no
 * CPU. When another program takes one of the CPUs, two workers share one, and who spins there keeps
 * the other from the work that is waited for until the scheduler's slice of milliseconds ends: so
 * after the first moment a spinning worker offers its CPU between looks. With more workers than CPUs
 * spinning only steals time, so the window shrinks to nothing. */
#define _GNU_SOURCE
#include "runtime/pool.h"
#include "pyinfer/fpmode.h"
#include "runtime/os.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SPIN_NS 200000u
#define ALONE_NS 20000u /* an ordinary wait; a longer one may be for a worker without a CPU */
#define SPINS_PER_CLOCK 64
#define AHEAD_PIECE_BYTES ((size_t)512)

struct pi_pool {
    PI_ALIGNED(64) _Atomic uint32_t epoch; /* runs started; futex word */
    PI_ALIGNED(64) _Atomic uint32_t phase; /* barriers completed; futex word */
    PI_ALIGNED(64) _Atomic uint32_t arrived;
    PI_ALIGNED(64) _Atomic uint32_t sleepers;
    pi_work_fn *fn;
    void *context;
    const _Atomic int32_t *cancel;
    size_t n_workers;
    size_t n_started;
    size_t scratch_bytes;
    uint64_t spin_ns;
    int64_t owner_process;
    bool stop;
    pthread_t *threads;
    struct pi_worker *workers;
};

struct pi_worker *pi_pool_worker(struct pi_pool *pool, size_t index) {
    return &pool->workers[index];
}

/* The next piece of every stream; a few lines at a time, so that the end of the wait is seen soon. */
static void fetch_piece(const struct pi_ahead *ahead, size_t offset) {
    for (size_t s = 0; s < ahead->n_streams; s++) {
        for (size_t i = 0; i < AHEAD_PIECE_BYTES; i += PI_LINE_BYTES) {
            PI_PREFETCH_L2(ahead->from[s] + offset + i);
        }
    }
}

static void wait_until_not(struct pi_pool *pool, _Atomic uint32_t *word, uint32_t old,
                           const struct pi_ahead *ahead) {
    const uint64_t start = pi_os_now_ns();
    size_t fetched = 0;
    for (;;) {
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != old) {
                return;
            }
            if (ahead != NULL && fetched < ahead->bytes) {
                fetch_piece(ahead, fetched);
                fetched += AHEAD_PIECE_BYTES;
            } else {
                pi_os_relax();
            }
        }
        const uint64_t waited = pi_os_now_ns() - start;
        if (waited >= pool->spin_ns) {
            break;
        }
        if (waited >= ALONE_NS) {
            pi_os_yield();
        }
    }
    /* A releaser changes the word before it reads `sleepers`; a sleeper does the reverse. One of
     * the two sees the other (sequential consistency), so no wake-up is lost. */
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(word) == old) {
        pi_os_wait(word, old);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
}

static void release(struct pi_pool *pool, _Atomic uint32_t *word) {
    atomic_fetch_add(word, 1);
    if (atomic_load(&pool->sleepers) != 0) {
        pi_os_wake_all(word);
    }
}

void pi_barrier(struct pi_worker *worker) { pi_barrier_ahead(worker, NULL); }

void pi_barrier_ahead(struct pi_worker *worker, const struct pi_ahead *ahead) {
    struct pi_pool *pool = worker->pool;
    const uint32_t phase = worker->barrier_phase++;
    if (atomic_fetch_add(&pool->arrived, 1) + 1 == pool->n_workers) {
        atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
        release(pool, &pool->phase);
    } else {
        wait_until_not(pool, &pool->phase, phase, ahead);
    }
}

static void run_share(struct pi_pool *pool, struct pi_worker *worker) {
    worker->cancel = pool->cancel;
    worker->skipped_work = false;
    worker->scratch_bytes = pool->scratch_bytes;
    pool->fn(pool->context, worker);
    pi_barrier(worker);
}

static void *thread_main(void *argument) {
    struct pi_worker *worker = argument;
    struct pi_pool *pool = worker->pool;
    pi_fpmode_enter();
    for (uint32_t epoch = 0;; epoch++) {
        wait_until_not(pool, &pool->epoch, epoch, NULL);
        if (pool->stop) {
            return NULL;
        }
        run_share(pool, worker);
    }
}

/* Signals belong to the program's own threads. */
static bool start_thread(pthread_t *thread, struct pi_worker *worker) {
    sigset_t all;
    sigset_t saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    const int error = pthread_create(thread, NULL, thread_main, worker);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return error == 0;
}

static bool allocate_workers(struct pi_pool *pool, size_t n_threads) {
    pool->threads = calloc(n_threads, sizeof *pool->threads);
    pool->workers = aligned_alloc(64, n_threads * sizeof *pool->workers);
    if (pool->threads == NULL || pool->workers == NULL) {
        return false;
    }
    memset(pool->workers, 0, n_threads * sizeof *pool->workers);
    for (size_t i = 0; i < n_threads; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].id = i;
        pool->workers[i].n_workers = n_threads;
    }
    return true;
}

enum pi_status pi_pool_create(struct pi_pool **out, size_t n_threads) {
    struct pi_pool *pool = aligned_alloc(64, sizeof *pool);
    if (pool == NULL) {
        return PI_ERR_NOMEM;
    }
    memset(pool, 0, sizeof *pool);
    pool->n_workers = n_threads;
    pool->spin_ns = n_threads <= pi_cpu_count() ? SPIN_NS : 0;
    pool->owner_process = pi_os_process_id();
    if (!allocate_workers(pool, n_threads)) {
        pi_pool_destroy(pool);
        return PI_ERR_NOMEM;
    }
    for (size_t i = 1; i < n_threads; i++) {
        if (!start_thread(&pool->threads[i], &pool->workers[i])) {
            pi_pool_destroy(pool);
            return PI_ERR_NOMEM;
        }
        pool->n_started = i;
    }
    *out = pool;
    return PI_OK;
}

void pi_pool_destroy(struct pi_pool *pool) {
    if (pool == NULL) {
        return;
    }
    /* After fork() the threads exist in the parent only. */
    if (pool->owner_process == pi_os_process_id()) {
        pool->stop = true;
        release(pool, &pool->epoch);
        for (size_t i = 1; i <= pool->n_started; i++) {
            pthread_join(pool->threads[i], NULL);
        }
    }
    for (size_t i = 0; pool->workers != NULL && i < pool->n_workers; i++) {
        free(pool->workers[i].scratch);
    }
    free(pool->workers);
    free(pool->threads);
    free(pool);
}

static enum pi_status grow_scratch(struct pi_pool *pool, size_t bytes) {
    if (bytes <= pool->scratch_bytes) {
        return PI_OK;
    }
    const size_t size = pi_round_up(bytes, 4096);
    for (size_t i = 0; i < pool->n_workers; i++) {
        uint8_t *scratch = aligned_alloc(4096, size);
        if (scratch == NULL) {
            return PI_ERR_NOMEM;
        }
        memset(scratch, 0, size);
        free(pool->workers[i].scratch);
        pool->workers[i].scratch = scratch;
    }
    pool->scratch_bytes = size;
    return PI_OK;
}

enum pi_status pi_pool_run(struct pi_runtime *rt, pi_work_fn *fn, void *context,
                           size_t scratch_bytes, const _Atomic int32_t *cancel) {
    struct pi_pool *pool = rt->pool;
    if (pool->owner_process != pi_os_process_id()) {
        return PI_ERR_FORKED;
    }
    const enum pi_status status = grow_scratch(pool, scratch_bytes);
    if (status != PI_OK) {
        return status;
    }
    pool->fn = fn;
    pool->context = context;
    pool->cancel = cancel;
    release(pool, &pool->epoch);
    const unsigned mode = pi_fpmode_enter();
    run_share(pool, &pool->workers[0]);
    pi_fpmode_leave(mode);
    return PI_OK;
}
