"""One Wasserstein-2 natural-gradient step of a five-parameter mixture, in NumPy and SciPy.

The same work as the row `w2 step` of `cargo bench --bench wasserstein`: density, sensitivities, gradient,
weighted Laplacian, factorisation, lifted sensitivities, least squares. Which factorisation is faster depends on the grid:
LAPACK's banded Cholesky, and the sparse ones of definite.py. All that are installed run, or those that SOLVER names.

    OPENBLAS_NUM_THREADS=1 SOLVER=cholmod,pardiso python3 benches/peers/w2_step.py --cells 256
"""

import argparse
import os
import time

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from definite import KINDS


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


def sparse(diagonal, off, lower, upper):
    count = len(diagonal)
    cells = np.arange(count)
    values = np.concatenate([diagonal, off, off])
    rows, columns = np.concatenate([cells, lower, upper]), np.concatenate([cells, upper, lower])
    return sp.csc_matrix((values, (rows, columns)), shape=(count, count))


def factor_sparse(kind, lower, upper, count):
    """Analyses the pattern once. Every step factorises anew."""
    analysis = kind(sparse(np.full(count, 5.0), np.full(len(lower), -1.0), lower, upper))
    return lambda *entries: analysis.factorise(sparse(*entries))


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
    for name in os.environ.get("SOLVER", ",".join(["banded", *KINDS])).split(","):
        try:
            factor = factor_banded if name == "banded" else factor_sparse(KINDS[name], lower, upper, options.cells**2)
        except ImportError:
            print(f"{name} is not installed")
            continue
        seconds, eta = median(options.repeats, lambda: step(theta, target, x, lower, upper, factor))
        print(f"w2 step, {options.cells}x{options.cells} cells, {name}: {seconds:.5f} seconds")
        print("eta =", [float(f"{e:.13g}") for e in eta])


if __name__ == "__main__":
    main()
