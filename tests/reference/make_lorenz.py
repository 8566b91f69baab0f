"""Moments of the Lorenz measure with face-averaged upwind fluxes, by SciPy's sparse LU.

The numbers in `reference_lorenz.rs::moments_at_three_sizes`. Needs NumPy and SciPy; a few seconds.
"""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

BOX = ((-25.0, 25.0), (-35.0, 35.0), (0.0, 60.0))
THETA = (10.0, 28.0, 8.0 / 3.0)


def velocity(x, axis):
    sigma, rho, beta = THETA
    return (sigma * (x[1] - x[0]), x[0] * (rho - x[2]) - x[1], x[0] * x[1] - beta * x[2])[axis]


def generator(n):
    """Minus the generator of the chain on n^3 cells, and the cell centres."""
    h = [(b - a) / n for a, b in BOX]
    centres = [a + (np.arange(n) + 0.5) * w for (a, _), w in zip(BOX, h)]
    cells = np.arange(n**3).reshape(n, n, n)
    rows, columns, values = [], [], []
    for axis in range(3):
        points = list(centres)
        points[axis] = BOX[axis][0] + np.arange(1, n) * h[axis]
        x = np.meshgrid(*points, indexing="ij")
        first, second = (d for d in range(3) if d != axis)
        up, down = 0.0, 0.0
        for i in (-1, 1):
            for j in (-1, 1):
                y = [a.copy() for a in x]
                y[first] += i * h[first] / np.sqrt(12)
                y[second] += j * h[second] / np.sqrt(12)
                v = velocity(y, axis)
                up = up + np.maximum(v, 0) / 4
                down = down + np.maximum(-v, 0) / 4
        below = np.take(cells, np.arange(n - 1), axis).ravel()
        above = np.take(cells, np.arange(1, n), axis).ravel()
        up, down = up.ravel() / h[axis], down.ravel() / h[axis]
        rows += [below, above, above, below]
        columns += [below, below, above, above]
        values += [up, -up, down, -down]
    triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sp.csc_matrix(triplets, shape=(n**3, n**3)), centres


for n in (16, 24, 32):
    a, centres = generator(n)
    shifted = splu((a - 1e-9 * sp.identity(n**3)).tocsc())
    p = np.full(n**3, 1.0 / n**3)
    for _ in range(3):
        p = shifted.solve(p)
        p /= p.sum()
    x, _, z = np.meshgrid(*centres, indexing="ij")
    print(f"{n}: E z = {p @ z.ravel():.12f}, sd x = {np.sqrt(p @ x.ravel() ** 2):.12f}")
