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

#else

PI_INLINE unsigned pi_fpmode_enter(void) { return 0; }
PI_INLINE void pi_fpmode_leave(unsigned saved) { (void)saved; }

#endif
#endif
