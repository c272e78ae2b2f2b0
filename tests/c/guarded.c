/* Guarded buffers; see guarded.h. */
#define _DEFAULT_SOURCE
#include "guarded.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(2);
}

struct guarded guarded_new(size_t bytes, bool at_end) {
    struct guarded g = {.bytes = bytes};
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t inner = (bytes + page - 1) / page * page;
    g.map_bytes = inner + 2 * page;
    g.map = mmap(NULL, g.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED) {
        fail("mmap");
    }
    if (mprotect(g.map + page, inner, PROT_READ | PROT_WRITE) != 0) {
        fail("mprotect");
    }
    g.data = g.map + page + (at_end ? inner - bytes : 0);
    memset(g.data, 0xaa, bytes);
    return g;
}

void guarded_free(struct guarded *buffer) {
    munmap(buffer->map, buffer->map_bytes);
    buffer->data = NULL;
}
