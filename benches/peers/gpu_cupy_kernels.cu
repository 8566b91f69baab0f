// Kernels of gpu_cupy_bicgstab.py: BiCGSTAB and conjugate gradients in lock step over interleaved columns.
//
// Vectors are x[cell * m + column]. Thread x and block y are a column, thread y and block x walk over the cells, so that
// neighbouring threads read neighbouring numbers. Blocks are of 256 threads, a power of two each way. Sums over cells are
// left in partial[(sum * gridDim.x + block) * m + column] and added up in a fixed order by `finish`, one block a column,
// which then brings the column's scalars up to date. All of them stay on the device.

enum { ALPHA, OMEGA, BETA, RHO, SHIFT, ACTIVE, RESTART, TARGET, NORM2, ITERATIONS };
enum { GAUGE, FIRST, SECOND, CLOSE, STEP, CONJUGATE };

#define COLUMN (blockIdx.y * blockDim.x + threadIdx.x)
#define EACH_CELL                                                                                                      \
    for (size_t cell = blockIdx.x * blockDim.y + threadIdx.y; cell < cells; cell += (size_t)gridDim.x * blockDim.y)

/// Adds up over the cells of a block.
__device__ void keep(double value, int sum, double *partial, int m) {
    __shared__ double room[256];
    int at = threadIdx.y * blockDim.x + threadIdx.x;
    room[at] = value;
    __syncthreads();
    for (int half = blockDim.y / 2; half > 0; half /= 2) {
        if (threadIdx.y < half) room[at] += room[at + half * blockDim.x];
        __syncthreads();
    }
    if (threadIdx.y == 0 && COLUMN < m) partial[((size_t)sum * gridDim.x + blockIdx.x) * m + COLUMN] = room[at];
    __syncthreads();
}

/// y = A x + shift, with other.y and y.y. c has below and above for each axis and the diagonal; c is 0 beyond the box.
extern "C" __global__ void product(const double *c, const double *x, const double *other, double *y, double *partial,
                                   const double *scalars, long long cells, int n, int m) {
    double with_other = 0, with_itself = 0;
    if (COLUMN < m) {
        const double shift = scalars[SHIFT * m + COLUMN];
        const long long away[3] = {(long long)n * n, n, 1};
        EACH_CELL {
            double value = c[6 * cells + cell] * x[cell * m + COLUMN] + shift;
            for (int axis = 0; axis < 3; axis++) {
                const long long below = (long long)cell - away[axis], above = (long long)cell + away[axis];
                if (below >= 0) value -= c[2 * axis * cells + cell] * x[below * m + COLUMN];
                if (above < cells) value -= c[(2 * axis + 1) * cells + cell] * x[above * m + COLUMN];
            }
            y[cell * m + COLUMN] = value;
            with_other += other[cell * m + COLUMN] * value;
            with_itself += value * value;
        }
    }
    keep(with_other, 0, partial, m);
    keep(with_itself, 1, partial, m);
}

/// p = r + beta (p - omega v), or r after a breakdown, which also becomes the shadow; with w.p.
extern "C" __global__ void direction(const double *r, double *p, const double *v, double *shadow, const double *w,
                                     double *partial, const double *scalars, long long cells, int m) {
    double sum = 0;
    if (COLUMN < m) {
        const double beta = scalars[BETA * m + COLUMN], omega = scalars[OMEGA * m + COLUMN];
        const bool restart = scalars[RESTART * m + COLUMN] != 0;
        EACH_CELL {
            const size_t i = cell * m + COLUMN;
            double value = r[i];
            if (restart) shadow[i] = value;
            else value += beta * (p[i] - omega * v[i]);
            p[i] = value;
            sum += w[cell] * value;
        }
    }
    keep(sum, 0, partial, m);
}

/// r -= alpha v, with w.r.
extern "C" __global__ void halfway(double *r, const double *v, const double *w, double *partial, const double *scalars,
                                   long long cells, int m) {
    double sum = 0;
    if (COLUMN < m) {
        const double alpha = scalars[ALPHA * m + COLUMN];
        EACH_CELL {
            const size_t i = cell * m + COLUMN;
            const double value = r[i] - alpha * v[i];
            r[i] = value;
            sum += w[cell] * value;
        }
    }
    keep(sum, 0, partial, m);
}

