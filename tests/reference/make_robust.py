"""Robust fits of a decaying exponential with outliers by SciPy, at machine tolerances.

python make_robust.py > robust.json
"""

import json

import numpy as np
from scipy.optimize import least_squares

rng = np.random.default_rng(3)
t = np.linspace(0.0, 5.0, 40)
y = 2.5 * np.exp(-0.7 * t) + 0.3 + 0.05 * rng.standard_normal(t.size)
y[[4, 11, 17, 29, 33]] += [3.0, -1.2, 2.0, 0.9, -0.6]
deviation = 0.05


def residual(b):
    return (b[0] * np.exp(-b[1] * t) + b[2] - y) / deviation


fits = []
for loss, scale in [("linear", 1.0), ("soft_l1", 1.287), ("huber", 1.345), ("cauchy", 2.385)]:
    fit = least_squares(
        residual,
        [2.4, 0.8, 0.25],
        loss=loss,
        f_scale=scale,
        jac="cs",
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
        max_nfev=10_000,
    )
    fits.append({"loss": loss, "scale": scale, "theta": fit.x.tolist(), "value": fit.cost, "evaluations": fit.nfev})
print(json.dumps({"t": t.tolist(), "y": y.tolist(), "deviation": deviation, "fits": fits}))
