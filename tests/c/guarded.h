/* Buffers with inaccessible pages on both sides: a read or write over either end faults. A buffer
 * touches the page behind it (at_end) or the page in front of it. */
#ifndef PYINFER_TESTS_GUARDED_H
#define PYINFER_TESTS_GUARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guarded {
    void *data;
    size_t bytes;
    uint8_t *map;
    size_t map_bytes;
};

/* Filled with 0xaa, so that a missing write shows. Ends the program if memory is short. */
struct guarded guarded_new(size_t bytes, bool at_end);
void guarded_free(struct guarded *buffer);

#endif
