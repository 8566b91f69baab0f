// Components of a multigrid V-cycle on a box of cells.

// Loop over the children of a coarse cell that lie inside the finer grid, in the order of their indices.
#define EACH_CHILD(a, corner)                                                                                  \
    for (u32 child = 0; child < 8; child++)                                                                    \
        if (Cell cell = child_of(a, corner, child); cell.at != OUTSIDE)

#define OUTSIDE 0xffffffffu

// Indices of the first child of a coarse cell.
struct Corner {
    u32 i[3];
};

template <class T> __device__ __forceinline__ Corner corner_of(const Rows<T> &a, u32 parent) {
    const u32 m1 = (a.n[1] + 1) / 2, m2 = (a.n[2] + 1) / 2, line = parent / m2;
    Corner corner = {{2 * (line / m1), 2 * (line % m1), 2 * (parent % m2)}};
    return corner;
}

template <class T> __device__ __forceinline__ Cell child_of(const Rows<T> &a, Corner corner, u32 child) {
    Cell cell = {OUTSIDE, {corner.i[0] + (child >> 2), corner.i[1] + (child >> 1 & 1), corner.i[2] + (child & 1)}};
    if (cell.i[0] < a.n[0] && cell.i[1] < a.n[1] && cell.i[2] < a.n[2])
        cell.at = (cell.i[0] * a.n[1] + cell.i[1]) * a.n[2] + cell.i[2];
    return cell;
}

// Returns the share of the coupling of a cell and the next one, in different aggregates, that couples the
// aggregates: that of resistors in series, but at least `least`.
__device__ __forceinline__ double share(const double *up, u32 at, u32 stride, bool last, double least) {
    const double half = 0.5 * up[at], before = half / up[at - stride], after = last ? 0.0 : half / up[at + stride];
    return fmin(fmax(1.0 / (1.0 + before + after), least), 1.0);
}

// Computes the stencil of aggregates of 2x2x2 cells: the Galerkin stencil P^T A P for the piecewise constant
// prolongation P, with reduced couplings. Its entry for two aggregates is the sum of a_ij over their cells i
// and j: couplings inside an aggregate add to its centre, and couplings to the next aggregate add to the
// coarse coupling, except for a part that both centres gain. The casts remove the `const` of the arrays of
// `coarse`, which only this kernel writes.
extern "C" __global__ void __launch_bounds__(THREADS) coarsen(Rows<double> a, Rows<double> coarse, double least) {
    const u32 parent = blockIdx.x * blockDim.x + threadIdx.x;
    if (parent >= coarse.cells) return;
    const Corner corner = corner_of(a, parent);
    double centre = 0.0;
    EACH_CHILD(a, corner) centre += a.centre[cell.at];
    u32 strides[3] = {a.n[1] * a.n[2], a.n[2], 1};
    for (u32 axis = 0; axis < 3; axis++) {
        const u32 n = a.n[axis], stride = strides[axis];
        if (n < 2) continue;
        const double *up = a.lower[axis], *down = a.upper[axis];
        double lower = 0.0, upper = 0.0;
        EACH_CHILD(a, corner) {
            const u32 at = cell.at, index = cell.i[axis];
            const bool even = index % 2 == 0, last = index + 1 == n;
            if (even && index > 0) centre += (1.0 - share(up, at - stride, stride, last, least)) * up[at - stride];
            if (even && !last) centre += up[at] + down[at];
            if (!even && !last) {
                const double kept = share(up, at, stride, index + 2 == n, least);
                centre += (1.0 - kept) * down[at];
                lower += kept * up[at];
                upper += kept * down[at];
            }
        }
        if (coarse.n[axis] < 2) continue;
        const_cast<double *>(coarse.lower[axis])[parent] = lower;
        const_cast<double *>(coarse.upper[axis])[parent] = upper;
    }
    const_cast<double *>(coarse.centre)[parent] = centre;
}

// Computes out <- unit a, in the precision of the cycles.
template <class T> __device__ void in_units(const double *a, T *out, double unit, u32 count) {
    const u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) out[at] = (T)(unit * a[at]);
}

// Computes out <- 1/(unit d) for a diagonal d, or 0 where d is zero, subnormal or not finite.
template <class T> __device__ void reciprocals(const double *diagonal, T *out, double unit, u32 count) {
    const u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    const double d = diagonal[at];
    const bool normal = fabs(d) >= 2.2250738585072014e-308 && fabs(d) <= 1.7976931348623157e308;
    out[at] = (T)(1.0 / unit * (normal ? 1.0 / d : 0.0));
}