/// x += alpha p + omega r, r -= omega t, with r.r and shadow.r.
extern "C" __global__ void update(double *x, const double *p, double *r, const double *t, const double *shadow,
                                  double *partial, const double *scalars, long long cells, int m) {
    double square = 0, along = 0;
    if (COLUMN < m) {
        const double alpha = scalars[ALPHA * m + COLUMN], omega = scalars[OMEGA * m + COLUMN];
        EACH_CELL {
            const size_t i = cell * m + COLUMN;
            const double s = r[i], value = s - omega * t[i];
            x[i] += alpha * p[i] + omega * s;
            r[i] = value;
            square += value * value;
            along += shadow[i] * value;
        }
    }
    keep(square, 0, partial, m);
    keep(along, 1, partial, m);
}

/// x += alpha p, r -= alpha q, with r.r and r.w r.
extern "C" __global__ void correct(double *x, const double *p, double *r, const double *q, const double *w,
                                   double *partial, const double *scalars, long long cells, int m) {
    double square = 0, preconditioned = 0;
    if (COLUMN < m) {
        const double alpha = scalars[ALPHA * m + COLUMN];
        EACH_CELL {
            const size_t i = cell * m + COLUMN;
            const double value = r[i] - alpha * q[i];
            x[i] += alpha * p[i];
            r[i] = value;
            square += value * value;
            preconditioned += w[cell] * value * value;
        }
    }
    keep(square, 0, partial, m);
    keep(preconditioned, 1, partial, m);
}

/// p = w r + beta p, or w r at first.
extern "C" __global__ void conjugate(const double *r, double *p, const double *w, const double *scalars,
                                     long long cells, int m) {
    if (COLUMN >= m) return;
    const double beta = scalars[BETA * m + COLUMN];
    const bool restart = scalars[RESTART * m + COLUMN] != 0;
    EACH_CELL {
        const size_t i = cell * m + COLUMN;
        p[i] = w[cell] * r[i] + (restart ? 0 : beta * p[i]);
    }
}

__device__ double ratio(double a, double b) {
    const double found = a / b;
    return isfinite(found) ? found : 0;
}

/// Adds up what the blocks found, and brings the scalars of a column up to date. Blocks of (256, 1), one a column.
extern "C" __global__ void finish(int stage, const double *partial, int blocks, double *scalars, double gauge, int m) {
    __shared__ double room[512];
    const int at = threadIdx.x, column = blockIdx.x;
    double first = 0, second = 0;
    const bool two = stage != GAUGE;
    for (int block = at; block < blocks; block += 256) {
        first += partial[(size_t)block * m + column];
        if (two) second += partial[((size_t)blocks + block) * m + column];
    }
    room[at] = first;
    room[at + 256] = second;
    __syncthreads();
    for (int half = 128; half > 0; half /= 2) {
        if (at < half) {
            room[at] += room[at + half];
            room[at + 256] += room[at + 256 + half];
        }
        __syncthreads();
    }
    if (at > 0) return;
    first = room[0];
    second = room[256];
    double *mine = scalars + column;
    const bool active = mine[ACTIVE * m] != 0;
    if (stage == GAUGE) mine[SHIFT * m] = gauge * first;
    if (stage == FIRST) mine[ALPHA * m] = active ? ratio(mine[RHO * m], first) : 0;
    if (stage == SECOND) mine[OMEGA * m] = active ? ratio(first, second) : 0;
    if (stage == STEP) mine[ALPHA * m] = active ? ratio(mine[RHO * m], first) : 0;
    if ((stage == CLOSE || stage == CONJUGATE) && active) {
        const bool lost = stage == CLOSE && (mine[OMEGA * m] == 0 || mine[ALPHA * m] == 0 || second == 0);
        double beta = ratio(second, mine[RHO * m]);
        if (stage == CLOSE) beta *= ratio(mine[ALPHA * m], mine[OMEGA * m]);
        mine[BETA * m] = lost ? 0 : beta;
        mine[RHO * m] = lost ? first : second;
        mine[RESTART * m] = lost;
        mine[NORM2 * m] = first;
        mine[ITERATIONS * m] += 1;
        mine[ACTIVE * m] = !(first <= mine[TARGET * m]);
    }
}
