/* Queries in parts: those that see the same tokens of a tile, at most MAX_PART (defined before) together. */
static inline void pi_clear_parts(const struct pi_attn_args *a) {
    for (size_t i = 0; i < a->n_queries; i++) {
        a->m[i] = -INFINITY;
        memset(a->l + i * PI_KV_TILE_TOKENS, 0, PI_KV_TILE_TOKENS * sizeof *a->l);
        memset(a->o + i * a->v_stride, 0, a->v_stride * sizeof *a->o);
    }
}

/* Tokens from k on that a query sees. */
static inline size_t pi_visible_from(const struct pi_attn_args *a, size_t query, size_t k) {
    const size_t last = pi_min_size((size_t)a->limit[query], a->last);
    return last > k ? pi_min_size(last - k, PI_KV_TILE_TOKENS) : 0;
}

#if MAX_PART == 6
#define WIDE_PARTS(add, a, first, tile)                                                            \
    case 6: add(a, first, 6, &(tile)); break;                                                      \
    case 5: add(a, first, 5, &(tile)); break;
#else
#define WIDE_PARTS(add, a, first, tile)
#endif

/* Calls add(a, first, n, &tile) with constant n for the queries from `query` on that see something of
 * the tile at token k; sets tile.n_visible. Limits ascend: what saw nothing is skipped for good. Parts
 * are of equal length: 7 queries go as 4 + 3, not as 6 + 1. */
#define EACH_PART(a, query, k, tile, add)                                                          \
    do {                                                                                           \
        while ((query) < (a)->n_queries && pi_visible_from(a, query, k) == 0) {                    \
            (query)++;                                                                             \
        }                                                                                          \
        for (size_t first = (query); first < (a)->n_queries;) {                                    \
            (tile).n_visible = pi_visible_from(a, first, k);                                       \
            size_t last = first + 1;                                                               \
            while (last < (a)->n_queries && pi_visible_from(a, last, k) == (tile).n_visible) {     \
                last++;                                                                            \
            }                                                                                      \
            while (first < last) {                                                                 \
                const size_t n = pi_ceil_div(last - first, pi_ceil_div(last - first, MAX_PART));   \
                switch (n) {                                                                       \
                    WIDE_PARTS(add, a, first, tile)                                                \
                case 4: add(a, first, 4, &(tile)); break;                                          \
                case 3: add(a, first, 3, &(tile)); break;                                          \
                case 2: add(a, first, 2, &(tile)); break;                                          \
                default: add(a, first, 1, &(tile)); break;                                         \
                }                                                                                  \
                first += n;                                                                        \
            }                                                                                      \
        }                                                                                          \
    } while (0)
