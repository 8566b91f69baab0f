"""Microseconds a fit for y = a exp(-b t) + c by MINPACK through SciPy, with derivatives by hand.

The data are those of benches/small_fits.rs.
"""

import time

import numpy as np
from scipy.optimize import curve_fit, leastsq


def data(t, i):
    height, rate, level = 2 + np.sin(0.1 * i), 1 + 0.5 * np.sin(0.37 * i), 0.5 * np.cos(0.53 * i)
    error = 0.02 * np.sin(12.9898 * i + 78.233 * np.arange(t.size))
    return height * np.exp(-rate * t) + level + error


def values(theta, t):
    return theta[0] * np.exp(-theta[1] * t) + theta[2]


def residual(theta, t, y):
    return values(theta, t) - y


def slopes(theta, t, y):
    e = np.exp(-theta[1] * t)
    return np.stack([e, -theta[0] * t * e, np.ones_like(t)])


start = [1.0, 1.0, 0.0]
FITS = {
    "leastsq, derivatives by hand": lambda t, y: leastsq(
        residual, start, (t, y), Dfun=slopes, col_deriv=True, full_output=True
    )[0],
    "curve_fit, differences": lambda t, y: curve_fit(lambda t, *theta: values(theta, t), t, y, start)[0],
}
for k, first, count in [(10, 0, 2000), (1000, 0, 500), (1_000_000, 3, 1)]:
    t = 4 * np.arange(k) / k
    some = [data(t, i) for i in range(first, first + count)]
    for name, fit in FITS.items():
        best = np.inf
        for _ in range(3):
            clock = time.perf_counter()
            total = sum(fit(t, y).sum() for y in some)
            best = min(best, time.perf_counter() - clock)
        print(f"{k} data, {name}: {1e6 * best / len(some):.1f} microseconds a fit, sum of theta {total:.9f}")
