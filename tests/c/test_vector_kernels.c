/* Kernels without a weight format: every level against scalar, with guard pages around every
 * buffer. */
#include "check.h"
#include "pyinfer/panels.h"
#include <math.h>
#include <string.h>

static void free_all(struct guarded *buffers, size_t n) {
    for (size_t i = 0; i < n; i++) {
        guarded_free(&buffers[i]);
    }
}

/* Sometimes one value becomes NaN or Inf. */
static void spoil(struct check *c, struct guarded *x) {
    float *value = (float *)x->data + check_between(c, 0, x->bytes / sizeof(float) - 1);
    switch (check_random(c) % 8) {
    case 0: *value = NAN; break;
    case 1: *value = -INFINITY; break;
    default: break;
    }
}

static void test_act(struct check *c) {
    const size_t n_groups = check_between(c, 1, 5);
    const size_t stride = check_between(c, 1, 8);
    struct guarded x = check_floats(c, n_groups * PI_GROUP_INPUTS);
    spoil(c, &x);
    if (check_random(c) % 4 == 0) { /* around the size that counts as zero */
        for (size_t i = 0; i < n_groups * PI_GROUP_INPUTS; i++) {
            ((float *)x.data)[i] *= 0x1p-103f;
        }
    }
    struct guarded out[2];
    for (size_t i = 0; i < 2; i++) {
        out[i] = check_output(c, ((n_groups - 1) * stride + 1) * sizeof(struct pi_a8_group));
        (i ? c->scalar : c->kernels)->act_a8(out[i].data, stride, x.data, n_groups);
    }
    check_same_bytes(c, "act_a8", &out[0], &out[1]);
    free_all(out, 2);
    guarded_free(&x);
}

static void test_elementwise(struct check *c) {
    const size_t n = check_between(c, 1, 70);
    const size_t padded = pi_round_up(n, 16);
    const float scale = (float)check_between(c, 1, 9) / 8.0f;
    struct guarded x = check_floats(c, padded);
    struct guarded w = check_floats(c, padded);
    struct guarded head = check_floats(c, 2 * n);
    struct guarded cos = check_floats(c, n);
    struct guarded sin = check_floats(c, n);
    memset((float *)x.data + n, 0, (padded - n) * sizeof(float));
    struct guarded norm[2], rope[2], swiglu[2];
    for (size_t i = 0; i < 2; i++) {
        const struct pi_kernels *k = i ? c->scalar : c->kernels;
        norm[i] = check_output(c, padded * sizeof(float));
        rope[i] = check_output(c, 2 * n * sizeof(float));
        swiglu[i] = check_output(c, n * sizeof(float));
        k->rmsnorm(norm[i].data, x.data, w.data, n, padded, 1e-6f);
        memcpy(rope[i].data, head.data, head.bytes);
        k->rope(rope[i].data, cos.data, sin.data, n, scale);
        k->swiglu(swiglu[i].data, cos.data, sin.data, n);
    }
    check_same_floats(c, "rmsnorm", &norm[0], &norm[1]);
    check_same_floats(c, "rope", &rope[0], &rope[1]);
    check_same_floats(c, "swiglu", &swiglu[0], &swiglu[1]);
    free_all(norm, 2);
    free_all(rope, 2);
    free_all(swiglu, 2);
    guarded_free(&x);
    guarded_free(&w);
    guarded_free(&head);
    guarded_free(&cos);
    guarded_free(&sin);
}

static void test_head(struct check *c) {
    const size_t n = check_between(c, 1, check_random(c) % 2 ? 40 : PI_HEAD_CHUNK_ROWS);
    const size_t capacity = check_between(c, 1, 30);
    struct guarded logits = check_floats(c, n);
    spoil(c, &logits);
    struct guarded stats[2], index[2], count[2];
    for (size_t i = 0; i < 2; i++) {
        const struct pi_kernels *k = i ? c->scalar : c->kernels;
        struct pi_head_stats found;
        stats[i] = check_output(c, 2 * sizeof(float));
        index[i] = check_output(c, capacity * sizeof(int32_t));
        count[i] = check_output(c, 2 * sizeof(size_t));
        k->head_stats(&found, logits.data, n);
        memcpy(stats[i].data, &found, stats[i].bytes);
        ((size_t *)count[i].data)[0] = (size_t)found.finite;
        ((size_t *)count[i].data)[1] =
            k->head_select(index[i].data, capacity, logits.data, n, 2.5f);
    }
    check_same_floats(c, "head_stats", &stats[0], &stats[1]);
    check_same_bytes(c, "head_select count", &count[0], &count[1]);
    check_same_bytes(c, "head_select index", &index[0], &index[1]);
    free_all(stats, 2);
    free_all(index, 2);
    free_all(count, 2);
    guarded_free(&logits);
}

/* Values that f16 can hold: with an Inf in the cache, partial sums may differ between levels (the
 * merged output is NaN in all of them). */
static struct guarded half_floats(struct check *c, size_t n) {
    struct guarded x = check_floats(c, n);
    float *value = x.data;
    for (size_t i = 0; i < n; i++) {
        value[i] = fabsf(value[i]) > 100.0f ? value[i] * 1e-4f : value[i];
    }
    return x;
}

struct cache {
    struct guarded pool, table;
    size_t block_bytes, n_tokens, head_dim, v_stride;
};

