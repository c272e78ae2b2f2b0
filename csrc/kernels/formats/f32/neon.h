/* f32 panels for the templates of aarch64. */
#include "kernels/formats/f32/layout.h"
#include <arm_neon.h>

/* w[0][quad] of rows 8 * half and on. */
PI_INLINE void load_lanes(const struct pi_group_f32 *group, size_t line, size_t half,
                          float32x4_t (*w)[2]) {
    for (size_t quad = 0; quad < 2; quad++) {
        w[0][quad] = vld1q_f32(group->w[line] + 8 * half + 4 * quad);
    }
}

#define PARAM_GROUP struct pi_group_f32
#define PARAM_LINE_INPUTS 1
#define PARAM_LOAD_LANES load_lanes
