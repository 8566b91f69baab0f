"""Work of SciPy's L-BFGS-B and nonlinear conjugate gradients on problems of Moré, Garbow and Hillstrom (1981).

python make_optimisers.py > optimisers.json
"""

import json

import numpy as np
from scipy.optimize import minimize

GAUSSIAN = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989]
GAUSSIAN = np.array(GAUSSIAN + GAUSSIAN[-2::-1])


def rosenbrock(x):
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def extended(x):
    odd, even = x[0::2], x[1::2]
    return np.concatenate([10 * (even - odd**2), 1 - odd])


def beale(x):
    y = np.array([1.5, 2.25, 2.625])
    return y - x[0] * (1 - x[1] ** np.arange(1, 4))


def powell(x):
    return np.array([x[0] + 10 * x[1], np.sqrt(5) * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, np.sqrt(10) * (x[0] - x[3]) ** 2])


def wood(x):
    return np.array(
        [
            10 * (x[1] - x[0] ** 2),
            1 - x[0],
            np.sqrt(90) * (x[3] - x[2] ** 2),
            1 - x[2],
            np.sqrt(10) * (x[1] + x[3] - 2),
            (x[1] - x[3]) / np.sqrt(10),
        ]
    )


def brown_dennis(x):
    t = np.arange(1, 21) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def gaussian(x):
    t = (8 - np.arange(1, 16)) / 2
    return x[0] * np.exp(-0.5 * x[1] * (t - x[2]) ** 2) - GAUSSIAN


PROBLEMS = [
    (rosenbrock, [-1.2, 1.0]),
    (extended, [-1.2, 1.0] * 10),
    (beale, [1.0, 1.0]),
    (powell, [3.0, -1.0, 0.0, 1.0]),
    (wood, [-3.0, -1.0, -3.0, -1.0]),
    (brown_dennis, [25.0, 5.0, -5.0, -1.0]),
    (gaussian, [0.4, 1.0, 0.0]),
]

found = []
for residual, start in PROBLEMS:

    def value(x):
        return 0.5 * np.sum(residual(x) ** 2)

    def gradient(x):
        # Complex steps are exact to rounding.
        steps = 1e-30j * np.eye(x.size)
        jacobian = np.array([residual(x + step).imag / 1e-30 for step in steps])
        return jacobian @ residual(x)

    row = {"problem": residual.__name__, "start": start}
    scale = np.linalg.norm(gradient(np.array(start)), np.inf)
    for method, options in [("L-BFGS-B", {"maxcor": 10, "ftol": 0.0, "maxiter": 5000, "maxfun": 20000}), ("CG", {"maxiter": 5000})]:
        run = minimize(value, np.array(start), jac=gradient, method=method, options={**options, "gtol": 1e-8 * scale})
        row[method] = {"value": run.fun, "evaluations": run.nfev, "steps": run.nit}
    found.append(row)
print(json.dumps(found, indent=1))
