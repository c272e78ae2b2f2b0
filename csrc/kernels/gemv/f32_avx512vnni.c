/* f32 GEMV, AVX-512. */
#include "kernels/util/line_f32_avx512vnni.h"

#define NAME pi_gemv_f32_avx512vnni
#include "kernels/gemv/float_avx512vnni.inc.h"
