"""Reference states and sensitivities of ordinary differential equations, by SciPy at tight tolerances.

Sensitivities are solved as an extended system, whose right-hand side is written out by hand.
"""

import json

import numpy as np
from scipy.integrate import solve_ivp


def lotka_volterra(t, z, q):
    x, s = z[:2], z[2:].reshape(2, 4)
    f = [q[0] * x[0] - q[1] * x[0] * x[1], q[2] * x[0] * x[1] - q[3] * x[1]]
    j = np.array([[q[0] - q[1] * x[1], -q[1] * x[0]], [q[2] * x[1], q[2] * x[0] - q[3]]])
    p = np.array([[x[0], -x[0] * x[1], 0, 0], [0, 0, x[0] * x[1], -x[1]]])
    return np.concatenate([f, (j @ s + p).ravel()])


def robertson(t, z, q):
    x, s = z[:3], z[3:].reshape(3, 3)
    r = [q[0] * x[0], q[1] * x[1] * x[2], q[2] * x[1] ** 2]
    f = [-r[0] + r[1], r[0] - r[1] - r[2], r[2]]
    j = np.array([
        [-q[0], q[1] * x[2], q[1] * x[1]],
        [q[0], -q[1] * x[2] - 2 * q[2] * x[1], -q[1] * x[1]],
        [0, 2 * q[2] * x[1], 0],
    ])
    p = np.array([[-x[0], x[1] * x[2], 0], [x[0], -x[1] * x[2], -x[1] ** 2], [0, 0, x[1] ** 2]])
    return np.concatenate([f, (j @ s + p).ravel()])


def van_der_pol(t, z, q):
    x, s = z[:2], z[2:]
    f = [x[1], q[0] * (1 - x[0] ** 2) * x[1] - x[0]]
    j = np.array([[0, 1], [-2 * q[0] * x[0] * x[1] - 1, q[0] * (1 - x[0] ** 2)]])
    return np.concatenate([f, j @ s + [0, (1 - x[0] ** 2) * x[1]]])


def run(rate, x0, q, times, method, **options):
    z0 = np.concatenate([x0, np.zeros(len(x0) * len(q))])
    found = solve_ivp(rate, (0, times[-1]), z0, method, times, args=(q,), **options)
    z = found.y.T
    n = len(x0)
    return {
        "theta": q,
        "times": times,
        "states": z[:, :n].ravel().tolist(),
        "slopes": z[:, n:].reshape(len(times) * n, len(q)).tolist(),
    }


json.dump(
    {
        "lotka_volterra": run(
            lotka_volterra, [1.0, 1.0], [1.5, 1.0, 1.0, 3.0], [0.5, 1.0, 2.5, 4.0, 7.0, 10.0], "DOP853", rtol=1e-13, atol=1e-14
        ),
        "robertson": run(
            robertson, [1.0, 0.0, 0.0], [0.04, 1e4, 3e7], [0.4, 4.0, 40.0, 400.0, 4000.0], "Radau", rtol=1e-11, atol=1e-18
        ),
        "van_der_pol": run(
            van_der_pol, [2.0, 0.0], [500.0], [10.0, 200.0, 390.0, 600.0, 1000.0], "Radau", rtol=1e-12, atol=1e-16
        ),
    },
    open("tests/reference/evolution.json", "w"),
    indent=1,
)
