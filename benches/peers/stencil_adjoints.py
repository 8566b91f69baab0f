"""Adjoints of the invariant measure of the Lorenz equations, in NumPy and SciPy.

The same problem as the rows `adjoints` of `cargo bench --bench stencils`: upwind fluxes at the centres of faces,
teleportation, right-hand sides at random and orthogonal to the density, relative residual 1e-8. There the gauge makes
the matrix well conditioned; here it is left out, since no factorisation in SciPy takes a dense rank-one term, and the
teleportation alone, 0.002 per unit of time, makes the matrix regular. By `splu`, and by BiCGSTAB and GMRES with
`spilu`.

    OPENBLAS_NUM_THREADS=1 python3 benches/peers/stencil_adjoints.py
"""

import argparse
import time

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, bicgstab, gmres, spilu, splu

BOX = [(-25, 25), (-35, 35), (0, 60)]
ALPHA = 1e-6 / (1 - 1e-6) / 5e-4
RESIDUAL = 1e-8


def velocity(x, axis):
    if axis == 0:
        return 10 * (x[1] - x[0])
    if axis == 1:
        return x[0] * (28 - x[2]) - x[1]
    return x[0] * x[1] - 8 / 3 * x[2]


def generator(n):
    """alpha I - K by columns."""
    h = [(upper - lower) / n for lower, upper in BOX]
    centres = [lower + h[d] * (np.arange(n) + 0.5) for d, (lower, _) in enumerate(BOX)]
    index = np.arange(n**3).reshape(n, n, n)
    rows, columns, values = [np.arange(n**3)], [np.arange(n**3)], [np.full(n**3, ALPHA)]
    for axis in range(3):
        inner = [slice(None)] * 3
        inner[axis] = slice(None, -1)
        lower = index[tuple(inner)].ravel()
        upper = lower + n ** (2 - axis)
        x = list(np.meshgrid(*centres, indexing="ij"))
        x = [c[tuple(inner)].ravel() for c in x]
        x[axis] = x[axis] + 0.5 * h[axis]
        v = velocity(x, axis) / h[axis]
        up, down = np.maximum(v, 0), np.maximum(-v, 0)
        rows += [lower, lower, upper, upper]
        columns += [lower, upper, lower, upper]
        values += [up, -down, -up, down]
    places = np.concatenate(rows), np.concatenate(columns)
    return sp.csc_matrix((np.concatenate(values), places), shape=(n**3, n**3))


def sides(rho, columns):
    b = np.random.default_rng(3).standard_normal((len(rho), columns))
    return b - np.outer(rho, rho @ b / (rho @ rho))


def residual(a, x, b):
    return np.max(np.linalg.norm(b - a.T @ x, axis=0) / np.linalg.norm(b, axis=0))


def row(n, name, what, iterations, seconds, columns, found):
    each = seconds / columns
    print(f"| {n}^3 | {name} | {what} | {iterations} | {seconds:.3f} | {each:.3f} | {found:.0e} |", flush=True)


def direct(n, columns):
    a = generator(n)
    rho = splu(a).solve(np.full(n**3, ALPHA / n**3))
    b = sides(rho, columns)
    begin = time.perf_counter()
    x = splu(a).solve(b, trans="T")
    row(n, "splu", f"adjoints x {columns}", 0, time.perf_counter() - begin, columns, residual(a, x, b))
    return rho


def iterative(n, columns, drop, method):
    """Factorisation included; one column after the other, since SciPy takes no batches."""
    a = generator(n)
    # A density near enough: what makes b orthogonal to it is of no account for times.
    begin = time.perf_counter()
    ilu = spilu(a, drop_tol=drop, fill_factor=10)
    made = time.perf_counter() - begin
    plain = LinearOperator(a.shape, ilu.solve)
    rho, _ = bicgstab(a, np.full(n**3, ALPHA / n**3), M=plain, rtol=1e-10, maxiter=500)
    b = sides(rho, columns)
    transposed = LinearOperator(a.shape, lambda r: ilu.solve(r, trans="T"))
    at, x, most = a.T.tocsr(), np.zeros_like(b), 0
    begin = time.perf_counter()
    for j in range(columns):
        count = [0]

        def counted(_, count=count):
            count[0] += 1

        if method is gmres:
            options = {"restart": 50, "maxiter": 20, "callback": counted, "callback_type": "pr_norm"}
        else:
            options = {"maxiter": 1000, "callback": counted}
        x[:, j], _ = method(at, b[:, j], M=transposed, rtol=RESIDUAL, **options)
        most = max(most, count[0])
    seconds = made + time.perf_counter() - begin
    row(n, f"{method.__name__} + spilu {drop:g}", f"adjoints x {columns}", most, seconds, columns, residual(a, x, b))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--direct", type=int, default=32, help="cells along an axis for splu")
    parser.add_argument("--iterative", type=int, nargs="*", default=[32, 64], help="and for the iterations")
    options = parser.parse_args()
    print("| cells | solver | what | iterations | seconds | seconds a column | residual |")
    print("|---|---|---|---|---|---|---|")
    for columns in [1, options.columns]:
        direct(options.direct, columns)
    for n in options.iterative:
        for drop in [1e-2, 1e-3]:
            for method in [bicgstab, gmres]:
                iterative(n, options.columns, drop, method)


if __name__ == "__main__":
    main()
