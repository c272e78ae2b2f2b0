/* Part of templates: the exported GEMV over PARAM_RUN(args, n_streams, n_tokens), an inlined body with
 * both counts constant. */
#ifndef PARAM_KERNEL
#error "gemv/variants.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_RUN
#error "gemv/variants.inc.h needs PARAM_RUN"
#endif

#define EACH_TOKEN_COUNT(n_streams)                                                                \
    switch (a->n_tokens) {                                                                         \
    case 1: PARAM_RUN(a, n_streams, 1); break;                                                     \
    case 2: PARAM_RUN(a, n_streams, 2); break;                                                     \
    case 3: PARAM_RUN(a, n_streams, 3); break;                                                     \
    case 4: PARAM_RUN(a, n_streams, 4); break;                                                     \
    case 5: PARAM_RUN(a, n_streams, 5); break;                                                     \
    case 6: PARAM_RUN(a, n_streams, 6); break;                                                     \
    case 7: PARAM_RUN(a, n_streams, 7); break;                                                     \
    default: PARAM_RUN(a, n_streams, 8); break;                                                    \
    }

static void run_1(const struct pi_gemv_args *a) { EACH_TOKEN_COUNT(1) }
static void run_2(const struct pi_gemv_args *a) { EACH_TOKEN_COUNT(2) }

/* Four streams of up to four tokens fit the registers; more run as two pairs. */
static void run_4(const struct pi_gemv_args *a) {
    switch (a->n_tokens) {
    case 1: PARAM_RUN(a, 4, 1); return;
    case 2: PARAM_RUN(a, 4, 2); return;
    case 3: PARAM_RUN(a, 4, 3); return;
    case 4: PARAM_RUN(a, 4, 4); return;
    default: break;
    }
    struct pi_gemv_args half = *a;
    run_2(&half);
    for (size_t s = 0; s < 2; s++) {
        half.w[s] = a->w[s + 2];
        half.out[s] = a->out[s + 2];
    }
    run_2(&half);
}

void PARAM_KERNEL(const struct pi_gemv_args *a) {
    switch (a->n_streams) {
    case 1: run_1(a); break;
    case 2: run_2(a); break;
    default: run_4(a); break;
    }
}

#undef EACH_TOKEN_COUNT
