/* Checksums of packed bytes, split over pieces of fixed size.
 *
 * Eight lanes of 64 bits take the words of a piece in turn: lane = rotl(lane ^ word, 29) * odd. Each
 * step is a bijection of the lane for a given word, and of the word for a given lane, so a change of
 * one word always changes the result; the rotation spreads high bits, the product low ones. One
 * multiplication per 8 bytes on eight independent chains keeps up with memory. */
#include "pyinfer/ops.h"
#include <string.h>

#define LANES 8
#define FACTOR 0x9e3779b97f4a7c15u /* 2^64 / golden ratio, odd */

PI_INLINE uint64_t mixed(uint64_t lane, uint64_t word) {
    const uint64_t x = lane ^ word;
    return ((x << 29) | (x >> 35)) * FACTOR;
}

static uint64_t piece_sum(const uint8_t *data, size_t bytes) {
    uint64_t lane[LANES];
    for (size_t i = 0; i < LANES; i++) {
        lane[i] = FACTOR * (i + 1);
    }
    size_t done = 0;
    for (; done + sizeof lane <= bytes; done += sizeof lane) {
        uint64_t word[LANES];
        memcpy(word, data + done, sizeof word);
        for (size_t i = 0; i < LANES; i++) {
            lane[i] = mixed(lane[i], word[i]);
        }
    }
    uint64_t sum = bytes;
    for (size_t i = 0; i < LANES; i++) {
        sum = mixed(sum, lane[i]);
    }
    for (; done < bytes; done++) {
        sum = mixed(sum, data[done]);
    }
    return sum ^ (sum >> 32);
}

struct checksum_context {
    const uint8_t *data;
    size_t bytes;
    uint64_t *sums;
};

static void checksum_worker(void *context, struct pi_worker *worker) {
    const struct checksum_context *c = context;
    const struct pi_split split = {pi_ceil_div(c->bytes, PI_CHECKSUM_BYTES), 1, 4};
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        for (size_t i = chunk.first[0]; i < chunk.first[0] + chunk.count[0]; i++) {
            const size_t begin = i * PI_CHECKSUM_BYTES;
            c->sums[i] =
                piece_sum(c->data + begin, pi_min_size(PI_CHECKSUM_BYTES, c->bytes - begin));
        }
    }
}

enum pi_status pi_checksums(struct pi_runtime *rt, const uint8_t *data, size_t bytes,
                            uint64_t *sums) {
    struct checksum_context context = {data, bytes, sums};
    return pi_pool_run(rt, checksum_worker, &context, 0, NULL);
}
