"""Reference fields in time: heat in variable media by matrix exponentials, and reacting species by SciPy's integrators.

The equations are put together cell by cell, without use of the library. Derivatives of the heat equation are taken by complex
steps of the exponential.
"""

import itertools
import json

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import expm


def heat_matrix(cells, widths, kappa, sides, source):
    """Returns [A b] of ẋ = A x + b, with a row of zeros below. `sides[d]` holds the temperatures of the ends, or None."""
    n = int(np.prod(cells))
    a = np.zeros((n + 1, n + 1), dtype=complex)
    a[:n, n] = source
    number = {at: i for i, at in enumerate(itertools.product(*map(range, cells)))}
    for at, i in number.items():
        for d, h in enumerate(widths):
            for end, move in enumerate([-1, 1]):
                to = at[:d] + (at[d] + move,) + at[d + 1:]
                if to in number:
                    j = number[to]
                    c = 2 / (np.exp(-kappa[i]) + np.exp(-kappa[j])) / h**2
                    a[i, i] -= c
                    a[i, j] += c
                elif sides[d][end] is not None:
                    c = 2 * np.exp(kappa[i]) / h**2
                    a[i, i] -= c
                    a[i, n] += c * sides[d][end]
    return a


def heat(cells, lengths, sides, times, seed):
    n = int(np.prod(cells))
    widths = [length / count for length, count in zip(lengths, cells)]
    random = np.random.default_rng(seed)
    kappa = random.normal(size=n)
    start = random.normal(size=n)
    source = random.normal(size=n)

    def states(kappa):
        a = heat_matrix(cells, widths, kappa, sides, source)
        return np.concatenate([(expm(t * a) @ np.append(start, 1))[:n] for t in times])

    step = 1e-30
    slopes = [states(kappa + 1j * step * np.eye(n)[j]).imag / step for j in range(n)]
    return {
        "cells": cells,
        "lengths": lengths,
        "sides": sides,
        "times": times,
        "start": start.tolist(),
        "source": source.tolist(),
        "kappa": kappa.tolist(),
        "states": states(kappa + 0j).real.tolist(),
        "slopes": np.transpose(slopes).tolist(),
    }


def gray_scott(cells, lengths, theta, times, periodic, seed):
    random = np.random.default_rng(seed)
    start = random.uniform(size=(2, *cells)) * np.array([1, 0.5])[:, None, None]

    def laplacian(f):
        mode = "wrap" if periodic else "edge"
        g = np.pad(f, 1, mode=mode)
        h = [length / count for length, count in zip(lengths, cells)]
        down = (g[2:, 1:-1] + g[:-2, 1:-1] - 2 * f) / h[0] ** 2
        return down + (g[1:-1, 2:] + g[1:-1, :-2] - 2 * f) / h[1] ** 2

    def rate(t, z):
        u, v = z.reshape(2, *cells)
        du, dv, feed, kill = theta
        reaction = u * v**2
        return np.concatenate([
            (du * laplacian(u) - reaction + feed * (1 - u)).ravel(),
            (dv * laplacian(v) + reaction - (feed + kill) * v).ravel(),
        ])

    found = solve_ivp(rate, (0, times[-1]), start.ravel(), "DOP853", times, rtol=1e-12, atol=1e-14)
    return {
        "cells": cells,
        "lengths": lengths,
        "periodic": periodic,
        "theta": theta,
        "times": times,
        "start": start.ravel().tolist(),
        "states": found.y.T.ravel().tolist(),
    }


reference = {
    "heat": [
        heat([9], [1.8], [[0.7, None]], [0.05, 0.6], 1),
        heat([3, 4], [1.0, 2.0], [[None, -0.4], [1.2, 0.3]], [0.1, 0.5], 2),
        heat([2, 3, 2], [1.0, 1.5, 0.8], [[None, None], [0.5, None], [None, 2.0]], [0.2], 3),
    ],
    "gray_scott": [
        gray_scott([16, 12], [1.6, 0.9], [2e-3, 1e-3, 0.04, 0.06], [1.0, 10.0], True, 4),
        gray_scott([12, 16], [1.0, 1.6], [2e-3, 1e-3, 0.03, 0.055], [1.0, 10.0], False, 5),
    ],
}
with open("tests/reference/fields.json", "w") as file:
    json.dump(reference, file)
