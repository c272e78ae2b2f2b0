/* The loop over instruction sets and the comparisons; see check.h. */
#include "check.h"
#include "pyinfer/cpu.h"
#include "pyinfer/fpmode.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint32_t check_random(struct check *c) { /* xorshift64* (Marsaglia 2003, Vigna 2016) */
    c->state ^= c->state >> 12;
    c->state ^= c->state << 25;
    c->state ^= c->state >> 27;
    return (uint32_t)(c->state * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}

size_t check_between(struct check *c, size_t low, size_t high) {
    return low + check_random(c) % (high - low + 1);
}

static float random_float(struct check *c) {
    const float unit = (float)(int32_t)check_random(c) * 0x1p-31f;
    switch (check_random(c) % 64) {
    case 0: return 0.0f;
    case 1: return unit * 1e-38f;
    case 2: return unit * 1e6f;
    default: return unit * 4.0f;
    }
}

struct guarded check_floats(struct check *c, size_t n) {
    struct guarded g = guarded_new(n * sizeof(float), c->at_end);
    float *x = g.data;
    for (size_t i = 0; i < n; i++) {
        x[i] = random_float(c);
    }
    return g;
}

struct guarded check_bytes(struct check *c, size_t n) {
    struct guarded g = guarded_new(n, c->at_end);
    uint8_t *x = g.data;
    for (size_t i = 0; i < n; i++) {
        x[i] = (uint8_t)(check_random(c) >> 11);
    }
    return g;
}

struct guarded check_output(struct check *c, size_t bytes) { return guarded_new(bytes, c->at_end); }

/* Adds a word to the hash (Fowler, Noll and Vo, 1a, on words). */
static void add_to_hash(struct check *c, uint32_t word) {
    c->hash = (c->hash ^ word) * UINT64_C(0x100000001b3);
}

static void report(struct check *c, const char *what, size_t index) {
    fprintf(stderr, "%s: %s differs from scalar at %zu\n", c->kernels->level->name, what, index);
    c->failures++;
}

void check_same_floats(struct check *c, const char *what, const struct guarded *found,
                       const struct guarded *expected) {
    const float *a = found->data;
    const float *b = expected->data;
    for (size_t i = 0; i < found->bytes / sizeof(float); i++) {
        uint32_t bits = 0x7fc00000u; /* sign and payload of a NaN are no part of the contract */
        if (a[i] == a[i]) {
            memcpy(&bits, a + i, sizeof bits);
        }
        add_to_hash(c, bits);
    }
    for (size_t i = 0; i < found->bytes / sizeof(float); i++) {
        if (memcmp(a + i, b + i, sizeof(float)) != 0 && (a[i] == a[i] || b[i] == b[i])) {
            report(c, what, i);
            return;
        }
    }
}

void check_same_bytes(struct check *c, const char *what, const struct guarded *found,
                      const struct guarded *expected) {
    const uint8_t *a = found->data;
    const uint8_t *b = expected->data;
    for (size_t i = 0; i < found->bytes; i++) {
        add_to_hash(c, a[i]);
        if (a[i] != b[i]) {
            report(c, what, i);
            return;
        }
    }
}

/* All rounds of one level; returns the failures. */
static size_t run_level(const struct pi_level *level, const struct pi_kernels *scalar,
                        void (*test)(struct check *c), size_t rounds, uint64_t contract) {
    struct pi_kernels kernels;
    size_t failures = 0;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    if (pi_kernels_init(&kernels, level) != PI_OK) {
        return 1;
    }
    for (size_t round = 0; round < rounds; round++) {
        struct check c = {.kernels = &kernels,
                          .scalar = scalar,
                          .state = 88172645463325252u + round,
                          .at_end = round % 2 == 0,
                          .hash = hash};
        const unsigned mode = pi_fpmode_enter();
        test(&c);
        pi_fpmode_leave(mode);
        failures += c.failures;
        hash = c.hash;
    }
    printf("%s: %zu rounds, contract %016" PRIx64 "\n", level->name, rounds, hash);
    if (hash != contract) {
        fprintf(stderr, "%s: the contract is %016" PRIx64 "\n", level->name, contract);
        failures++;
    }
    return failures;
}

int check_run(void (*test)(struct check *c), size_t rounds, uint64_t contract) {
    const uint32_t features = pi_cpu_features();
    struct pi_kernels scalar;
    size_t n_levels;
    size_t failures = 0;
    const struct pi_level *levels = pi_levels(&n_levels);
    if (pi_kernels_init(&scalar, pi_level_find("scalar")) != PI_OK) {
        return 1;
    }
    for (size_t i = 0; i < n_levels; i++) {
        if (pi_level_runs(&levels[i], features)) {
            failures += run_level(&levels[i], &scalar, test, rounds, contract);
        }
    }
    return failures != 0;
}
