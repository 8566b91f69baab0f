// Matrices in compressed row storage (CSR), and the triangular solves of DILU over fronts of independent rows.

struct Compressed {
    const u32 *starts;
    const u32 *columns;
    const double *values;
    u32 rows;
    u32 padding;
};

__device__ __forceinline__ double sparse_row(const Compressed &a, u32 row, const double *x, u32 lane, u32 shift) {
    double sum = 0.0;
    for (u32 entry = a.starts[row]; entry < a.starts[row + 1]; entry++)
        sum += a.values[entry] * x[place(a.columns[entry], lane, shift)];
    return sum;
}

// Computes out <- A x, divided by s if `scaled`, and partial sums of <with, out> and |out|^2.
extern "C" __global__ void __launch_bounds__(THREADS, 8)
sparse_image(Compressed a, const double *x, double *out, const double *with, const double *__restrict__ scalars,
             double *partial, u32 scaled, u32 shift) {
    double along = 0.0, square = 0.0;
    EACH_CELL(a.rows) {
        double value = sparse_row(a, at, x, lane, shift);
        if (scaled) value *= 1.0 / scalars[SCALE * STRIDE + lane];
        const u64 here = place(at, lane, shift);
        out[here] = value;
        along += with[here] * value;
        square += value * value;
    }
    leave_sum(along, 0, partial, shift);
    leave_sum(square, 1, partial, shift);
}

// Computes out <- b - A x, and partial sums of |out|^2.
extern "C" __global__ void __launch_bounds__(THREADS, 8)
sparse_residual(Compressed a, const double *x, double *out, const double *b, double *partial, u32 shift) {
    double square = 0.0;
    EACH_CELL(a.rows) {
        const u64 here = place(at, lane, shift);
        const double value = b[here] - sparse_row(a, at, x, lane, shift);
        out[here] = value;
        square += value * value;
    }
    leave_sum(square, 0, partial, shift);
}

// Computes partial sums of the squared entries of |A||x|.
extern "C" __global__ void __launch_bounds__(THREADS, 8)
sparse_magnitude(Compressed a, const double *x, double *partial, u32 shift) {
    double square = 0.0;
    EACH_CELL(a.rows) {
        double sum = 0.0;
        for (u32 entry = a.starts[at]; entry < a.starts[at + 1]; entry++)
            sum += fabs(a.values[entry]) * fabs(x[place(a.columns[entry], lane, shift)]);
        square += sum * sum;
    }
    leave_sum(square, 0, partial, shift);
}

// Performs forward substitution x_i <- (b_i - sum over j < i of a_ij x_j)/d_i for the rows of a front.
extern "C" __global__ void __launch_bounds__(THREADS, 8)
sparse_forward(Compressed a, const double *inverse, const u32 *order, u32 count, const double *b, double *x, u32 shift) {
    EACH_CELL(count) {
        const u32 row = order[at];
        double sum = b[place(row, lane, shift)];
        for (u32 entry = a.starts[row]; entry < a.starts[row + 1] && a.columns[entry] < row; entry++)
            sum -= a.values[entry] * x[place(a.columns[entry], lane, shift)];
        x[place(row, lane, shift)] = sum * inverse[row];
    }
}

// Performs backward substitution x_i <- x_i - (sum over j > i of a_ij x_j)/d_i for the rows of a front.
extern "C" __global__ void __launch_bounds__(THREADS, 8)
sparse_backward(Compressed a, const double *inverse, const u32 *order, u32 count, double *x, u32 shift) {
    EACH_CELL(count) {
        const u32 row = order[at];
        double sum = 0.0;
        for (u32 entry = a.starts[row + 1]; entry-- > a.starts[row] && a.columns[entry] > row;)
            sum += a.values[entry] * x[place(a.columns[entry], lane, shift)];
        const u64 here = place(row, lane, shift);
        x[here] = x[here] - sum * inverse[row];
    }
}
