/* Floating-point mode of the arithmetic contract: denormals are zero on input (DAZ) and output
 * (FTZ). Set on every worker, and on a caller for the duration of a call. */
#ifndef PYINFER_FPMODE_H
#define PYINFER_FPMODE_H

#include "pyinfer/types.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

#define PI_MXCSR_FTZ_DAZ 0x8040u

PI_INLINE unsigned pi_fpmode_enter(void) {
    const unsigned saved = _mm_getcsr();
    _mm_setcsr(saved | PI_MXCSR_FTZ_DAZ);
    return saved;
}

PI_INLINE void pi_fpmode_leave(unsigned saved) { _mm_setcsr(saved); }

#elif defined(__aarch64__)

#define PI_FPCR_FZ (1u << 24) /* inputs and results of every f32 and f64 operation */

PI_INLINE unsigned pi_fpmode_enter(void) {
    uint64_t saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(saved | PI_FPCR_FZ) : "memory");
    return (unsigned)saved;
}

PI_INLINE void pi_fpmode_leave(unsigned saved) {
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)saved) : "memory");
}

#else
#error "pyinfer needs to flush denormals to zero: how does this architecture do that?"
#endif
#endif
