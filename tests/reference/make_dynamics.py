"""Reference observations and sensitivities of the ready-made dynamics, by SciPy at tight tolerances.

The derivative of a state along a parameter solves the variational equation. Its right-hand side, the derivative of the rate
along (derivative of the state, unit vector), is taken by a complex step and is exact to rounding. The pendulum is solved by its
angle, without an algebraic equation.

python make_dynamics.py > dynamics.json
"""

import json

import numpy as np
from scipy.integrate import solve_ivp

STEP = 1e-40


def along(function, x, s, q):
    """Derivatives of function(x, q), a column for each parameter."""
    columns = []
    for j in range(len(q)):
        shifted = np.array(q, complex)
        shifted[j] += 1j * STEP * abs(q[j])
        columns.append(np.imag(function(x + 1j * STEP * abs(q[j]) * s[:, j], shifted)) / STEP / abs(q[j]))
    return np.array(columns).T


def solve(rate, start, q, times, options=None, observe=None):
    """Observations and their derivatives at all times, the latter relative to the parameters: |θⱼ| ∂y/∂θⱼ."""
    q = [float(x) for x in q]
    n, p = len(start(np.array(q))), len(q)
    scales = np.abs(q)

    def extended(t, z):
        x, s = z[:n], z[n:].reshape(n, p) / scales
        ds = along(lambda x, q: rate(t, x, q), x, s, q) * scales
        return np.concatenate([rate(t, x, q), ds.ravel()])

    s0 = along(lambda _, q: start(q), np.zeros(n), np.zeros((n, p)), q) * scales
    z0 = np.concatenate([start(np.array(q)), s0.ravel()])
    options = options or dict(method="DOP853", rtol=1e-13, atol=1e-14)
    found = solve_ivp(extended, (0, max(times[-1], 1e-3)), z0, t_eval=times, **options)
    assert found.success, found.message
    observe = observe or (lambda x, q: x)
    values, slopes = [], []
    for z in found.y.T:
        x, s = z[:n], z[n:].reshape(n, p) / scales
        values.append(np.real(observe(x, np.array(q))).tolist())
        slopes.append((along(observe, x, s, q) * scales).tolist())
    return {"theta": q, "times": times, "values": sum(values, []), "slopes": sum(slopes, [])}


def stack(*parts):
    return np.array(parts)


def lotka_volterra(t, x, q):
    return stack(q[0] * x[0] - q[1] * x[0] * x[1], q[2] * x[0] * x[1] - q[3] * x[1])


def fitzhugh_nagumo(t, x, q):
    return stack(q[2] * (x[0] - x[0] ** 3 / 3 + x[1]), -(x[0] - q[0] + q[1] * x[1]) / q[2])


def sir(t, x, q, population=1000.0):
    new = q[0] * x[0] * x[1] / population
    return stack(-new, new - q[1] * x[1], q[1] * x[1])


def seir(t, x, q, population=1000.0):
    new = q[0] * x[0] * x[2] / population
    return stack(-new, new - q[2] * x[1], q[2] * x[1] - q[1] * x[2], q[1] * x[2])


def robertson(t, x, q):
    r = [q[0] * x[0], q[1] * x[1] * x[2], q[2] * x[1] ** 2]
    return stack(-r[0] + r[1], r[0] - r[1] - r[2], r[2])


def goodwin(t, x, q):
    a, d, half, n = q[:3], q[3:6], q[6], q[7]
    repressed = a[0] / (1 + np.exp(n * np.log(x[2] / half)))
    return stack(repressed - d[0] * x[0], a[1] * x[0] - d[1] * x[1], a[2] * x[1] - d[2] * x[2])


def lorenz(t, x, q):
    return stack(q[0] * (x[1] - x[0]), x[0] * (q[1] - x[2]) - x[1], x[0] * x[1] - q[2] * x[2])


def pendulum(t, x, q):
    return stack(x[1], -q[0] / q[1] * np.sin(x[0]))


def pendulum_seen(x, q):
    (angle, omega), (gravity, length) = x, q[:2]
    sine, cosine = np.sin(angle), np.cos(angle)
    force = length * omega**2 + gravity * cosine
    return stack(length * sine, -length * cosine, length * omega * cosine, length * omega * sine, force)


# Boehm et al. (2014) as in the PEtab collection: species, reactions in amounts, and volumes.
SPECIES = ["A", "B", "pApB", "pApA", "pBpB", "nucpApA", "nucpApB", "nucpBpB"]
RATIO, SPEC, CYTOPLASM, NUCLEUS = 0.693, 0.107, 1.4, 0.45
REACTIONS = [
    (["A", "A"], ["pApA"], CYTOPLASM, "phos"),
    (["A", "B"], ["pApB"], CYTOPLASM, "phos"),
    (["B", "B"], ["pBpB"], CYTOPLASM, "phos"),
    (["pApA"], ["nucpApA"], CYTOPLASM, "imp_homo"),
    (["pApB"], ["nucpApB"], CYTOPLASM, "imp_hetero"),
    (["pBpB"], ["nucpBpB"], CYTOPLASM, "imp_homo"),
    (["nucpApA"], ["A", "A"], NUCLEUS, "exp_homo"),
    (["nucpApB"], ["A", "B"], NUCLEUS, "exp_hetero"),
    (["nucpBpB"], ["B", "B"], NUCLEUS, "exp_homo"),
]


