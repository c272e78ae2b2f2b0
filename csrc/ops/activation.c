/* Norm and quantization of the input of a linear op. */
#include "ops/activation.h"
#include "pyinfer/qtype.h"

struct needs {
    bool f32, a8;
};

static struct needs needs_of(const struct pi_linear *linear) {
    struct needs needs = {false, false};
    for (size_t i = 0; i < linear->n_parts; i++) {
        const bool quantized = pi_qtype_of(linear->part[i].format)->quantized;
        needs.a8 |= quantized;
        needs.f32 |= !quantized;
    }
    return needs;
}

static size_t normed_bytes(size_t n_groups) { return n_groups * PI_GROUP_INPUTS * sizeof(float); }

size_t pi_activation_scratch_bytes(const struct pi_linear *linear) {
    const size_t groups = linear->n_groups;
    return PI_TILE_TOKENS * (normed_bytes(groups) + groups * sizeof(struct pi_a8_group)) +
           4 * PI_LINE_BYTES;
}

struct target {
    float *normed; /* one row, or the row of the token */
    struct pi_a8_group *a8;
    size_t a8_step; /* records between groups: tokens of the tile */
};

static void prepare_token(const struct pi_kernels *kernels, const struct pi_linear *linear,
                          const float *x, const struct target *to) {
    if (linear->norm != NULL) {
        kernels->rmsnorm(to->normed, x, linear->norm, linear->norm_n,
                         linear->n_groups * PI_GROUP_INPUTS, linear->eps);
        x = to->normed;
    }
    if (to->a8 != NULL) {
        kernels->act_a8(to->a8, to->a8_step, x, linear->n_groups);
    }
}

static struct target target_of(const struct pi_activation *x, float *normed, size_t normed_stride,
                               struct pi_a8_group *a8, size_t token) {
    const struct pi_a8_place place = pi_a8_place(token, x->n_tokens, x->n_groups);
    return (struct target){.normed = normed + token * normed_stride,
                           .a8 = a8 != NULL ? a8 + place.first : NULL,
                           .a8_step = place.step};
}

struct pi_activation pi_activation_prepare(const struct pi_step *step,
                                           const struct pi_linear *linear,
                                           const struct pi_matrix *in, const int32_t *row_of,
                                           size_t n_tokens, struct pi_worker *worker,
                                           struct pi_scratch *scratch) {
    const struct needs needs = needs_of(linear);
    const bool own = n_tokens <= PI_TILE_TOKENS;
    struct pi_activation x = {.n_tokens = n_tokens, .n_groups = linear->n_groups};
    if (linear->hidden_in && !own) {
        x.a8 = step->shared->hidden;
        return x;
    }
    float *normed = step->shared->normed;
    size_t normed_stride = step->shared->normed_stride;
    struct pi_a8_group *a8 = step->shared->a8;
    if (own) {
        normed_stride = linear->n_groups * PI_GROUP_INPUTS;
        normed = pi_scratch_take(scratch, PI_TILE_TOKENS * normed_bytes(linear->n_groups));
        a8 = pi_scratch_take(scratch, PI_TILE_TOKENS * linear->n_groups * sizeof *a8);
    }
    x.a8 = needs.a8 ? a8 : NULL;
    if (needs.f32) {
        const bool copied = linear->norm != NULL;
        x.f32 = copied ? normed : in->data;
        x.f32_stride = copied ? normed_stride : in->stride;
    }
    const struct pi_split split = {.n_items = n_tokens, .n_streams = 1, .chunk_items = 4};
    struct pi_chunk chunk = {.n_streams = 1, .first = {0}, .count = {n_tokens}};
    bool more = true;
    if (!own) {
        pi_split_begin(worker, &split);
        more = pi_split_next(worker, &split, &chunk);
    }
    while (more) {
        for (size_t t = chunk.first[0]; t < chunk.first[0] + chunk.count[0]; t++) {
            const struct target to = target_of(&x, normed, normed_stride, needs.a8 ? a8 : NULL, t);
            const size_t row = row_of != NULL ? (size_t)row_of[t] : t;
            prepare_token(&step->rt->kernels, linear, in->data + row * in->stride, &to);
        }
        more = !own && pi_split_next(worker, &split, &chunk);
    }
    if (!own) {
        pi_barrier(worker);
    }
    return x;
}
