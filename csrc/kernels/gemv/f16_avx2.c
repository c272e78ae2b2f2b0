/* f16 GEMV on 256-bit registers; see float_avx2.inc.h and util/panel_lines_f16_avx2.h. */
#include "kernels/util/panel_lines_f16_avx2.h"

#define NAME pi_gemv_f16_avx2
#include "kernels/gemv/float_avx2.inc.h"
