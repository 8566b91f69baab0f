"""Profile-t intervals of nonlinear regressions by SciPy: least squares over all other parameters, and Brent's method.

python make_profiles.py > profiles.json

Data: biochemical oxygen demand and Puromycin, from Bates and Watts (1988); Misra1a, Rat42 and Thurber, from nist.json.
"""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import brentq, least_squares
from scipy.stats import t as student

nist = {set["name"]: set for set in json.loads(Path(__file__).with_name("nist.json").read_text())}


def nist_data(name):
    return np.array(nist[name]["x"]), np.array(nist[name]["y"])


concentration = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)
rate = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])
demand = np.array([8.3, 10.3, 19.0, 16.0, 15.6, 19.8])



def rational(b, x):
    return (b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3) / (1 + b[4] * x + b[5] * x**2 + b[6] * x**3)


SETS = [
    ("demand", lambda b, x: b[0] * (1 - np.exp(-b[1] * x)), [19.0, 0.5], (np.array([1.0, 2, 3, 4, 5, 7]), demand)),
    ("puromycin", lambda b, x: b[0] * x / (b[1] + x), [200.0, 0.06], (concentration, rate)),
    ("misra1a", lambda b, x: b[0] * (1 - np.exp(-b[1] * x)), [240.0, 5.5e-4], nist_data("Misra1a")),
    ("thurber", rational, nist["Thurber"]["certified"], nist_data("Thurber")),
    ("rat42", lambda b, x: b[0] / (1 + np.exp(b[1] - b[2] * x)), [72.0, 2.6, 0.067], nist_data("Rat42")),
]


def fit(residual, start):
    scale = np.abs(start)
    solution = least_squares(
        lambda u: residual(u * scale), start / scale, jac="cs", method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    return solution.x * scale, solution.cost


def ends(formula, data, best, objective, j, level):
    """The values of parameter j at which the objective exceeds its minimum by t² s²/2."""
    x, y = data
    freedom = len(y) - len(best)
    quantile = student.ppf(0.5 + 0.5 * level, freedom)
    threshold = 0.5 * quantile**2 * 2 * objective / freedom
    found = []
    for sign in [-1.0, 1.0]:
        others = np.delete(best, j)

        def excess(value):
            nonlocal others
            minimum, cost = fit(lambda o: formula(np.insert(o, j, value), x) - y, others)
            others = minimum
            return np.sqrt(max(cost - objective, 0.0) / threshold) - 1.0

        near, step = best[j], 0.01 * abs(best[j])
        while excess(near + sign * step) < 0:
            near += sign * step
        found.append(brentq(excess, near, near + sign * step, xtol=1e-13 * abs(near), rtol=1e-14))
    return found


rows = []
for name, formula, start, (x, y) in SETS:
    best, objective = fit(lambda b: formula(b, x) - y, np.array(start))
    for level in [0.8, 0.95]:
        intervals = [ends(formula, (x, y), best, objective, j, level) for j in range(len(best))]
        rows.append({"set": name, "level": level, "theta": best.tolist(), "x": x.tolist(), "y": y.tolist(), "intervals": intervals})
print(json.dumps(rows))