def jak_stat(t, x, q):
    epo, k = 1.25e-7 * np.exp(-q[0] * t), {
        "exp_hetero": q[1], "exp_homo": q[2], "imp_hetero": q[3], "imp_homo": q[4], "phos": q[5]
    }
    k["phos"] = k["phos"] * epo
    amounts = [0.0] * 8
    for reactants, products, volume, name in REACTIONS:
        flow = volume * k[name]
        for species in reactants:
            flow = flow * x[SPECIES.index(species)]
        for species in reactants:
            amounts[SPECIES.index(species)] -= flow
        for species in products:
            amounts[SPECIES.index(species)] += flow
    return stack(*[a / (NUCLEUS if s.startswith("nuc") else CYTOPLASM) for a, s in zip(amounts, SPECIES)])


def jak_stat_seen(x, q):
    a, b, ab, aa, bb = x[:5]
    c = SPEC
    return stack(
        (100 * ab + 200 * aa * c) / (ab + a * c + 2 * aa * c),
        -(100 * ab - 200 * bb * (c - 1)) / ((b * (c - 1) - ab) + 2 * bb * (c - 1)),
        (100 * ab + 100 * a * c + 200 * aa * c) / (2 * ab + a * c + 2 * aa * c - b * (c - 1) - 2 * bb * (c - 1)),
        q[6], q[7], q[8],
    )


def given(*start):
    return lambda q: np.array(start, np.asarray(q).dtype)


def last(count):
    return lambda q: np.array(q[-count:])


def infected(compartments, index):
    def start(q):
        x = [0 * q[0]] * compartments
        x[0], x[index] = 1000.0 - q[-1], q[-1]
        return np.array(x)

    return start


JAK = [
    0.026982514033029, 1.00067973851508e-05, 0.006170228086381, 0.0163679184468, 97749.3794024716, 15766.5070195731,
    3.85261197844677, 6.59147818673419, 3.15271275648527,
]
JAK_TIMES = [0.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 120.0, 160.0, 200.0, 240.0]
WEEKS = [0.0, 5.0, 10.0, 20.0, 40.0, 80.0]
stiff = dict(method="Radau", rtol=1e-11, atol=1e-16)

print(
    json.dumps(
        {
            "lotka_volterra": solve(lotka_volterra, last(2), [0.55, 0.028, 0.024, 0.8, 30.0, 4.0], [0.0, 2.0, 5.0, 9.0, 14.0, 20.0]),
            "fitzhugh_nagumo": solve(fitzhugh_nagumo, last(2), [0.2, 0.2, 3.0, -1.0, 1.0], [1.0, 4.0, 9.0, 14.0, 20.0]),
            "sir": solve(sir, infected(3, 1), [0.5, 0.2, 3.0], WEEKS),
            "seir": solve(seir, infected(4, 2), [0.7, 0.2, 0.4, 3.0], WEEKS),
            "prevalence": solve(seir, infected(4, 2), [0.7, 0.2, 0.4, 3.0], WEEKS, observe=lambda x, q: x[2:3]),
            "incidence": solve(
                seir, infected(4, 2), [0.7, 0.2, 0.4, 3.0], WEEKS, observe=lambda x, q: stack(q[0] * x[0] * x[2] / 1000.0)
            ),
            "robertson": solve(robertson, last(3), [0.04, 1e4, 3e7, 0.9, 1e-6, 0.1], [0.4, 40.0, 4000.0], stiff),
            "goodwin": solve(
                goodwin, last(3), [1.0, 0.8, 0.9, 0.1, 0.12, 0.11, 1.5, 10.0, 0.1, 0.3, 1.6], [5.0, 20.0, 50.0, 90.0, 140.0]
            ),
            "lorenz": solve(lorenz, last(3), [10.0, 28.0, 8 / 3, 1.0, 1.0, 20.0], [0.5, 1.0, 2.0, 3.0]),
            "pendulum": solve(pendulum, last(2), [9.81, 1.3, 2.5, -0.4], [0.0, 0.7, 1.9, 3.6, 6.0], observe=pendulum_seen),
            "jak_stat": solve(jak_stat, given(207.6 * RATIO, 207.6 * (1 - RATIO), 0, 0, 0, 0, 0, 0), JAK, JAK_TIMES,
                              stiff, jak_stat_seen),
        },
        indent=1,
    )
)
