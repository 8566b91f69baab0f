"""One Wasserstein-2 natural-gradient step of a five-parameter mixture, in NumPy and SciPy.

The same work as the row `w2 step` of `cargo bench --bench wasserstein`: density, sensitivities, gradient,
weighted Laplacian, factorisation, lifted sensitivities, least squares. Two factorisations, since which one is
faster depends on the grid: SciPy's general sparse one (`splu`) and LAPACK's banded Cholesky.

    OPENBLAS_NUM_THREADS=1 python3 benches/peers/w2_step.py
"""

import argparse
import time

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from solvers import Splu


def gaussian(x, mean):
    return np.exp(-0.5 * (x - mean) ** 2) / np.sqrt(2 * np.pi)


def mixture(theta, x):
    """Density on the grid x by x, and its derivatives by weight and means."""
    w, m1, m2 = theta[0], theta[1:3], theta[3:5]
    n1 = np.outer(gaussian(x, m1[0]), gaussian(x, m1[1]))
    n2 = np.outer(gaussian(x, m2[0]), gaussian(x, m2[1]))
    rho = w * n1 + (1 - w) * n2
    z = np.stack(
        [
            n1 - n2,
            w * n1 * (x - m1[0])[:, None],
            w * n1 * (x - m1[1])[None, :],
            (1 - w) * n2 * (x - m2[0])[:, None],
            (1 - w) * n2 * (x - m2[1])[None, :],
        ],
        axis=-1,
    )
    return rho.ravel(), z.reshape(-1, 5)


def faces(n):
    """The two cells of every interior face; no others let mass through."""
    index = np.arange(n * n).reshape(n, n)
    lower = np.concatenate([index[:-1].ravel(), index[:, :-1].ravel()])
    upper = np.concatenate([index[1:].ravel(), index[:, 1:].ravel()])
    return lower, upper


def laplacian(r, face, h, lower, upper):
    """Diagonal and entries per face of B Bᵀ, pinned at the densest cell (one in the vacuum costs all digits)."""
    diagonal = np.bincount(lower, face, len(r)) + np.bincount(upper, face, len(r))
    pin = np.argmax(r)
    diagonal[pin] += 2 * r[pin]
    return diagonal / h**2, -face / h**2


def matrix(diagonal, off, lower, upper):
    count = len(diagonal)
    cells = np.arange(count)
    values = np.concatenate([diagonal, off, off])
    rows, columns = np.concatenate([cells, lower, upper]), np.concatenate([cells, upper, lower])
    return sp.csc_matrix((values, (rows, columns)), shape=(count, count))


def factor_sparse(diagonal, off, lower, upper):
    return Splu(None).factorise(matrix(diagonal, off, lower, upper))


def cholesky_by(kind):
    """Factorises by a solver of solvers.py that keeps its analysis."""
    kept = []

    def factor(*parts):
        a = matrix(*parts)
        if not kept:
            kept.append(kind(a))
        return kept[0].factorise(a)

    return factor


def factor_banded(diagonal, off, lower, upper):
    width = np.max(upper - lower)
    band = np.zeros((width + 1, len(diagonal)), order="F")
    band[0] = diagonal
    band[upper - lower, lower] = off
    root = scipy.linalg.cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False)
    return lambda b: scipy.linalg.cho_solve_banded((root, True), b, check_finite=False)


def step(theta, target, x, lower, upper, factor):
    h = x[1] - x[0]
    rho, z = mixture(theta, x)
    r = np.maximum(rho, 1e-15 * rho.max())
    u = h * h * (rho - target)
    u -= u @ r / r.sum()
    face = 0.5 * (r[lower] + r[upper])
    solve = factor(*laplacian(r, face, h, lower, upper), lower, upper)
    phi = solve(z - np.outer(r, z.sum(axis=0) / r.sum()))
    root = np.sqrt(face)
    y = root[:, None] * (phi[upper] - phi[lower])  # √vol = h cancels the spacing in Bᵀ
    dual = root * (u[upper] - u[lower]) / h**2
    return -scipy.linalg.lstsq(y, dual, lapack_driver="gelsy", overwrite_a=True, check_finite=False)[0]


def median(repeats, work):
    """The median of some runs after one that does not count, and what the last gave."""
    work()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begin)
    return np.median(seconds), result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=84, help="along each axis")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    h = 14 / options.cells
    x = -4 + h * (np.arange(options.cells) + 0.5)
    lower, upper = faces(options.cells)
    target, _ = mixture(np.array([0.3, 1, 3, 3, 2]), x)
    theta = np.array([0.4, 1.5, 3.2, 3.3, 1.8])
    for name, factor in [("splu", factor_sparse), ("banded", factor_banded)]:
        seconds, eta = median(options.repeats, lambda: step(theta, target, x, lower, upper, factor))
        print(f"w2 step, {options.cells}x{options.cells} cells, {name}: {seconds:.5f} seconds")
        print("eta =", [float(f"{e:.13g}") for e in eta])


if __name__ == "__main__":
    main()
