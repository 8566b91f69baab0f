// Products with a stencil matrix.

// Adds the couplings in the row of a cell times x to `sum`: the lower and upper neighbours along the three
// axes, in the order of the CPU kernels. `sum` must hold the term of the cell itself.
#define ADD_NEIGHBOURS(TERM)                                                                                   \
    u32 stride = a.n[1] * a.n[2];                                                                              \
    for (u32 axis = 0; axis < 3; axis++) {                                                                     \
        if (cell.i[axis] > 0)                                                                                  \
            sum = sum + TERM(a.lower[axis][cell.at - stride], x[place(cell.at - stride, lane, shift)]);        \
        if (cell.i[axis] + 1 < a.n[axis])                                                                      \
            sum = sum + TERM(a.upper[axis][cell.at], x[place(cell.at + stride, lane, shift)]);                 \
        stride = axis == 0 ? a.n[2] : 1;                                                                       \
    }

template <class T, class S>
__device__ __forceinline__ T row_times(const Rows<T> &a, Cell cell, const S *x, u32 lane, u32 shift) {
    T sum = (T)0 + times(a.centre[cell.at], x[place(cell.at, lane, shift)]);
    ADD_NEIGHBOURS(times)
    return sum;
}

__device__ __forceinline__ double row_modulus(const Rows<double> &a, Cell cell, const double *x, u32 lane, u32 shift) {
    double sum = 0.0 + modulus(a.centre[cell.at], x[place(cell.at, lane, shift)]);
    ADD_NEIGHBOURS(modulus)
    return sum;
}

// Loop over the cells of this thread. The stride is the number of rows that all blocks process at the same
// time.
#define EACH_CELL(cells)                                                                                       \
    const u32 lane = threadIdx.x & ((1u << shift) - 1), rows = blockDim.x >> shift;                            \
    for (u32 at = blockIdx.x * rows + (threadIdx.x >> shift); at < (cells); at += gridDim.x * rows)

// Advances a cell by `stride`, the cell whose index is the increment. Indices along the axes are carried
// over, which saves the divisions of cell_at.
template <class T> __device__ __forceinline__ void forward(const Rows<T> &a, Cell &cell, const Cell &stride) {
    cell.at += stride.at;
    cell.i[2] += stride.i[2];
    const bool line = cell.i[2] >= a.n[2];
    if (line) cell.i[2] -= a.n[2];
    cell.i[1] += stride.i[1] + line;
    const bool plane = cell.i[1] >= a.n[1];
    if (plane) cell.i[1] -= a.n[1];
    cell.i[0] += stride.i[0] + plane;
}

// Loop over the cells of this thread with their indices, which are computed by division once, and then
// advanced.
#define EACH_CELL_OF(a)                                                                                        \
    const u32 lane = threadIdx.x & ((1u << shift) - 1), rows = blockDim.x >> shift;                            \
    const Cell stride = cell_at(a, gridDim.x * rows);                                                          \
    for (Cell cell = cell_at(a, blockIdx.x * rows + (threadIdx.x >> shift)); cell.at < a.cells; forward(a, cell, stride))

// Computes out <- A x + c sum(x), divided by s if `scaled`, and partial sums of <with, out> and |out|^2. If
// `gauged`, the scalar GAUGE must hold c sum(x); otherwise this term is left out.
template <class S>
__device__ void image(const Rows<double> &a, const S *x, double *out, const double *with, const double *__restrict__ scalars,
                      double *partial, u32 gauged, u32 scaled, u32 shift) {
    double along = 0.0, square = 0.0;
    EACH_CELL_OF(a) {
        double value = row_times(a, cell, x, lane, shift);
        if (gauged) value += scalars[GAUGE * STRIDE + lane];
        if (scaled) value *= 1.0 / scalars[SCALE * STRIDE + lane];
        const u64 here = place(cell.at, lane, shift);
        out[here] = value;
        along += with[here] * value;
        square += value * value;
    }
    leave_sum(along, 0, partial, shift);
    leave_sum(square, 1, partial, shift);
}

extern "C" __global__ void __launch_bounds__(THREADS, 8)
image_f(Rows<double> a, const float *x, double *out, const double *with, const double *__restrict__ scalars, double *partial,
        u32 gauged, u32 scaled, u32 shift) {
    image(a, x, out, with, scalars, partial, gauged, scaled, shift);
}

extern "C" __global__ void __launch_bounds__(THREADS, 8)
image_d(Rows<double> a, const double *x, double *out, const double *with, const double *__restrict__ scalars, double *partial,
        u32 gauged, u32 scaled, u32 shift) {
    image(a, x, out, with, scalars, partial, gauged, scaled, shift);
}

// Computes out <- b - A x, with the gauge term if `gauged`, and partial sums of |out|^2.
extern "C" __global__ void __launch_bounds__(THREADS, 8)
residual(Rows<double> a, const double *x, double *out, const double *b, const double *__restrict__ scalars, double *partial,
         u32 gauged, u32 shift) {
    double square = 0.0;
    EACH_CELL_OF(a) {
        double value = row_times(a, cell, x, lane, shift);
        if (gauged) value += scalars[GAUGE * STRIDE + lane];
        const u64 here = place(cell.at, lane, shift);
        value = b[here] - value;
        out[here] = value;
        square += value * value;
    }
    leave_sum(square, 0, partial, shift);
}

// Computes partial sums of the squared entries of |A||x|, with the gauge term if `gauged`.
extern "C" __global__ void __launch_bounds__(THREADS, 8)
magnitude(Rows<double> a, const double *x, const double *__restrict__ scalars, double *partial, u32 gauged, u32 shift) {
    double square = 0.0;
    EACH_CELL_OF(a) {
        double value = row_modulus(a, cell, x, lane, shift);
        if (gauged) value += scalars[GAUGE * STRIDE + lane];
        square += value * value;
    }
    leave_sum(square, 0, partial, shift);
}

// Computes partial sums of x, or of the moduli of its entries.
template <class S> __device__ void total(const S *x, double *partial, u32 cells, u32 moduli, u32 shift) {
    double sum = 0.0;
    EACH_CELL(cells) {
        const double value = (double)x[place(at, lane, shift)];
        sum += moduli ? fabs(value) : value;
    }
    leave_sum(sum, 0, partial, shift);
}

extern "C" __global__ void __launch_bounds__(THREADS, 8)
total_f(const float *x, double *partial, u32 cells, u32 moduli, u32 shift) {
    total(x, partial, cells, moduli, shift);
}

extern "C" __global__ void __launch_bounds__(THREADS, 8)
total_d(const double *x, double *partial, u32 cells, u32 moduli, u32 shift) {
    total(x, partial, cells, moduli, shift);
}
