/* Division of work: static contiguous ranges, so that each worker reads sequential streams, plus
 * stealing of whole chunks from the back, so that a slow or preempted worker loses its tail.
 *
 * A worker's chunks are one 64-bit word: tag (which split, 16 bits), head and tail (24 bits each).
 * The owner takes at the head, thieves at the tail, both by compare-and-swap. A worker that is late
 * still carries the tag of the split before; since its chunk count follows from the split alone, a
 * thief opens the range in its name. */
#include "pyinfer/runtime.h"
#include "runtime/pool.h"

#define FIELD_BITS 24
#define FIELD_MASK ((1u << FIELD_BITS) - 1)
#define TAG_MASK 0xffffu

static uint64_t make_range(uint32_t tag, uint64_t head, uint64_t tail) {
    return (uint64_t)tag << (2 * FIELD_BITS) | head << FIELD_BITS | tail;
}
static uint32_t tag_of(uint64_t range) { return (uint32_t)(range >> (2 * FIELD_BITS)); }
static uint64_t head_of(uint64_t range) { return range >> FIELD_BITS & FIELD_MASK; }
static uint64_t tail_of(uint64_t range) { return range & FIELD_MASK; }

static size_t first_item(const struct pi_split *split, size_t n_workers, size_t owner) {
    return split->n_items * owner / n_workers;
}

/* Items of one sub-run of an owner. */
static size_t run_items(const struct pi_split *split, size_t n_workers, size_t owner) {
    const size_t n = first_item(split, n_workers, owner + 1) - first_item(split, n_workers, owner);
    return pi_ceil_div(n, split->n_streams);
}

static size_t chunks_of(const struct pi_split *split, size_t n_workers, size_t owner) {
    return pi_ceil_div(run_items(split, n_workers, owner), split->chunk_items);
}

static uint64_t open_range(struct pi_worker *owner, const struct pi_split *split, uint32_t tag) {
    uint64_t range = atomic_load(&owner->range);
    /* An old range that still holds chunks belongs to an owner still at work on it. */
    if (tag_of(range) == ((tag - 1) & TAG_MASK) && head_of(range) == tail_of(range)) {
        const uint64_t opened = make_range(tag, 0, chunks_of(split, owner->n_workers, owner->id));
        if (atomic_compare_exchange_strong(&owner->range, &range, opened)) {
            return opened;
        }
    }
    return range;
}

static bool take(struct pi_worker *owner, uint32_t tag, bool front, size_t *index) {
    uint64_t range = atomic_load(&owner->range);
    while (tag_of(range) == tag && head_of(range) < tail_of(range)) {
        const uint64_t head = head_of(range);
        const uint64_t tail = tail_of(range);
        const uint64_t rest =
            front ? make_range(tag, head + 1, tail) : make_range(tag, head, tail - 1);
        if (atomic_compare_exchange_weak(&owner->range, &range, rest)) {
            *index = (size_t)(front ? head : tail - 1);
            return true;
        }
    }
    return false;
}

static void describe(const struct pi_split *split, size_t n_workers, size_t owner, size_t index,
                     struct pi_chunk *chunk) {
    const size_t begin = first_item(split, n_workers, owner);
    const size_t end = first_item(split, n_workers, owner + 1);
    const size_t run = run_items(split, n_workers, owner);
    const size_t offset = index * split->chunk_items;
    const size_t in_run = pi_min_size(split->chunk_items, run - offset);
    chunk->n_streams = split->n_streams;
    for (size_t s = 0; s < split->n_streams; s++) {
        const size_t first = pi_min_size(begin + s * run + offset, end);
        chunk->first[s] = first;
        chunk->count[s] = pi_min_size(in_run, end - first);
    }
}

void pi_split_own(const struct pi_worker *worker, const struct pi_split *split,
                  struct pi_chunk *chunk) {
    struct pi_split whole = *split;
    whole.chunk_items = SIZE_MAX;
    describe(&whole, worker->n_workers, worker->id, 0, chunk);
}

/* Whether `tag` names `split` or one after it; tags wrap, but workers are never far apart. */
static bool has_reached(uint32_t tag, uint32_t split) {
    return ((tag - split) & TAG_MASK) <= TAG_MASK / 2;
}

/* A cancelled run leaves chunks behind; they are dropped when the owner goes on. An owner that was
 * late for more than one split may find its range opened for a later one: then others have done all
 * its chunks of this split, and must not find them again. */
void pi_split_begin(struct pi_worker *worker, const struct pi_split *split) {
    worker->split_tag = (worker->split_tag + 1) & TAG_MASK;
    uint64_t range = open_range(worker, split, worker->split_tag);
    while (!has_reached(tag_of(range), worker->split_tag)) {
        const uint64_t opened =
            make_range(worker->split_tag, 0, chunks_of(split, worker->n_workers, worker->id));
        if (atomic_compare_exchange_strong(&worker->range, &range, opened)) {
            break;
        }
    }
}

bool pi_split_next(struct pi_worker *worker, const struct pi_split *split, struct pi_chunk *chunk) {
    if (worker->cancel != NULL && atomic_load_explicit(worker->cancel, memory_order_relaxed) != 0) {
        worker->skipped_work = true;
        return false;
    }
    size_t index;
    for (size_t i = 0; i < worker->n_workers; i++) {
        const size_t id = (worker->id + i) % worker->n_workers;
        struct pi_worker *owner = pi_pool_worker(worker->pool, id);
        if (i > 0) {
            open_range(owner, split, worker->split_tag);
        }
        if (take(owner, worker->split_tag, i == 0, &index)) {
            describe(split, worker->n_workers, id, index, chunk);
            return true;
        }
    }
    return false;
}