// Hyperplane t0 + t1 + t2 = plane, with indices t that are counted from the starting corner of a sweep. The
// neighbours of a cell lie in the two adjacent hyperplanes, so that the cells of one hyperplane are
// independent.
struct Plane {
    u32 plane;
    // Smallest t0 of a cell in the hyperplane.
    u32 first;
    // Bit d is set if axis d is swept from its upper end.
    u32 corner;
};

// Finds the cell with the given t0 and the `number`-th admissible t1, counted from 0. Returns whether it
// exists. t2 = plane - t0 - t1 is at most n2 - 1, which bounds t1 from below.
template <class T>
__device__ __forceinline__ bool cell_of(const Rows<T> &a, Plane p, u32 t0, u32 number, Cell &cell) {
    const u32 rest = p.plane - t0, last = a.n[2] - 1, t1 = (rest > last ? rest - last : 0) + number;
    if (t1 > rest || t1 >= a.n[1]) return false;
    const u32 t[3] = {t0, t1, rest - t1};
    for (u32 axis = 0; axis < 3; axis++) cell.i[axis] = p.corner >> axis & 1 ? a.n[axis] - 1 - t[axis] : t[axis];
    cell.at = (cell.i[0] * a.n[1] + cell.i[1]) * a.n[2] + cell.i[2];
    return true;
}

template <class T>
__device__ __forceinline__ void subtract(T &sum, const T *c, u32 coupling, const T *x, u32 neighbour, u32 lane, u32 shift) {
    sum = sum - c[coupling] * x[place(neighbour, lane, shift)];
}

// Performs the Gauss-Seidel update x_i <- (b_i - sum over j != i of a_ij x_j)/a_ii.
template <class T>
__device__ __forceinline__ void relax_cell(const Rows<T> &a, const T *b, T *x, Cell cell, u32 corner, u32 lane, u32 shift) {
    const u32 at = cell.at;
    T sum = b[place(at, lane, shift)];
    u32 stride = a.n[1] * a.n[2];
    for (u32 axis = 0; axis < 2; axis++) {
        if (cell.i[axis] > 0) subtract(sum, a.lower[axis], at - stride, x, at - stride, lane, shift);
        if (cell.i[axis] + 1 < a.n[axis]) subtract(sum, a.upper[axis], at, x, at + stride, lane, shift);
        stride = a.n[2];
    }
    const bool below = cell.i[2] > 0, above = cell.i[2] + 1 < a.n[2];
    // Along the last axis, the neighbour that the sweep has not reached yet is subtracted first, as on the
    // CPU.
    if (corner >> 2 & 1) {
        if (below) subtract(sum, a.lower[2], at - 1, x, at - 1, lane, shift);
        if (above) subtract(sum, a.upper[2], at, x, at + 1, lane, shift);
    } else {
        if (above) subtract(sum, a.upper[2], at, x, at + 1, lane, shift);
        if (below) subtract(sum, a.lower[2], at - 1, x, at - 1, lane, shift);
    }
    x[place(at, lane, shift)] = sum * a.inverse[at];
}

// Relaxes one hyperplane. Each block index y belongs to one t0; the blocks and threads along x cover its
// cells and lanes.
template <class T> __device__ void relax(const Rows<T> &a, const T *b, T *x, Plane p, u32 shift) {
    const u32 lane = threadIdx.x & ((1u << shift) - 1);
    const u32 number = blockIdx.x * (blockDim.x >> shift) + (threadIdx.x >> shift);
    Cell cell;
    if (cell_of(a, p, p.first + blockIdx.y, number, cell)) relax_cell(a, b, x, cell, p.corner, lane, shift);
}

// Relaxes the cells of one colour, whose indices have an even sum if `colour` is 0, and an odd sum if it is 1. All
// neighbours of a cell have the other colour, so that the cells of a colour are independent. Every pair of
// consecutive cells of a line has one cell of either colour.
template <class T> __device__ void relax_colour(const Rows<T> &a, const T *b, T *x, u32 colour, u32 shift) {
    const u32 pairs = (a.n[2] + 1) / 2, count = a.n[0] * a.n[1] * pairs;
    EACH_CELL(count) {
        const u32 line = at / pairs;
        Cell cell = {0, {line / a.n[1], line % a.n[1], 2 * (at % pairs)}};
        cell.i[2] += (cell.i[0] + cell.i[1] + colour) & 1;
        if (cell.i[2] >= a.n[2]) continue;
        cell.at = line * a.n[2] + cell.i[2];
        relax_cell(a, b, x, cell, 0, lane, shift);
    }
}

// Largest number of threads of a block that runs whole sweeps.
#define SWEEPERS 1024

// Starting corners of consecutive sweeps.
struct Corners {
    u32 corner[4];
    u32 count;
};

