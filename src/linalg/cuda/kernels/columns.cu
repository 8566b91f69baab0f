// Operations on consecutive columns, which stay on the device between solves.

// Returns the sum of one value per thread of a block. Only the first thread may use the result.
__device__ __forceinline__ double block_sum(double number) {
    __shared__ double shared[THREADS];
    shared[threadIdx.x] = number;
    join_rows(shared, 0, Sum());
    return shared[0];
}

// Computes out <- A^T X for a dense A. Block (i, j) computes the inner product of column i of A with column j
// of X.
extern "C" __global__ void __launch_bounds__(THREADS)
inner_products(const double *matrix, const double *x, double *out, u32 cells) {
    const double *a = matrix + (u64)blockIdx.x * cells, *column = x + (u64)blockIdx.y * cells;
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < cells; i += blockDim.x) sum += a[i] * column[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[(u64)blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

// Computes out <- A^T X for a sparse A. Block (i, j) computes the inner product of column i of A with column
// j of X.
extern "C" __global__ void __launch_bounds__(THREADS)
sparse_inner_products(Compressed columns, const double *x, double *out, u32 cells) {
    const double *column = x + (u64)blockIdx.y * cells;
    double sum = 0.0;
    for (u32 entry = columns.starts[blockIdx.x] + threadIdx.x; entry < columns.starts[blockIdx.x + 1]; entry += blockDim.x)
        sum += columns.values[entry] * column[columns.columns[entry]];
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[(u64)blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

// Computes x <- s x - m for every column (block y), where m is its entry of `means`, or 0 if `means` is null.
extern "C" __global__ void __launch_bounds__(THREADS)
shift_and_scale(double *x, const double *means, double s, u32 cells) {
    double *column = x + (u64)blockIdx.y * cells;
    const double mean = means ? means[blockIdx.y] : 0.0;
    for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < cells; i += gridDim.x * blockDim.x)
        column[i] = s * column[i] - mean;
}