/* Appends tokens with the kernels under test and with scalar and compares the pools. */
static struct cache fill_cache(struct check *c, enum pi_kv_format format) {
    struct cache cache = {.n_tokens = check_between(c, 1, 200),
                          .head_dim = check_between(c, 1, 90)};
    if (format == PI_KV_Q8_0) {
        cache.head_dim = 32 * check_between(c, 1, 9);
    }
    cache.v_stride = pi_round_up(cache.head_dim, 16);
    const size_t elements = PI_KV_BLOCK_TOKENS * (cache.head_dim + cache.v_stride);
    const size_t element_bytes[] = {sizeof(uint16_t), sizeof(float), sizeof(int8_t)};
    cache.block_bytes = elements * element_bytes[format];
    if (format == PI_KV_Q8_0) {
        cache.block_bytes += elements / 32 * sizeof(uint16_t);
    }
    const size_t n_blocks = pi_ceil_div(cache.n_tokens, PI_KV_BLOCK_TOKENS);
    struct guarded scalar_pool = check_output(c, n_blocks * cache.block_bytes);
    cache.pool = check_output(c, n_blocks * cache.block_bytes);
    cache.table = check_output(c, n_blocks * sizeof(int32_t));
    int32_t *table = cache.table.data;
    for (size_t b = 0; b < n_blocks; b++) {
        table[b] = (int32_t)(n_blocks - 1 - b);
    }
    for (size_t t = 0; t < cache.n_tokens; t++) {
        struct guarded k = half_floats(c, cache.head_dim);
        struct guarded v = half_floats(c, cache.head_dim);
        for (size_t i = 0; i < 2; i++) {
            const struct pi_kernels *kernels = i ? c->scalar : c->kernels;
            uint8_t *block = (uint8_t *)(i ? &scalar_pool : &cache.pool)->data +
                             (size_t)table[t / PI_KV_BLOCK_TOKENS] * cache.block_bytes;
            kernels->kv_append[format](block, k.data, v.data, t % PI_KV_BLOCK_TOKENS,
                                       cache.head_dim, cache.v_stride);
        }
        guarded_free(&k);
        guarded_free(&v);
    }
    check_same_bytes(c, "kv_append", &cache.pool, &scalar_pool);
    guarded_free(&scalar_pool);
    return cache;
}

/* Rows of q as a8, each padded to whole groups. */
static struct guarded quantized_heads(struct check *c, const float *q, size_t n, size_t head_dim,
                                      size_t groups) {
    struct guarded q8 = check_output(c, n * groups * sizeof(struct pi_a8_group));
    float row[3 * PI_GROUP_INPUTS] = {0};
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < head_dim && d < sizeof row / sizeof *row; d++) {
            row[d] = q[i * head_dim + d];
        }
        c->scalar->act_a8((struct pi_a8_group *)q8.data + i * groups, 1, row, groups);
    }
    return q8;
}

static struct guarded ascending_limits(struct check *c, size_t n, size_t n_tokens) {
    struct guarded limit = check_output(c, n * sizeof(int32_t));
    for (size_t i = 0; i < n; i++) {
        ((int32_t *)limit.data)[i] = (int32_t)(n_tokens * (i + 1) / n);
    }
    return limit;
}

static void test_attn(struct check *c, enum pi_kv_format format) {
    struct cache cache = fill_cache(c, format);
    const size_t groups = pi_ceil_div(cache.head_dim, PI_GROUP_INPUTS);
    const size_t n = check_between(c, 1, 60);
    struct guarded q = check_floats(c, n * cache.head_dim);
    struct guarded q8 = quantized_heads(c, q.data, n, cache.head_dim, groups);
    struct guarded limit = ascending_limits(c, n, cache.n_tokens);
    struct guarded m[2], l[2], o[2], out[2];
    for (size_t i = 0; i < 2; i++) {
        const struct pi_kernels *k = i ? c->scalar : c->kernels;
        m[i] = check_output(c, n * sizeof(float));
        l[i] = check_output(c, n * PI_KV_TILE_TOKENS * sizeof(float));
        o[i] = check_output(c, n * cache.v_stride * sizeof(float));
        out[i] = check_output(c, cache.head_dim * sizeof(float));
        const struct pi_attn_args args = {
            .q = q.data,
            .q_stride = cache.head_dim,
            .q8 = q8.data,
            .q8_stride = groups,
            .limit = limit.data,
            .n_queries = n,
            .head_dim = cache.head_dim,
            .v_stride = cache.v_stride,
            .kv = cache.pool.data,
            .block_stride = cache.block_bytes,
            .block_table = cache.table.data,
            .last = cache.n_tokens,
            .end = cache.n_tokens,
            .m = m[i].data,
            .l = l[i].data,
            .o = o[i].data,
        };
        k->attn_kv[format](&args);
        /* The partials of all queries stand for the segments of one. */
        const struct pi_attn_merge_args merge = {
            .m = m[i].data,
            .l = l[i].data,
            .o = o[i].data,
            .m_step = 1,
            .l_step = PI_KV_TILE_TOKENS,
            .o_step = cache.v_stride,
            .n_parts = n,
            .head_dim = cache.head_dim,
            .out = out[i].data,
        };
        k->attn_merge(&merge);
    }
    check_same_floats(c, "attn l", &l[0], &l[1]);
    check_same_floats(c, "attn o", &o[0], &o[1]);
    check_same_floats(c, "attn_merge", &out[0], &out[1]);
    free_all(m, 2);
    free_all(l, 2);
    free_all(o, 2);
    free_all(out, 2);
    guarded_free(&q);
    guarded_free(&q8);
    guarded_free(&limit);
    guarded_free(&cache.pool);
    guarded_free(&cache.table);
}

static void test_all(struct check *c) {
    test_act(c);
    test_elementwise(c);
    test_head(c);
    test_attn(c, PI_KV_F16);
    test_attn(c, PI_KV_F32);
    test_attn(c, PI_KV_Q8_0);
}

int main(void) { return check_run(test_all, 150, UINT64_C(0x20182b631e1487bf)); }
