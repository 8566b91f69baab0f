"""The Wasserstein-2 information matrix of 899 parameters on 900 cells, in NumPy and SciPy.

The parameters are the values of the density on all cells but the last, which keeps the mass. The same work as
the row `information matrix` of `cargo bench --bench wasserstein`.

    OPENBLAS_NUM_THREADS=1 python3 benches/peers/w2_information_matrix.py
"""

import argparse
import time

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from w2_step import faces, mixture


def information_matrix(rho, z, h, lower, upper):
    count = len(rho)
    r = np.maximum(rho, 1e-15 * rho.max())
    face = 0.5 * (r[lower] + r[upper])
    diagonal = np.bincount(lower, face, count) + np.bincount(upper, face, count)
    pin = np.argmax(r)
    diagonal[pin] += 2 * r[pin]
    cells = np.arange(count)
    a = sp.csc_matrix(
        (
            np.concatenate([diagonal, -face, -face]) / h**2,
            (
                np.concatenate([cells, lower, upper]),
                np.concatenate([cells, upper, lower]),
            ),
        ),
        shape=(count, count),
    )
    factor = splu(a, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    phi = factor.solve(z - np.outer(r, z.sum(axis=0) / r.sum()))
    y = h * (np.sqrt(face)[:, None] / h) * (phi[upper] - phi[lower])
    return y.T @ y


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=30, help="along each axis")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    h = 14 / options.cells
    x = -4 + h * (np.arange(options.cells) + 0.5)
    lower, upper = faces(options.cells)
    rho, _ = mixture(np.array([0.3, 1, 3, 3, 2]), x)
    count = len(rho)
    z = np.vstack([np.eye(count - 1), -np.ones(count - 1)])
    g = information_matrix(rho, z, h, lower, upper)
    seconds = []
    for _ in range(options.repeats):
        begin = time.perf_counter()
        g = information_matrix(rho, z, h, lower, upper)
        seconds.append(time.perf_counter() - begin)
    print(f"information matrix, {count - 1} parameters: {np.median(seconds):.4f} s")
    print(f"trace = {np.trace(g):.10e}, Frobenius norm = {np.linalg.norm(g):.10e}")


if __name__ == "__main__":
    main()
