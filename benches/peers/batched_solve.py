"""Factorisations and batched solves of the matrices of `cargo bench --features internals --bench batched_solve`, in SciPy.

The generator of the Lorenz equations by `splu`, 64 columns plain and 64 transposed; a weighted Laplacian in the plane by
`splu`, by those of CHOLMOD and PARDISO that are installed (see definite.py), and by conjugate gradients with smoothed
aggregation where pyamg is. Analyses of the pattern of the Laplacian do not count, and a single column is solved as well. The weights are lognormal as there, drawn by another generator of random numbers.

    OPENBLAS_NUM_THREADS=1 python3 benches/peers/batched_solve.py
"""

import argparse
import time

import numpy as np
from scipy.sparse.linalg import splu

from definite import KINDS
from problems import generator, plane as laplacian

COLUMNS = 64


def timed(work):
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


def row(matrix, name, factor, columns):
    columns = " | ".join(f"{1e3 * seconds:.2f}" for seconds in columns)
    print(f"| {matrix} | {name} | {factor:.2f} | {columns} |", flush=True)


def flow(n):
    a = generator(n)
    b = np.random.default_rng(2).standard_normal((a.shape[0], COLUMNS))
    lu, made = timed(lambda: splu(a))
    _, plain = timed(lambda: lu.solve(b))
    _, transposed = timed(lambda: lu.solve(b, trans="T"))
    row(f"Lorenz generator {n}^3", "splu", made, [plain / COLUMNS, transposed / COLUMNS])


def plane(n):
    a, name = laplacian(n), f"weighted Laplacian {n}^2"
    b = np.random.default_rng(2).standard_normal((a.shape[0], COLUMNS))
    for kind, make in KINDS.items():
        try:
            analysis = make(a)
        except ImportError:
            print(f"{kind} is not installed")
            continue
        solve, made = timed(lambda: analysis.factorise(a))
        single = min(timed(lambda: solve(b[:, 0]))[1] for _ in range(5))
        _, plain = timed(lambda: solve(b))
        row(name, f"{kind}, a single column in {1e3 * single:.1f} ms", made, [plain / COLUMNS])
    try:
        import pyamg
    except ImportError:
        print("pyamg is not installed: no row for it")
    else:
        solver, made = timed(lambda: pyamg.smoothed_aggregation_solver(a.tocsr()))
        few = 4
        solve = lambda j: solver.solve(b[:, j], tol=1e-11, accel="cg")
        _, plain = timed(lambda: [solve(j) for j in range(few)])
        row(name, "pyamg, smoothed aggregation + CG", made, [plain / few])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flow", type=int, default=32, help="cells along an axis of the generator")
    parser.add_argument("--plane", type=int, default=512, help="cells along an axis of the Laplacian")
    options = parser.parse_args()
    print("| matrix | method | s, factor | ms a column | transposed |")
    print("|---|---|---|---|---|")
    flow(options.flow)
    plane(options.plane)


if __name__ == "__main__":
    main()
