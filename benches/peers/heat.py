"""The heat equation of benches/fields.rs with SciPy: milliseconds forward, and with all tangents as one larger system.

The tangents S of 200 cells in 200 conductivities obey dS/dt = A S + F, with the same sparse A as the state.
"""

import time

import numpy as np
import scipy.sparse as sp
from scipy.integrate import solve_ivp

n = 200
cell = np.arange(n)
x0 = np.sin(0.03 * cell)
conductivity = np.exp(np.cos(0.05 * cell))
left, right = conductivity[:-1], conductivity[1:]
# Harmonic means at the faces, and their slopes in the logarithms of both neighbours.
face = 2 * left * right / (left + right) * n**2
by_left, by_right = face * right / (left + right), face * left / (left + right)
down = np.append(face, 0)
up = np.insert(face, 0, 0)
a = sp.diags([-(down + up), face, face], [0, 1, -1]).tocsr()


def both(t, z):
    z = z.reshape(n, n + 1)
    rate = a @ z
    jump = np.diff(z[:, 0])
    k = np.arange(n - 1)
    rate[k, 1 + k] += by_left * jump
    rate[k, 2 + k] += by_right * jump
    rate[k + 1, 1 + k] -= by_left * jump
    rate[k + 1, 2 + k] -= by_right * jump
    return rate.ravel()


def shortest(runs, rate, z0, jacobian):
    best = np.inf
    for _ in range(runs):
        clock = time.perf_counter()
        found = solve_ivp(rate, (0, 0.2), z0, "BDF", 0.02 * np.arange(1, 11), jac=jacobian, rtol=1e-6, atol=1e-8)
        assert found.success
        best = min(best, time.perf_counter() - clock)
    return 1e3 * best


forward = shortest(5, lambda t, x: a @ x, x0, a.tocsc())
start = np.column_stack([x0, np.zeros((n, n))]).ravel()
tangents = shortest(1, both, start, sp.kron(a, sp.identity(n + 1)).tocsc())
print(f"heat, 200 cells, BDF: forward {forward:.1f}, with 200 tangents {tangents:.0f} milliseconds")
