/* The one list of all kernels. Kernels include kernel_types.h, never this file. */
#ifndef PYINFER_KERNELS_H
#define PYINFER_KERNELS_H

#include "pyinfer/kernel_types.h"
#include "pyinfer/levels.h"

struct pi_kernels {
    const struct pi_level *level;
    pi_gemv_fn *gemv[PI_FORMAT_COUNT];
    pi_gemm_fn *gemm[PI_FORMAT_COUNT];
    pi_pack_fn *pack[PI_FORMAT_COUNT];
    pi_unpack_fn *unpack[PI_FORMAT_COUNT];
    pi_quantize_fn *quantize[PI_FILE_FORMAT_COUNT];
    pi_quantize_weighted_fn *quantize_weighted[PI_FILE_FORMAT_COUNT]; /* NULL for floats */
    pi_dequantize_fn *dequantize[PI_FILE_FORMAT_COUNT];
    pi_transcode_fn *transcode[PI_FILE_FORMAT_COUNT]; /* NULL for formats that have panels */
    pi_fit_fn *fit[PI_FORMAT_COUNT];                  /* NULL for formats without a search */
    pi_embed_fn *embed[PI_FORMAT_COUNT];
    pi_act_a8_fn *act_a8;
    pi_rmsnorm_fn *rmsnorm;
    pi_rope_fn *rope;
    pi_swiglu_fn *swiglu;
    pi_attn_fn *attn_kv[PI_KV_FORMAT_COUNT];
    pi_attn_merge_fn *attn_merge;
    pi_kv_append_fn *kv_append[PI_KV_FORMAT_COUNT];
    pi_head_stats_fn *head_stats;
    pi_head_select_fn *head_select;
    pi_read_fn *limit_read;
    pi_peak_fn *limit_dot; /* 8-bit integer dot products */
    pi_peak_fn *limit_fma; /* f32 fused multiply-add */
};

/* Fills the table for a level. PI_ERR_UNSUPPORTED if the CPU or the build lacks it. */
enum pi_status pi_kernels_init(struct pi_kernels *kernels, const struct pi_level *level);

/* Every entry in plain C: what the fills of other levels begin with. */
void pi_kernels_fill_scalar(struct pi_kernels *kernels);

#endif
