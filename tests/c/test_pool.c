/* The thread pool: every item of every split is done exactly once, whoever steals it, whenever a run
 * is cancelled. Counters are plain integers, so that -fsanitize=thread sees work that two workers do
 * at the same time, or a barrier that orders nothing. */
#include "pyinfer/fpmode.h"
#include "pyinfer/program.h"
#include "pyinfer/runtime.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TINY_OPS 100000u
#define N_ITEMS 37u
#define N_PARTS 3u

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static uint32_t mix(uint32_t x) { /* every worker draws the same numbers from the same op */
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

static void nap(uint32_t random) { /* now and then a worker is late: somebody steals its chunks */
    if (random % 64 == 0) {
        const struct timespec time = {.tv_nsec = random >> 8 & 0x3ffff};
        nanosleep(&time, NULL);
    } else if (random % 8 == 0) {
        sched_yield();
    }
}

static struct pi_runtime *new_runtime(size_t n_threads) {
    struct pi_runtime *rt = NULL;
    CHECK(pi_runtime_create(&rt, pi_level_find("scalar"), n_threads) == PI_OK);
    return rt;
}

struct counting {
    size_t n_ops;
    size_t n_parts; /* splits between two barriers, each over counters of its own */
    bool naps;
    uint32_t count[N_PARTS][N_ITEMS];
};

static struct pi_split split_of(uint32_t op) {
    const uint32_t random = mix(op);
    static const size_t streams[] = {1, 2, 4};
    return (struct pi_split){
        .n_items = random % (N_ITEMS + 1),
        .n_streams = streams[(random >> 8) % 3],
        .chunk_items = 1 + (random >> 16) % 5,
    };
}

static void count_items(void *context, struct pi_worker *worker) {
    struct counting *c = context;
    struct pi_chunk chunk;
    for (uint32_t op = 0; op < c->n_ops; op++) {
        for (uint32_t part = 0; part < c->n_parts; part++) {
            const struct pi_split split = split_of(op * N_PARTS + part);
            pi_split_begin(worker, &split);
            while (pi_split_next(worker, &split, &chunk)) {
                for (size_t s = 0; s < chunk.n_streams; s++) {
                    for (size_t i = 0; i < chunk.count[s]; i++) {
                        c->count[part][chunk.first[s] + i]++;
                    }
                }
                if (c->naps) {
                    nap(mix(op ^ (uint32_t)worker->id << 24 ^ part << 20));
                }
            }
        }
        pi_barrier(worker);
    }
}

static void check_counts(const struct counting *c) {
    for (uint32_t part = 0; part < c->n_parts; part++) {
        uint32_t expected[N_ITEMS] = {0};
        for (uint32_t op = 0; op < c->n_ops; op++) {
            const struct pi_split split = split_of(op * N_PARTS + part);
            for (size_t i = 0; i < split.n_items; i++) {
                expected[i]++;
            }
        }
        CHECK(memcmp(c->count[part], expected, sizeof expected) == 0);
    }
}

static void test_tiny_ops(size_t n_threads, size_t n_ops, size_t n_parts, bool naps) {
    struct pi_runtime *rt = new_runtime(n_threads);
    struct counting c = {.n_ops = n_ops, .n_parts = n_parts, .naps = naps};
    CHECK(pi_pool_run(rt, count_items, &c, 0, NULL) == PI_OK);
    check_counts(&c);
    pi_runtime_destroy(rt);
}

static void test_many_runs(size_t n_threads, size_t n_runs) {
    struct pi_runtime *rt = new_runtime(n_threads);
    for (size_t i = 0; i < n_runs; i++) {
        struct counting c = {.n_ops = 1 + i % 3, .n_parts = N_PARTS};
        CHECK(pi_pool_run(rt, count_items, &c, i * 64, NULL) == PI_OK);
        check_counts(&c);
        if (i % 50 == 0) {
            const struct timespec parked = {.tv_nsec = 1000000};
            nanosleep(&parked, NULL);
        }
    }
    pi_runtime_destroy(rt);
}

/* Workers that are several splits late: one of them sleeps in its first chunk while the others go
 * through all parts. */
static void count_late(void *context, struct pi_worker *worker) {
    struct counting *c = context;
    struct pi_chunk chunk;
    for (uint32_t op = 0; op < c->n_ops; op++) {
        for (uint32_t part = 0; part < c->n_parts; part++) {
            const struct pi_split split = {.n_items = 16, .n_streams = 1, .chunk_items = 1};
            bool first = true;
            pi_split_begin(worker, &split);
            while (pi_split_next(worker, &split, &chunk)) {
                c->count[part][chunk.first[0]]++;
                if (first && part == 0 && worker->id == op % worker->n_workers) {
                    const struct timespec time = {.tv_nsec = 300000};
                    nanosleep(&time, NULL);
                }
                first = false;
            }
        }
        pi_barrier(worker);
    }
}

static void test_late_workers(void) {
    struct pi_runtime *rt = new_runtime(3);
    struct counting c = {.n_ops = 300, .n_parts = N_PARTS};
    CHECK(pi_pool_run(rt, count_late, &c, 0, NULL) == PI_OK);
    for (size_t part = 0; part < N_PARTS; part++) {
        for (size_t i = 0; i < 16; i++) {
            CHECK(c.count[part][i] == c.n_ops);
        }
    }
    pi_runtime_destroy(rt);
}

/* A program of embedding ops, cancelled by another thread at any moment. */
#define N_EMBED_OPS 60
#define N_ROWS 40

struct embed_program {
    PI_ALIGNED(64) float weight[PI_GROUP_INPUTS][PI_PANEL_ROWS];
    float out[N_EMBED_OPS][N_ROWS][PI_GROUP_INPUTS];
    float cos[N_ROWS], sin[N_ROWS];
    double frequency;
    int32_t tokens[N_ROWS], positions[N_ROWS];
    struct pi_span span;
    struct pi_op ops[N_EMBED_OPS];
    struct pi_program program;
    struct pi_frame frame;
};

static struct embed_program *new_program(const _Atomic int32_t *cancel) {
    struct embed_program *p = aligned_alloc(64, pi_round_up(sizeof *p, 64));
    CHECK(p != NULL);
    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < PI_GROUP_INPUTS * PI_PANEL_ROWS; i++) {
        p->weight[i / PI_PANEL_ROWS][i % PI_PANEL_ROWS] = (float)i;
    }
    for (size_t i = 0; i < N_EMBED_OPS; i++) {
        p->ops[i].kind = PI_OP_EMBED;
        p->ops[i].out = (struct pi_matrix){&p->out[i][0][0], PI_GROUP_INPUTS};
        p->ops[i].u.embed.weight =
            (struct pi_weight){(const uint8_t *)p->weight, PI_FORMAT_F32, 1, 1};
    }
    for (size_t i = 0; i < N_ROWS; i++) {
        p->tokens[i] = (int32_t)(i % PI_PANEL_ROWS);
        p->positions[i] = (int32_t)i;
    }
    p->frame = (struct pi_frame){.n_rows = N_ROWS,
                                 .tokens = p->tokens,
                                 .positions = p->positions,
                                 .n_spans = 1,
                                 .spans = &p->span,
                                 .cancel = cancel};
    p->program = (struct pi_program){.ops = p->ops, .n_ops = N_EMBED_OPS};
    p->program.shared.rope = (struct pi_rope){&p->frequency, 1.0, 1, p->cos, p->sin};
    return p;
}

