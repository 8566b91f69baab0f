// Steps of preconditioned BiCGSTAB (van der Vorst 1992) and conjugate gradients: kernels over vectors, with one thread
// per cell and lane, and kernels over scalars, with one thread per lane.
//
// s is a power of two that scales r to a norm near 1 for the preconditioner, which may have single precision.

// Bound on the cosine of the angle between the shadow residual and r or v. Below it, BiCGSTAB breaks down.
#define BREAKDOWN 1e-12

#define OF(name) scalars[(name) * STRIDE + lane]
#define EACH_LANE const u32 lane = threadIdx.x; if (lane >> shift) return;

// Marks the columns that restart with the shadow r as fresh: those that were marked before, and those whose
// shadow is orthogonal to r. Computes rho = <shadow, r> and beta = (rho/last rho)(alpha/omega).
extern "C" __global__ void bicgstab_begin(double *scalars, u32 shift) {
    EACH_LANE
    const bool sound = fabs(OF(RHO)) > BREAKDOWN * (OF(SHADOW_SIZE) * OF(SIZE));
    const bool fresh = OF(ACTIVE) != 0.0 && (OF(FRESH) != 0.0 || !sound);
    OF(FRESH) = fresh ? 1.0 : 0.0;
    if (fresh) {
        OF(SHADOW_SIZE) = OF(SIZE);
        OF(RHO) = OF(SIZE) * OF(SIZE);
    }
    OF(SCALE) = scale_of(OF(SIZE));
    OF(BETA) = OF(RHO) / OF(LAST) * (OF(ALPHA) / OF(OMEGA));
    OF(LAST) = OF(RHO);
}

// Computes alpha = rho/<shadow, v>. If the shadow is orthogonal to v, the column is marked as blind, and
// alpha = 0 skips this half of the step.
extern "C" __global__ void bicgstab_aim(double *scalars, u32 shift) {
    EACH_LANE
    const double along = OF(FIRST_SUM);
    const bool seen = fabs(along) > BREAKDOWN * OF(SHADOW_SIZE) * sqrt(OF(SECOND_SUM));
    OF(BLIND) = seen ? 0.0 : 1.0;
    OF(ALPHA) = OF(ACTIVE) != 0.0 && seen ? OF(RHO) / along : 0.0;
}

// Computes omega = <r, t>/|t|^2, which minimises |r - omega t|.
extern "C" __global__ void bicgstab_damp(double *scalars, u32 shift) {
    EACH_LANE
    OF(OMEGA) = OF(ACTIVE) != 0.0 && OF(SECOND_SUM) > 0.0 ? OF(FIRST_SUM) / OF(SECOND_SUM) : 0.0;
}

// Stores |r| and rho = <shadow, r>. Blind columns and those with omega = 0 restart in the next step.
extern "C" __global__ void bicgstab_end(double *scalars, u32 shift) {
    EACH_LANE
    OF(SIZE) = sqrt(OF(FIRST_SUM));
    OF(RHO) = OF(SECOND_SUM);
    OF(FRESH) = OF(BLIND) != 0.0 || OF(OMEGA) == 0.0 ? 1.0 : 0.0;
}

// Computes the direction p <- r + beta (p - omega v), or p <- r for fresh and inactive columns, and
// rough <- s p in the precision of the preconditioner. Sets shadow <- r for fresh columns.
template <class T>
__device__ void turn(const double *r, const double *v, double *p, double *shadow, T *rough, const double *__restrict__ scalars,
                     u32 cells, u32 shift) {
    EACH_CELL(cells) {
        const u64 here = place(at, lane, shift);
        const bool fresh = OF(FRESH) != 0.0, anew = fresh || OF(ACTIVE) == 0.0;
        const double turned = r[here] + OF(BETA) * (p[here] - OF(OMEGA) * v[here]), direction = anew ? r[here] : turned;
        if (fresh) shadow[here] = r[here];
        p[here] = direction;
        rough[here] = (T)(OF(SCALE) * direction);
    }
}

// Computes r <- r - alpha v, and rough <- s r in the precision of the preconditioner.
template <class T>
__device__ void descend(const double *v, double *r, T *rough, const double *__restrict__ scalars, u32 cells, u32 shift) {
    EACH_CELL(cells) {
        const u64 here = place(at, lane, shift);
        const double rest = r[here] - OF(ALPHA) * v[here];
        r[here] = rest;
        rough[here] = (T)(OF(SCALE) * rest);
    }
}

