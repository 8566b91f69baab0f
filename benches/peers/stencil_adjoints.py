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
from scipy.sparse.linalg import LinearOperator, bicgstab, gmres, spilu, splu

from problems import ALPHA, generator

RESIDUAL = 1e-8


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
