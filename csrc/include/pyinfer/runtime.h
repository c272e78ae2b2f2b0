/* struct pi_runtime: the kernel table, the thread pool and the memory-walk parameters.
 * There are no mutable globals; everything hangs off a runtime that the caller owns. A runtime is
 * used by one calling thread at a time. */
#ifndef PYINFER_RUNTIME_H
#define PYINFER_RUNTIME_H

#include "pyinfer/kernels.h"
#include <stdatomic.h>

struct pi_pool;

/* How decode walks weights; set by the tuner, never changes results. */
struct pi_walk {
    size_t n_streams;     /* far-apart runs per worker: 1, 2 or 4 */
    size_t prefetch_near; /* bytes ahead into L1 */
    size_t prefetch_far;  /* bytes ahead into L2 */
};

struct pi_runtime {
    struct pi_kernels kernels;
    struct pi_walk walk;
    struct pi_pool *pool;
    size_t n_threads;
};

enum pi_status pi_runtime_create(struct pi_runtime **out, const struct pi_level *level,
                                 size_t n_threads);
void pi_runtime_destroy(struct pi_runtime *rt);

/* One worker of the pool inside a run. Worker 0 is the caller. */
struct pi_worker {
    struct pi_pool *pool;
    size_t id;
    size_t n_workers;
    uint8_t *scratch; /* private, 64-byte aligned */
    size_t scratch_bytes;
    uint32_t barrier_phase;                /* barriers passed */
    uint32_t split_tag;                    /* work splits begun */
    const _Atomic int32_t *cancel;         /* polled between chunks; may be NULL */
    bool skipped_work;                     /* the flag was seen up in this run */
    PI_ALIGNED(64) _Atomic uint64_t range; /* tag, head, tail of the own chunks; see pool.c */
};

typedef void pi_work_fn(void *context, struct pi_worker *worker);

/* Runs fn on every worker and returns when all are done. scratch_bytes is what each worker may use. */
enum pi_status pi_pool_run(struct pi_runtime *rt, pi_work_fn *fn, void *context,
                           size_t scratch_bytes, const _Atomic int32_t *cancel);

/* Waits until every worker has arrived. */
void pi_barrier(struct pi_worker *worker);

/* What a worker reads first after a barrier: `bytes` of each stream. */
struct pi_ahead {
    size_t n_streams;
    const uint8_t *from[PI_MAX_STREAMS];
    size_t bytes;
};

/* A barrier whose waiting time is used: those who wait move what comes next into their caches, so
 * memory stays busy while the slowest worker finishes. */
void pi_barrier_ahead(struct pi_worker *worker, const struct pi_ahead *ahead);

/* How n_items are divided: each worker owns a contiguous range, walks it as n_streams sub-runs in
 * lockstep, chunk_items of every sub-run at a time. */
struct pi_split {
    size_t n_items;
    size_t n_streams;
    size_t chunk_items;
};

/* One piece of work: up to n_streams sub-runs of `count` items each (the last chunk of an owner
 * may hold sub-runs of different or zero length, hence one count per stream). */
struct pi_chunk {
    size_t n_streams;
    size_t first[PI_MAX_STREAMS];
    size_t count[PI_MAX_STREAMS];
};

/* Starts a split (every worker calls it, in the same order) and hands out chunks: the own ones from
 * the front, then those of others from the back. False when none are left or on cancel. */
void pi_split_begin(struct pi_worker *worker, const struct pi_split *split);
bool pi_split_next(struct pi_worker *worker, const struct pi_split *split, struct pi_chunk *chunk);

/* The worker's own sub-runs in a split that need not have begun. */
void pi_split_own(const struct pi_worker *worker, const struct pi_split *split,
                  struct pi_chunk *chunk);

/* One timed pass of reading `bytes` of `data` (64-byte aligned) on all workers, and of `rounds`
 * rounds of multiply-adds on each worker. */
enum pi_status pi_measure_read(struct pi_runtime *rt, const struct pi_walk *walk,
                               const uint8_t *data, size_t bytes, double *bytes_per_second);
enum pi_status pi_measure_peak(struct pi_runtime *rt, bool integer, size_t rounds,
                               double *operations_per_second);

/* Anonymous memory, 2 MiB aligned, backed by huge pages where the system grants them, committed on
 * first touch. NULL if the address space is refused. */
void *pi_memory_map(size_t bytes);
void pi_memory_unmap(void *memory, size_t bytes);

/* A part of a file, read-only and shared with every process that maps it; `offset` is a multiple of
 * 2 MiB. Unmapped as above. NULL if the system refuses. */
void *pi_memory_map_file(int32_t fd, uint64_t offset, size_t bytes);
/* Whether a page of a mapped file could not be read: the file was cut short. From the first such
 * page on the mapping then holds zeros. */
bool pi_memory_lost(const void *memory);

/* Reads exactly `bytes` at `offset` into `out`. False at the end of the file (*error is 0) or on an
 * error (*error is its number); *done bytes were read. */
bool pi_file_read(int32_t fd, uint64_t offset, uint8_t *out, size_t bytes, size_t *done,
                  int32_t *error);
/* Asks the system to fetch a range of a file from the disk meanwhile. */
void pi_file_read_ahead(int32_t fd, uint64_t offset, size_t bytes);

/* CPUs the process may run on: affinity mask. At least 1. */
size_t pi_cpu_count(void);

#endif