static bool complete(const struct embed_program *p) {
    for (size_t i = 0; i < N_EMBED_OPS; i++) {
        for (size_t row = 0; row < N_ROWS; row++) {
            for (size_t d = 0; d < PI_GROUP_INPUTS; d++) {
                if (p->out[i][row][d] != p->weight[d][p->tokens[row]]) {
                    return false;
                }
            }
        }
    }
    return true;
}

struct canceller {
    _Atomic int32_t *flag;
    _Atomic bool stop;
};

static void *raise_and_lower(void *context) {
    struct canceller *c = context;
    for (uint32_t i = 0; !atomic_load(&c->stop); i++) {
        const struct timespec time = {.tv_nsec = mix(i) % 400000};
        nanosleep(&time, NULL);
        /* Lowered again while the run may still be on: an incomplete one must say so all the same. */
        atomic_store(c->flag, i % 2 == 0);
    }
    return NULL;
}

static void test_cancel(size_t n_threads, size_t n_runs) {
    struct pi_runtime *rt = new_runtime(n_threads);
    _Atomic int32_t flag = 0;
    struct embed_program *p = new_program(&flag);
    struct canceller canceller = {.flag = &flag};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, raise_and_lower, &canceller) == 0);
    size_t cancelled = 0;
    for (size_t i = 0; i < n_runs; i++) {
        memset(p->out, 0xff, sizeof p->out);
        const enum pi_status status = pi_program_run(rt, &p->program, &p->frame);
        CHECK(status == PI_OK || status == PI_ERR_CANCELLED);
        CHECK(status == PI_ERR_CANCELLED || complete(p));
        cancelled += status == PI_ERR_CANCELLED;
    }
    atomic_store(&canceller.stop, true);
    pthread_join(thread, NULL);
    CHECK(cancelled > 0);
    flag = 0;
    CHECK(pi_program_run(rt, &p->program, &p->frame) == PI_OK && complete(p));
    flag = 1;
    CHECK(pi_program_run(rt, &p->program, &p->frame) == PI_ERR_CANCELLED);
    p->frame.cancel = NULL;
    CHECK(pi_program_run(rt, &p->program, &p->frame) == PI_OK && complete(p));
    free(p);
    pi_runtime_destroy(rt);
}

