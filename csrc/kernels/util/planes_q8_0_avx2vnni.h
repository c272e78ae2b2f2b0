/* q8_0 blocks as they are: one plane of bytes 0..255; the offset -128 is in the start value. */
#include "pyinfer/kernel_types.h"
#include <immintrin.h>
#include <string.h>

#define GROUP struct pi_group_q8_0
#define PLANES 1
#define BLOCK_START start_q8

typedef struct {
    uint8_t line[PLANES][8][PI_LINE_BYTES]; /* [plane][inputs 4j..4j+3][4 * row + input] */
} block_planes;

PI_INLINE void unpack_block(const GROUP *group, size_t b, block_planes *planes) {
    memcpy(planes->line[0], group->q[b], sizeof planes->line[0]);
}
