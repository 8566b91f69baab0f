"""The stationary Lorenz density on 14 x 22 x 16 cells and one Wasserstein-2 direction from there, in SciPy.

The same work as the first rows of `cargo bench --bench lorenz`: face-averaged upwind fluxes, no teleportation, data at
(10, 28, 8/3), theta = (8, 22, 1.5), the L2 loss. Forward: sparse LU of the generator with a tiny shift, and inverse
iteration (replacing a balance by the total mass instead makes a dense row, which costs SuperLU 580 ms). Direction: three sensitivities with the same factors, the weighted Laplacian, its potentials by GMRES (as
the published code has it), by conjugate gradients with an incomplete factorisation, and by a second sparse LU.

    OPENBLAS_NUM_THREADS=1 python3 benches/peers/lorenz_w2_step.py
"""

import time

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, cg, gmres, spilu, splu

SHAPE = (14, 22, 16)
BOX = ((-25.0, 25.0), (-35.0, 35.0), (0.0, 60.0))
START, TRUTH = (8.0, 22.0, 1.5), (10.0, 28.0, 8.0 / 3.0)
H = [(b - a) / n for (a, b), n in zip(BOX, SHAPE)]
VOL = np.prod(H)
N = int(np.prod(SHAPE))
CELLS = np.arange(N).reshape(SHAPE)
RELATIVE = 1e-10


def velocity(x, axis, theta):
    sigma, rho, beta = theta
    return (sigma * (x[1] - x[0]), x[0] * (rho - x[2]) - x[1], x[0] * x[1] - beta * x[2])[axis]


def slopes(x, axis):
    """The derivatives of the velocity along an axis by sigma, rho, beta."""
    zero = np.zeros_like(x[0])
    return ((x[1] - x[0], zero, zero), (zero, x[0], zero), (zero, zero, -x[2]))[axis]


def faces():
    """For every axis: lower cells, upper cells, and the four Gauss points of all faces; made once."""
    out = []
    for axis in range(3):
        below = np.take(CELLS, np.arange(SHAPE[axis] - 1), axis).ravel()
        above = np.take(CELLS, np.arange(1, SHAPE[axis]), axis).ravel()
        points = [a + (np.arange(n) + 0.5) * h for (a, _), n, h in zip(BOX, SHAPE, H)]
        points[axis] = BOX[axis][0] + np.arange(1, SHAPE[axis]) * H[axis]
        x = [a.ravel() for a in np.meshgrid(*points, indexing="ij")]
        first, second = (d for d in range(3) if d != axis)
        gauss = []
        for i in (-1, 1):
            for j in (-1, 1):
                y = list(x)
                y[first] = x[first] + i * H[first] / np.sqrt(12)
                y[second] = x[second] + j * H[second] / np.sqrt(12)
                gauss.append(y)
        out.append((below, above, gauss))
    return out


FACES = faces()


def generator(theta):
    rows, columns, values = [], [], []
    for axis, (below, above, gauss) in enumerate(FACES):
        v = np.stack([velocity(y, axis, theta) for y in gauss])
        up = np.maximum(v, 0).mean(0) / H[axis]
        down = np.maximum(-v, 0).mean(0) / H[axis]
        rows += [below, above, above, below]
        columns += [below, below, above, above]
        values += [up, -up, down, -down]
    triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sp.csc_matrix(triplets, shape=(N, N))


SHIFT = 1e-9


def forward(theta):
    """The density and the factors of the shifted generator."""
    lu = splu((generator(theta) + SHIFT * sp.identity(N)).tocsc())
    p = np.full(N, 1.0 / N)
    for _ in range(3):
        p = lu.solve(p)
        p /= p.sum()
    return p / VOL, lu


def sensitivities(theta, rho, lu):
    c = np.zeros((N, 3))
    for axis, (below, above, gauss) in enumerate(FACES):
        for y in gauss:
            v = velocity(y, axis, theta)
            carried = np.where(v > 0, rho[below], 0) + np.where(v < 0, rho[above], 0)
            for j, slope in enumerate(slopes(y, axis)):
                flux = carried * slope / (4 * H[axis])
                np.add.at(c[:, j], below, flux)
                np.subtract.at(c[:, j], above, flux)
    z = -lu.solve(c)
    # What rounding puts along the density, times 1/SHIFT.
    return z - np.outer(rho, VOL * z.sum(0))


def laplacian(rho):
    r = np.maximum(rho, 1e-15 * rho.max())
    rows, columns, values = [], [], []
    for axis, (below, above, _) in enumerate(FACES):
        w = 0.5 * (r[below] + r[above]) / H[axis] ** 2
        rows += [below, above, above, below]
        columns += [below, below, above, above]
        values += [w, -w, w, -w]
    triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sp.csc_matrix(triplets, shape=(N, N)), r


def pinned(l, r):
    k = int(np.argmax(r))
    pin = sp.csc_matrix(([r[k] * sum(h**-2 for h in H)], ([k], [k])), shape=(N, N))
    return (l + pin).tocsc()


def by_lu(l, r, z):
    return splu(pinned(l, r), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(z)


def by_cg(l, r, z):
    a = pinned(l, r)
    ilu = spilu(a, drop_tol=1e-3, fill_factor=10)
    m = LinearOperator((N, N), ilu.solve)
    return np.stack([cg(a, c, rtol=RELATIVE, maxiter=2000, M=m)[0] for c in z.T], axis=1)


def by_gmres(l, r, z):
    """Without a preconditioner, from zero, restarted every 100 products, with what 2000 products reach."""
    columns = [gmres(l, c, rtol=RELATIVE, restart=100, maxiter=20) for c in z.T]
    left = max(np.linalg.norm(l @ x - c) / np.linalg.norm(c) for (x, _), c in zip(columns, z.T))
    print(f"    GMRES leaves a relative residual of {left:.1e}")
    return np.stack([x for x, _ in columns], axis=1)


def direction(theta, rho, lu, data, potentials):
    z = sensitivities(theta, rho, lu)
    l, r = laplacian(rho)
    mass = r / r.sum()
    kept = z - np.outer(mass, z.sum(0))
    g = VOL * kept.T @ potentials(l, r, kept)
    u = VOL * (rho - data)
    return -np.linalg.solve(0.5 * (g + g.T), z.T @ (u - u @ mass))


def best(repeats, work):
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        out = work()
        taken.append(time.perf_counter() - begin)
    return min(taken), out


data, _ = forward(TRUTH)
seconds, (rho, lu) = best(5, lambda: forward(START))
print(f"forward, splu:                        {1e3 * seconds:8.1f} ms")
for name, repeats, potentials in (("splu", 5, by_lu), ("CG + spilu", 5, by_cg), ("GMRES", 1, by_gmres)):
    taken, eta = best(repeats, lambda: direction(START, rho, lu, data, potentials))
    digits = ", ".join(f"{e:.9e}" for e in eta)
    print(f"direction, {name:<12}              {1e3 * taken:8.1f} ms   eta = [{digits}]")
    print(f"forward and direction together:       {1e3 * (seconds + taken):8.1f} ms")
print("published research code, on its machine: 458 ms + 891 ms")
