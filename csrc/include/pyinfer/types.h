/* Base types of the C core: status codes, formats, compiler attributes. */
#ifndef PYINFER_TYPES_H
#define PYINFER_TYPES_H

#include "pyinfer/formats.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pi_status {
    PI_OK = 0,
    PI_ERR_NOMEM,
    PI_ERR_UNSUPPORTED, /* the CPU or the build lacks what was asked for */
    PI_ERR_ARG,
    PI_ERR_CANCELLED,
    PI_ERR_NUMERIC, /* NaN or Inf where a number was expected */
    PI_ERR_FORKED,  /* the thread pool does not survive fork() */
    PI_ERR_IO,      /* a file cannot be read */
};

/* Formats of the key-value cache, index into the kernel arrays. */
enum pi_kv_format { PI_KV_F16 = 0, PI_KV_F32, PI_KV_Q8_0, PI_KV_FORMAT_COUNT };

#define PI_PANEL_ROWS 16    /* output rows of a packed panel */
#define PI_GROUP_INPUTS 128 /* inputs of a packed group */
#define PI_BLOCK_INPUTS 32  /* inputs that share one activation scale */
#define PI_SUPER_INPUTS 256 /* inputs of a super-block of the K formats: two groups */
#define PI_TILE_TOKENS 8    /* tokens of an activation tile */
#define PI_KV_BLOCK_TOKENS 64
#define PI_KV_TILE_TOKENS 16
#define PI_KV_SEGMENT_TOKENS 512 /* fixed borders of attention partials */
#define PI_HEAD_CHUNK_ROWS 1024  /* rows of one (max, sum) of the head */
#define PI_MAX_STREAMS 4
#define PI_LINE_BYTES 64

#define PI_ALIGNED(n) __attribute__((aligned(n)))
#define PI_INLINE static inline __attribute__((always_inline))
#define PI_PREFETCH(address) __builtin_prefetch(address)
/* Into L2 and beyond; never faults. */
#define PI_PREFETCH_L2(address) __builtin_prefetch((address), 0, 2)
#define PI_UNUSED __attribute__((unused))
/* The compiler forgets where a pointer came from: what was loaded through it is loaded again. */
#define PI_HIDE(pointer) __asm__ volatile("" : "+r"(pointer))
#define PI_JOIN_EXPANDED(a, b) a##b
#define PI_JOIN(a, b) PI_JOIN_EXPANDED(a, b)
#define PI_PRAGMA(text) _Pragma(#text)
#define PI_UNROLL(n) PI_PRAGMA(GCC unroll n)

PI_INLINE size_t pi_ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }
PI_INLINE size_t pi_round_up(size_t a, size_t b) { return pi_ceil_div(a, b) * b; }
PI_INLINE size_t pi_min_size(size_t a, size_t b) { return a < b ? a : b; }

#endif
