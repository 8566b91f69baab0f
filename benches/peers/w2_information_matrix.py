"""The Wasserstein-2 information matrix of 899 parameters on 900 cells, in NumPy and SciPy.

The parameters are the values of the density on all cells but the last, which keeps the mass. The same work as
the row `information matrix` of `cargo bench --bench wasserstein`.

    OPENBLAS_NUM_THREADS=1 python3 benches/peers/w2_information_matrix.py
"""

import argparse

import numpy as np
import scipy.sparse as sp

from w2_step import faces, factor_sparse, laplacian, median, mixture


def information_matrix(rho, z, h, lower, upper):
    r = np.maximum(rho, 1e-15 * rho.max())
    face = 0.5 * (r[lower] + r[upper])
    solve = factor_sparse(*laplacian(r, face, h, lower, upper), lower, upper)
    phi = solve(z - np.outer(r, z.sum(axis=0) / r.sum()))
    root, each = np.sqrt(face), np.arange(len(face))
    values = np.concatenate([root, -root])  # √vol Bᵀ; √vol = h cancels the spacing
    places = np.concatenate([each, each]), np.concatenate([upper, lower])
    y = sp.csr_matrix((values, places), shape=(len(face), len(r))) @ phi
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
    seconds, g = median(options.repeats, lambda: information_matrix(rho, z, h, lower, upper))
    print(f"information matrix, {count - 1} parameters: {seconds:.4f} seconds")
    print(f"trace = {np.trace(g):.13e}, Frobenius norm = {np.linalg.norm(g):.13e}")


if __name__ == "__main__":
    main()
