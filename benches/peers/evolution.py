"""Milliseconds for the problems of benches/evolution.rs with SciPy: forward, and with all tangents as one larger system."""

import time

import numpy as np
from scipy.integrate import solve_ivp


def lotka_volterra(t, z, q):
    x = z[:2]
    f = [q[0] * x[0] - q[1] * x[0] * x[1], q[2] * x[0] * x[1] - q[3] * x[1]]
    if len(z) == 2:
        return f
    s = z[2:].reshape(2, 4)
    j = np.array([[q[0] - q[1] * x[1], -q[1] * x[0]], [q[2] * x[1], q[2] * x[0] - q[3]]])
    p = np.array([[x[0], -x[0] * x[1], 0, 0], [0, 0, x[0] * x[1], -x[1]]])
    return np.concatenate([f, (j @ s + p).ravel()])


def robertson(t, z, q):
    x = z[:3]
    a, b, c = q[0] * x[0], q[1] * x[1] * x[2], q[2] * x[1] ** 2
    f = [b - a, a - b - c, c]
    if len(z) == 3:
        return f
    s = z[3:].reshape(3, 3)
    j = np.array([
        [-q[0], q[1] * x[2], q[1] * x[1]],
        [q[0], -q[1] * x[2] - 2 * q[2] * x[1], -q[1] * x[1]],
        [0, 2 * q[2] * x[1], 0],
    ])
    p = np.array([[-x[0], x[1] * x[2], 0], [x[0], -x[1] * x[2], -x[1] ** 2], [0, 0, x[1] ** 2]])
    return np.concatenate([f, (j @ s + p).ravel()])


def shortest(rate, z0, q, times, method, rtol, atol):
    best = np.inf
    for _ in range(3):
        clock = time.perf_counter()
        found = solve_ivp(rate, (0, times[-1]), z0, method, times, args=(q,), rtol=rtol, atol=atol)
        assert found.success
        best = min(best, time.perf_counter() - clock)
    return 1e3 * best


for name, rate, x0, q, times, method, rtol, atol in [
    ("Lotka-Volterra", lotka_volterra, [1, 1], [1.5, 1, 1, 3], 0.1 * np.arange(1, 101), "LSODA", 1e-8, [1e-8] * 2),
    ("Robertson", robertson, [1, 0, 0], [0.04, 1e4, 3e7], 0.4 * 10.0 ** np.arange(9), "BDF", 1e-6, [1e-8, 1e-12, 1e-8]),
]:
    n, p = len(x0), len(q)
    forward = shortest(rate, np.array(x0, float), q, times, method, rtol, atol)
    both = np.concatenate([x0, np.zeros(n * p)])
    tangents = shortest(rate, both, q, times, method, rtol, np.concatenate([atol, np.repeat(atol, p)]))
    print(f"{name}, {method}: forward {forward:.1f}, with all tangents {tangents:.1f} milliseconds")