// Runs whole sweeps of a small grid one after another, with one block per 2^group lanes. Barriers between the
// threads of a block separate the hyperplanes.
template <class T>
__device__ void relax_small(const Rows<T> &a, const T *b, T *x, Corners corners, u32 group, u32 shift) {
    const u32 lane = (blockIdx.x << group) + (threadIdx.x & ((1u << group) - 1));
    const u32 row = threadIdx.x >> group, rows = blockDim.x >> group, beside = a.n[1] + a.n[2] - 2;
    for (u32 sweep = 0; sweep < corners.count; sweep++) {
        for (u32 plane = 0; plane <= a.n[0] - 1 + beside; plane++) {
            const Plane p = {plane, plane > beside ? plane - beside : 0, corners.corner[sweep]};
            const u32 end = min(plane, a.n[0] - 1), across = min(min(a.n[1], a.n[2]), plane + 1);
            for (u32 item = row; item < (end + 1 - p.first) * across; item += rows) {
                Cell cell;
                if (cell_of(a, p, p.first + item / across, item % across, cell))
                    relax_cell(a, b, x, cell, p.corner, lane, shift);
            }
            __syncthreads();
        }
    }
}

// Restricts the residual: coarse <- P^T (b - A x), its sums over aggregates of 2x2x2 cells, in the order of
// the cells.
template <class T>
__device__ void restrict_residual(const Rows<T> &a, const T *b, const T *x, T *coarse, u32 parents, u32 shift) {
    EACH_CELL(parents) {
        const Corner corner = corner_of(a, at);
        T sum = (T)0;
        EACH_CHILD(a, corner)
            sum = sum + (b[place(cell.at, lane, shift)] - row_times(a, cell, x, lane, shift));
        coarse[place(at, lane, shift)] = sum;
    }
}

// Prolongs a correction: x <- x + P coarse, which adds the value of its aggregate to every cell.
template <class T> __device__ void prolong(const Rows<T> &a, const T *coarse, T *x, u32 shift) {
    const u32 m1 = (a.n[1] + 1) / 2, m2 = (a.n[2] + 1) / 2;
    EACH_CELL_OF(a) {
        const u32 parent = (cell.i[0] / 2 * m1 + cell.i[1] / 2) * m2 + cell.i[2] / 2;
        const u64 here = place(cell.at, lane, shift);
        x[here] = x[here] + coarse[place(parent, lane, shift)];
    }
}

// Sets x <- 0.
template <class T> __device__ void clear(T *x, u32 cells, u32 shift) {
    EACH_CELL(cells) { x[place(at, lane, shift)] = (T)0; }
}

// Computes x <- M b for a dense matrix M with n x n entries, at the given distances between rows and between
// columns. Exchanging the distances gives the transpose.
template <class T>
__device__ void dense_times(const T *matrix, const T *b, T *x, u32 n, u32 between_rows, u32 between_columns, u32 shift) {
    EACH_CELL(n) {
        T sum = (T)0;
        for (u32 j = 0; j < n; j++) sum = sum + matrix[at * between_rows + j * between_columns] * b[place(j, lane, shift)];
        x[place(at, lane, shift)] = sum;
    }
}

#define CYCLE(T, suffix)                                                                                       \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    in_units_##suffix(const double *a, T *out, double unit, u32 count) {                                       \
        in_units(a, out, unit, count);                                                                         \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    reciprocals_##suffix(const double *diagonal, T *out, double unit, u32 count) {                             \
        reciprocals(diagonal, out, unit, count);                                                               \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS) clear_##suffix(T *x, u32 cells, u32 shift) {         \
        clear(x, cells, shift);                                                                                \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    relax_##suffix(Rows<T> a, const T *b, T *x, Plane plane, u32 shift) {                                      \
        relax(a, b, x, plane, shift);                                                                          \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    relax_colour_##suffix(Rows<T> a, const T *b, T *x, u32 colour, u32 shift) {                                \
        relax_colour(a, b, x, colour, shift);                                                                  \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(SWEEPERS)                                                     \
    relax_small_##suffix(Rows<T> a, const T *b, T *x, Corners corners, u32 group, u32 shift) {                 \
        relax_small(a, b, x, corners, group, shift);                                                           \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    restrict_##suffix(Rows<T> a, const T *b, const T *x, T *coarse, u32 parents, u32 shift) {                  \
        restrict_residual(a, b, x, coarse, parents, shift);                                                    \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    prolong_##suffix(Rows<T> a, const T *coarse, T *x, u32 shift) {                                            \
        prolong(a, coarse, x, shift);                                                                          \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    dense_##suffix(const T *matrix, const T *b, T *x, u32 n, u32 between_rows, u32 between_columns, u32 shift) { \
        dense_times(matrix, b, x, n, between_rows, between_columns, shift);                                    \
    }

CYCLE(float, f)
CYCLE(double, d)
