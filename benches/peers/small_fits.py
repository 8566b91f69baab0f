"""Microseconds a fit for y = a exp(-b t) + c by MINPACK through SciPy, with derivatives by hand.

The data are those of benches/small_fits.rs.
"""

import time

import numpy as np
from scipy.optimize import curve_fit, leastsq

COUNT = 20_000
t = 0.4 * np.arange(10)


def data(i):
    height, rate, level = 2 + np.sin(0.1 * i), 1 + 0.5 * np.sin(0.37 * i), 0.5 * np.cos(0.53 * i)
    error = 0.02 * np.sin(12.9898 * i + 78.233 * np.arange(10))
    return height * np.exp(-rate * t) + level + error


def values(theta, t):
    return theta[0] * np.exp(-theta[1] * t) + theta[2]


def residual(theta, y):
    return values(theta, t) - y


def slopes(theta, y):
    e = np.exp(-theta[1] * t)
    return np.stack([e, -theta[0] * t * e, np.ones_like(t)])


start = [1.0, 1.0, 0.0]
some = [data(i) for i in range(2000)]
for name, fit in {
    "leastsq, derivatives by hand": lambda y: leastsq(residual, start, (y,), Dfun=slopes, col_deriv=True, full_output=True)[0],
    "curve_fit, differences": lambda y: curve_fit(lambda t, *theta: values(theta, t), t, y, start)[0],
}.items():
    best = np.inf
    for _ in range(3):
        clock = time.perf_counter()
        total = sum(fit(y).sum() for y in some)
        best = min(best, time.perf_counter() - clock)
    print(f"{name}: {1e6 * best / len(some):.1f} microseconds a fit, sum of theta {total:.9f} in {len(some)} fits")
