"""One Wasserstein-2 natural-gradient step of a five-parameter mixture, in NumPy and SciPy.

The same work as the row `w2 step` of `cargo bench --bench wasserstein`: density, sensitivities, gradient,
weighted Laplacian, factorisation, lifted sensitivities, least squares.

    OPENBLAS_NUM_THREADS=1 python3 benches/peers/w2_step.py
"""

import argparse
import time

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu


def gaussian(x, y, mean):
    fx = np.exp(-0.5 * (x - mean[0]) ** 2) / np.sqrt(2 * np.pi)
    fy = np.exp(-0.5 * (y - mean[1]) ** 2) / np.sqrt(2 * np.pi)
    return np.outer(fx, fy)


def mixture(theta, x):
    w, m1, m2 = theta[0], theta[1:3], theta[3:5]
    n1, n2 = gaussian(x, x, m1), gaussian(x, x, m2)
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
    index = np.arange(n * n).reshape(n, n)
    lower = np.concatenate([index[:-1].ravel(), index[:, :-1].ravel()])
    upper = np.concatenate([index[1:].ravel(), index[:, 1:].ravel()])
    return lower, upper


def step(theta, target, x, lower, upper):
    n = len(x)
    h = x[1] - x[0]
    count = n * n
    rho, z = mixture(theta, x)
    r = np.maximum(rho, 1e-15 * rho.max())
    u = h * h * (rho - target)
    u -= u @ r / r.sum()
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
    factor = splu(
        a,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    phi = factor.solve(z - np.outer(r, z.sum(axis=0) / r.sum()))
    root = np.sqrt(face)[:, None] / h
    y = h * root * (phi[upper] - phi[lower])
    dual = root[:, 0] * (u[upper] - u[lower]) / h
    return -np.linalg.lstsq(y, dual, rcond=None)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=84)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    h = 14 / options.cells
    x = -4 + h * (np.arange(options.cells) + 0.5)
    lower, upper = faces(options.cells)
    target, _ = mixture(np.array([0.3, 1, 3, 3, 2]), x)
    theta = np.array([0.4, 1.5, 3.2, 3.3, 1.8])
    step(theta, target, x, lower, upper)
    seconds = []
    for _ in range(options.repeats):
        begin = time.perf_counter()
        eta = step(theta, target, x, lower, upper)
        seconds.append(time.perf_counter() - begin)
    print(f"w2 step, {options.cells}x{options.cells} cells: {np.median(seconds) * 1e3:.2f} ms")
    print("eta =", np.array2string(eta, precision=10))


if __name__ == "__main__":
    main()