static void test_churn(size_t n_rounds) {
    for (size_t i = 0; i < n_rounds; i++) {
        struct pi_runtime *rt = new_runtime(1 + i % 7);
        struct counting c = {.n_ops = i % 4, .n_parts = 1};
        if (i % 3 != 0) {
            CHECK(pi_pool_run(rt, count_items, &c, 4096, NULL) == PI_OK);
            check_counts(&c);
        }
        pi_runtime_destroy(rt);
    }
}

struct environment {
    _Atomic uint32_t good;
};

static void look_around(void *context, struct pi_worker *worker) {
    struct environment *e = context;
    sigset_t mask;
    bool good = true;
#if defined(__x86_64__)
    good &= (_mm_getcsr() & PI_MXCSR_FTZ_DAZ) == PI_MXCSR_FTZ_DAZ;
#endif
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    good &= worker->id == 0 || (sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM));
    good &= (uintptr_t)worker->scratch % 64 == 0 && worker->scratch_bytes >= 10000;
    memset(worker->scratch, (int)worker->id, 10000); /* shared scratch would be a race */
    atomic_fetch_add(&e->good, good);
}

static void test_environment(void) {
    struct pi_runtime *rt = new_runtime(4);
    struct environment e = {0};
#if defined(__x86_64__)
    const unsigned mode = _mm_getcsr();
#endif
    CHECK(pi_pool_run(rt, look_around, &e, 10000, NULL) == PI_OK);
    CHECK(e.good == 4);
#if defined(__x86_64__)
    CHECK(_mm_getcsr() == mode);
#endif
    pi_runtime_destroy(rt);
    CHECK(pi_runtime_create(&rt, pi_level_find("scalar"), 0) == PI_ERR_ARG);
}

static void test_fork(void) {
    struct pi_runtime *rt = new_runtime(3);
    struct counting c = {.n_ops = 2, .n_parts = 1};
    CHECK(pi_pool_run(rt, count_items, &c, 0, NULL) == PI_OK);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) { /* the threads stayed with the parent: refuse, and end without a hang */
        const bool refused = pi_pool_run(rt, count_items, &c, 0, NULL) == PI_ERR_FORKED;
        pi_runtime_destroy(rt);
        _exit(refused ? 0 : 1);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    memset(&c.count, 0, sizeof c.count);
    CHECK(pi_pool_run(rt, count_items, &c, 0, NULL) == PI_OK);
    check_counts(&c);
    pi_runtime_destroy(rt);
}

int main(void) {
    test_environment();
    test_tiny_ops(1, TINY_OPS, 1, false);
    test_tiny_ops(2, TINY_OPS, 1, false);
    test_tiny_ops(2 * pi_cpu_count() + 1, TINY_OPS, 1, false);
    test_tiny_ops(4, 3000, N_PARTS, true);
    test_tiny_ops(7, 1000, N_PARTS, true);
    test_late_workers();
    test_many_runs(3, 2000);
    test_cancel(2, 1500);
    test_cancel(5, 500);
    test_churn(400);
    test_fork();
    printf("pool: %u ops with %zu threads on %zu CPUs\n", TINY_OPS, 2 * pi_cpu_count() + 1,
           pi_cpu_count());
    return 0;
}
