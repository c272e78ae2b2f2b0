# Weights from open files into panels on all threads; checksums. Documented in weight_files.pyi.
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from pyinfer._kernels cimport c_api as c
from pyinfer._kernels cimport c_runtime as r
from pyinfer._kernels.runtime cimport Runtime
from pyinfer._kernels.status cimport check_status
from pyinfer._kernels.tensor cimport PackedTensor, format_of

import numpy as np

from pyinfer._kernels.tensor import row_bytes

CHECKSUM_BYTES = r.PI_CHECKSUM_BYTES


cdef class FileJobs:
    cdef r.pi_file_job *jobs
    cdef size_t count
    cdef size_t capacity
    cdef list targets

    def __cinit__(self):
        self.targets = []

    def __dealloc__(self):
        free(self.jobs)

    def __len__(self):
        return self.count

    def add_rows(self, PackedTensor tensor, size_t first_row, size_t n_rows, int fd,
                 uint64_t offset, str source_format):
        cdef r.pi_pack_job pack
        memset(&pack, 0, sizeof(pack))
        row_bytes(tensor.format, tensor.cols)
        pack.row_bytes = row_bytes(source_format, tensor.cols)
        pack.panels = tensor.place(first_row, n_rows)
        pack.to = tensor.weight.format
        pack.from_ = format_of(source_format)
        pack.n_rows = n_rows
        pack.n_cols = tensor.cols
        cdef r.pi_file_job *job = self.grow(tensor)
        job.fd, job.offset, job.pack = fd, offset, pack

    def add_vector(self, float[::1] out, int fd, uint64_t offset, str source_format):
        cdef c.pi_format source = format_of(source_format)
        if c.pi_qtype_of(source).quantized or out.shape[0] == 0:
            raise ValueError(f"a vector is f32, f16 or bf16 and not empty, not {source_format}")
        cdef r.pi_file_job *job = self.grow(out)
        job.fd, job.offset, job.values = fd, offset, &out[0]
        job.pack.from_ = source
        job.pack.to = c.PI_FORMAT_F32
        job.pack.n_rows = 1
        job.pack.n_cols = out.shape[0]
        job.pack.row_bytes = row_bytes(source_format, job.pack.n_cols)

    cdef r.pi_file_job *grow(self, object target) except NULL:
        cdef r.pi_file_job *jobs
        if self.count == self.capacity:
            jobs = <r.pi_file_job *>realloc(self.jobs, (2 * self.capacity + 16) * sizeof(jobs[0]))
            if jobs is NULL:
                raise MemoryError
            self.jobs = jobs
            self.capacity = 2 * self.capacity + 16
        self.targets.append(target)  # keeps the memory alive until the jobs ran
        self.count += 1
        memset(&self.jobs[self.count - 1], 0, sizeof(self.jobs[0]))
        return &self.jobs[self.count - 1]

    def run(self, Runtime runtime):
        cdef r.pi_file_failure failure
        cdef c.pi_status status
        runtime.enter()
        with nogil:
            status = r.pi_pack_files(runtime.handle, self.jobs, self.count, &failure)
        runtime.leave()
        self.count = 0
        self.targets = []
        if status == c.PI_ERR_IO:
            return failure.job, failure.offset, failure.error
        check_status(status, "packing weights")
        return None


def checksums(Runtime runtime, const unsigned char[::1] data):
    if data.shape[0] == 0:
        raise ValueError("there is nothing to sum up")
    cdef uint64_t[::1] sums = np.empty(-(-data.shape[0] // CHECKSUM_BYTES), np.uint64)
    cdef c.pi_status status
    runtime.enter()
    with nogil:
        status = r.pi_checksums(runtime.handle, &data[0], data.shape[0], &sums[0])
    runtime.leave()
    check_status(status, "checksums of the weights")
    return np.asarray(sums)
