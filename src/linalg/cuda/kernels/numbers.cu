// Definitions for all kernels. Vectors are interleaved as on the CPU: every cell has `1 << shift` consecutive
// values, one for every column (lane). Thread x of a block works on lane x & (lanes - 1) and row x >> shift,
// so that neighbouring threads access neighbouring values.
//
// The kernels perform the operations of their counterparts on the CPU in the same order, and are compiled
// without contraction. All results except sums over cells are therefore bitwise identical to those on the
// CPU.

typedef unsigned int u32;
typedef unsigned long long u64;

// Number of threads per block in kernels that sum over cells.
#define THREADS 256

// Scalars of the columns. Each scalar has STRIDE values, one per lane.
#define STRIDE 64
enum Scalar { ACTIVE, FRESH, BLIND, RHO, LAST, ALPHA, OMEGA, BETA, SIZE, SHADOW_SIZE, SCALE, GAUGE, FACTOR, FIRST_SUM, SECOND_SUM };

// Stencil matrix on a grid, or its transpose, as in the structure `Rows` on the CPU, with the reciprocals of
// the diagonal for sweeps.
template <class T> struct Rows {
    const T *centre;
    const T *lower[3];
    const T *upper[3];
    const T *inverse;
    u32 n[3];
    u32 cells;
};

// Index of a cell, and its indices along the axes.
struct Cell {
    u32 at;
    u32 i[3];
};

template <class T> __device__ __forceinline__ Cell cell_at(const Rows<T> &a, u32 at) {
    const u32 line = at / a.n[2];
    Cell cell = {at, {line / a.n[1], line % a.n[1], at % a.n[2]}};
    return cell;
}

__device__ __forceinline__ u64 place(u32 cell, u32 lane, u32 shift) { return ((u64)cell << shift) + lane; }

// Products of a coefficient and an entry of a vector, or of their absolute values.
__device__ __forceinline__ double times(double c, double x) { return c * x; }
__device__ __forceinline__ float times(float c, float x) { return c * x; }
__device__ __forceinline__ double times(double c, float x) { return c * (double)x; }
__device__ __forceinline__ double modulus(double c, double x) { return fabs(c) * fabs(x); }

// Returns the power of two 2^-e for a size in
// [2^e, 2^(e+1)). Subtracting the biased exponent from 2046 = 2 * 1023 negates the exponent. The result is
// clamped to normal numbers.
__device__ __forceinline__ double scale_of(double size) {
    const long long exponent = (__double_as_longlong(size) >> 52) & 0x7ff;
    long long inverse = 0x7fe - exponent;
    inverse = inverse < 1 ? 1 : (inverse > 0x7fd ? 0x7fd : inverse);
    return __longlong_as_double(inverse << 52);
}

// Reductions over cells: the sum, and the maximum, which is NaN if one of the values is NaN.
struct Sum {
    __device__ __forceinline__ double operator()(double a, double b) const { return a + b; }
};
struct Largest {
    __device__ __forceinline__ double operator()(double a, double b) const { return b <= a || a != a ? a : b; }
};

// Reduces the rows of a block for every lane, with a binary tree. The order depends only on the size of the
// block.
template <class Join> __device__ __forceinline__ void join_rows(double *shared, u32 shift, Join join) {
    for (u32 rows = (blockDim.x >> shift) / 2; rows > 0; rows /= 2) {
        __syncthreads();
        if (threadIdx.x < (rows << shift))
            shared[threadIdx.x] = join(shared[threadIdx.x], shared[threadIdx.x + (rows << shift)]);
    }
    __syncthreads();
}

// Reduces one value per thread, and stores the result of this block among the partial results of quantity
// `which`.
template <class Join>
__device__ __forceinline__ void leave(double number, u32 which, double *partial, u32 shift, Join join) {
    __shared__ double shared[THREADS];
    __syncthreads();
    shared[threadIdx.x] = number;
    join_rows(shared, shift, join);
    if (threadIdx.x >> shift == 0) partial[(((u64)which * gridDim.x + blockIdx.x) << shift) + threadIdx.x] = shared[threadIdx.x];
}

__device__ __forceinline__ void leave_sum(double number, u32 which, double *partial, u32 shift) {
    leave(number, which, partial, shift, Sum());
}

template <class Join>
__device__ __forceinline__ void collect_parts(const double *partial, double *out, const double *factor, u32 blocks, u32 shift, Join join) {
    __shared__ double shared[THREADS];
    const u32 lane = threadIdx.x & ((1u << shift) - 1), row = threadIdx.x >> shift, rows = blockDim.x >> shift;
    double gathered = 0.0;
    for (u32 block = row; block < blocks; block += rows)
        gathered = join(gathered, partial[(((u64)blockIdx.x * blocks + block) << shift) + lane]);
    shared[threadIdx.x] = gathered;
    join_rows(shared, shift, join);
    if (row == 0) out[blockIdx.x * STRIDE + lane] = factor ? *factor * shared[threadIdx.x] : shared[threadIdx.x];
}

// Adds the partial sums of `blocks` blocks in a fixed order, and multiplies the result by *factor unless that
// pointer is null. One block handles one quantity.
extern "C" __global__ void collect(const double *partial, double *out, const double *factor, u32 blocks, u32 shift) {
    collect_parts(partial, out, factor, blocks, shift, Sum());
}

// Takes the maximum of the partial results of `blocks` blocks, and multiplies it by *factor unless that
// pointer is null. One block handles one quantity.
extern "C" __global__ void
collect_largest(const double *partial, double *out, const double *factor, u32 blocks, u32 shift) {
    collect_parts(partial, out, factor, blocks, shift, Largest());
}