// Computes x <- x + (alpha y + omega z)/s, r <- r - omega t, and partial sums of |r|^2 and <shadow, r>.
template <class T>
__device__ void advance(double *x, double *r, const T *y, const T *z, const double *t, const double *shadow,
                        const double *__restrict__ scalars, double *partial, u32 cells, u32 shift) {
    double square = 0.0, seen = 0.0;
    EACH_CELL(cells) {
        const u64 here = place(at, lane, shift);
        x[here] += OF(ALPHA) / OF(SCALE) * (double)y[here] + OF(OMEGA) / OF(SCALE) * (double)z[here];
        const double rest = r[here] - OF(OMEGA) * t[here];
        r[here] = rest;
        square += rest * rest;
        seen += shadow[here] * rest;
    }
    leave_sum(square, 0, partial, shift);
    leave_sum(seen, 1, partial, shift);
}

// Computes the scale s for the preconditioner.
extern "C" __global__ void gradients_begin(double *scalars, u32 shift) {
    EACH_LANE
    OF(SCALE) = scale_of(OF(SIZE));
}

// Computes rho = <r, z>/s, and beta = rho/last rho, or 0 for fresh and inactive columns.
extern "C" __global__ void gradients_turn(double *scalars, u32 shift) {
    EACH_LANE
    const double last = OF(RHO);
    OF(RHO) = 1.0 / OF(SCALE) * OF(FIRST_SUM);
    OF(BETA) = OF(FRESH) != 0.0 || OF(ACTIVE) == 0.0 ? 0.0 : OF(RHO) / last;
}

// Computes alpha = rho/<p, q>, or 0 for inactive columns.
extern "C" __global__ void gradients_aim(double *scalars, u32 shift) {
    EACH_LANE
    OF(ALPHA) = OF(ACTIVE) != 0.0 ? OF(RHO) / OF(FIRST_SUM) : 0.0;
}

// Stores |r|, and marks no column as fresh.
extern "C" __global__ void gradients_end(double *scalars, u32 shift) {
    EACH_LANE
    OF(SIZE) = sqrt(OF(FIRST_SUM));
    OF(FRESH) = 0.0;
}

// Computes rough <- s r in the precision of the preconditioner.
template <class T> __device__ void round_scaled(const double *r, T *rough, const double *__restrict__ scalars, u32 cells, u32 shift) {
    EACH_CELL(cells) {
        const u64 here = place(at, lane, shift);
        rough[here] = (T)(OF(SCALE) * r[here]);
    }
}

// Computes partial sums of <r, z>.
template <class T> __device__ void along(const double *r, const T *z, double *partial, u32 cells, u32 shift) {
    double sum = 0.0;
    EACH_CELL(cells) {
        const u64 here = place(at, lane, shift);
        sum += r[here] * (double)z[here];
    }
    leave_sum(sum, 0, partial, shift);
}

// Computes p <- z/s + beta p.
template <class T> __device__ void conjugate(const T *z, double *p, const double *__restrict__ scalars, u32 cells, u32 shift) {
    EACH_CELL(cells) {
        const u64 here = place(at, lane, shift);
        p[here] = 1.0 / OF(SCALE) * (double)z[here] + OF(BETA) * p[here];
    }
}

// Computes x <- x + alpha p, r <- r - alpha q, and partial sums of |r|^2.
extern "C" __global__ void __launch_bounds__(THREADS)
gradients_advance(double *x, double *r, const double *p, const double *q, const double *__restrict__ scalars, double *partial,
                  u32 cells, u32 shift) {
    double square = 0.0;
    EACH_CELL(cells) {
        const u64 here = place(at, lane, shift);
        x[here] += OF(ALPHA) * p[here];
        const double rest = r[here] - OF(ALPHA) * q[here];
        r[here] = rest;
        square += rest * rest;
    }
    leave_sum(square, 0, partial, shift);
}

#define KRYLOV(T, suffix)                                                                                      \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    turn_##suffix(const double *r, const double *v, double *p, double *shadow, T *rough,                       \
                  const double *__restrict__ scalars, u32 cells, u32 shift) {                                               \
        turn(r, v, p, shadow, rough, scalars, cells, shift);                                                   \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    descend_##suffix(const double *v, double *r, T *rough, const double *__restrict__ scalars, u32 cells, u32 shift) {      \
        descend(v, r, rough, scalars, cells, shift);                                                           \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    advance_##suffix(double *x, double *r, const T *y, const T *z, const double *t, const double *shadow,      \
                     const double *__restrict__ scalars, double *partial, u32 cells, u32 shift) {                           \
        advance(x, r, y, z, t, shadow, scalars, partial, cells, shift);                                        \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    round_##suffix(const double *r, T *rough, const double *__restrict__ scalars, u32 cells, u32 shift) {                   \
        round_scaled(r, rough, scalars, cells, shift);                                                         \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    along_##suffix(const double *r, const T *z, double *partial, u32 cells, u32 shift) {                       \
        along(r, z, partial, cells, shift);                                                                    \
    }                                                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                      \
    conjugate_##suffix(const T *z, double *p, const double *__restrict__ scalars, u32 cells, u32 shift) {                   \
        conjugate(z, p, scalars, cells, shift);                                                                \
    }

KRYLOV(float, f)
KRYLOV(double, d)
