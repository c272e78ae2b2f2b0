/* The head: final norm, logits of the wanted rows, and per row the log-sum-exp, a finiteness flag
 * and the best candidates. Statistics run over fixed chunks of 1,024 rows and are merged in
 * ascending order. */
#include "ops/head.h"
#include "kernels/util/exp.h"
#include "ops/linear.h"

struct candidate {
    float value;
    int32_t id;
};

/* The order of candidates: higher logit first, then the smaller id. */
static bool better(struct candidate a, struct candidate b) {
    return a.value > b.value || (a.value == b.value && a.id < b.id);
}

size_t pi_head_scratch_bytes(const struct pi_head *head) {
    return pi_linear_scratch_bytes(&head->linear) +
           PI_HEAD_CHUNK_ROWS * (sizeof(int32_t) + sizeof(struct candidate)) + 4 * PI_LINE_BYTES;
}

static void sift_down(struct candidate *heap, size_t n, size_t i) {
    for (;;) { /* the root is the worst candidate */
        size_t worst = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++) {
            worst = better(heap[worst], heap[child]) ? child : worst;
        }
        if (worst == i) {
            return;
        }
        const struct candidate swap = heap[i];
        heap[i] = heap[worst];
        heap[worst] = swap;
        i = worst;
    }
}

static size_t offer(struct candidate *heap, size_t n, size_t capacity, struct candidate c) {
    if (n < capacity) {
        heap[n++] = c;
        if (n == capacity) {
            for (size_t i = capacity / 2; i-- > 0;) {
                sift_down(heap, n, i);
            }
        }
        return n;
    }
    if (better(c, heap[0])) {
        heap[0] = c;
        sift_down(heap, n, 0);
    }
    return n;
}

/* Best `capacity` of n_valid logits; chunks below the worst kept candidate are skipped unread. */
static size_t select_best(const struct pi_step *step, const struct pi_head_stats *stats,
                          const float *logits, size_t n_valid, struct candidate *heap,
                          size_t capacity, int32_t *index) {
    size_t n = 0;
    for (size_t first = 0; first < n_valid; first += PI_HEAD_CHUNK_ROWS) {
        const size_t rows = pi_min_size(PI_HEAD_CHUNK_ROWS, n_valid - first);
        const float threshold = n == capacity ? heap[0].value : -INFINITY;
        if (stats[first / PI_HEAD_CHUNK_ROWS].max < threshold) {
            continue;
        }
        const size_t found = step->rt->kernels.head_select(index, PI_HEAD_CHUNK_ROWS,
                                                           logits + first, rows, threshold);
        for (size_t i = 0; i < found; i++) {
            const struct candidate c = {logits[first + (size_t)index[i]],
                                        (int32_t)first + index[i]};
            n = offer(heap, n, capacity, c);
        }
    }
    return n;
}

static void sort_best(struct candidate *heap, size_t n) {
    for (size_t i = n / 2; i-- > 0;) {
        sift_down(heap, n, i);
    }
    for (size_t end = n; end-- > 1;) { /* the worst goes to the end: best first */
        const struct candidate worst = heap[0];
        heap[0] = heap[end];
        heap[end] = worst;
        sift_down(heap, end, 0);
    }
}

static double log_sum_exp(const struct pi_head_stats *stats, size_t n_chunks, int32_t *finite) {
    float max = stats[0].max;
    float sum = stats[0].sum;
    *finite = stats[0].finite;
    for (size_t i = 1; i < n_chunks; i++) {
        const float new_max = stats[i].max > max ? stats[i].max : max;
        sum = sum * pi_expf(max - new_max) + stats[i].sum * pi_expf(stats[i].max - new_max);
        max = new_max;
        *finite &= stats[i].finite;
    }
    return (double)max + log((double)sum);
}

static void finish_row(const struct pi_step *step, const struct pi_head *head, size_t row,
                       size_t n_chunks, struct pi_scratch scratch) {
    const struct pi_frame *frame = step->frame;
    const struct pi_head_stats *stats = step->shared->head_stats + row * n_chunks;
    frame->log_sum_exp[row] = log_sum_exp(stats, n_chunks, &frame->finite[row]);
    frame->candidate_counts[row] = 0;
    if (!frame->finite[row]) {
        return;
    }
    const size_t capacity = pi_min_size(frame->n_candidates, head->n_valid);
    int32_t *index = pi_scratch_take(&scratch, PI_HEAD_CHUNK_ROWS * sizeof *index);
    struct candidate *heap = pi_scratch_take(&scratch, PI_HEAD_CHUNK_ROWS * sizeof *heap);
    const size_t n = select_best(step, stats, frame->logits + row * frame->logits_stride,
                                 head->n_valid, heap, capacity, index);
    sort_best(heap, n);
    for (size_t i = 0; i < n; i++) {
        frame->candidate_ids[row * frame->n_candidates + i] = heap[i].id;
        frame->candidate_values[row * frame->n_candidates + i] = heap[i].value;
    }
    frame->candidate_counts[row] = (int32_t)n;
}

void pi_op_head(const struct pi_step *step, const struct pi_op *op, struct pi_worker *worker) {
    const struct pi_frame *frame = step->frame;
    const struct pi_head *head = &op->u.head;
    const size_t n_rows = frame->n_logit_rows;
    const size_t n_chunks = pi_ceil_div(head->n_valid, PI_HEAD_CHUNK_ROWS);
    if (n_rows == 0) {
        return;
    }
    struct pi_op logits_op = *op;
    logits_op.out = (struct pi_matrix){frame->logits, frame->logits_stride};
    const int32_t *row_of = op->kept_in ? frame->logit_kept : frame->logit_rows;
    pi_linear_run(step, &logits_op, &head->linear, row_of, n_rows, worker);
    pi_barrier(worker);

    struct pi_chunk chunk;
    const struct pi_split chunks = {n_rows * n_chunks, 1, 1};
    pi_split_begin(worker, &chunks);
    while (pi_split_next(worker, &chunks, &chunk)) {
        const size_t row = chunk.first[0] / n_chunks;
        const size_t first = chunk.first[0] % n_chunks * PI_HEAD_CHUNK_ROWS;
        step->rt->kernels.head_stats(&step->shared->head_stats[chunk.first[0]],
                                     frame->logits + row * frame->logits_stride + first,
                                     pi_min_size(PI_HEAD_CHUNK_ROWS, head->n_valid - first));
    }
    pi_barrier(worker);

    const struct pi_split rows = {n_rows, 1, 1};
    pi_split_begin(worker, &rows);
    while (pi_split_next(worker, &rows, &chunk)) {
        finish_row(step, head, chunk.first[0], n_chunks, pi_scratch_of(worker));
    }
}
