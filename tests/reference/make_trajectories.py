"""Reference trajectories of all ready flows by SciPy at tight tolerances, and arrays as NumPy writes them.

The velocities are written out here once more; the integrator is SciPy's, not the library's. Over a time of 8 the Lorenz
equations stretch errors by about e^7, so that the values hold to 1e-9 or better.

    python3 tests/reference/make_trajectories.py

writes trajectories.json next to this file, which needs to be run again only when a definition changes.
"""

import io
import json
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

TIMES = np.arange(1, 17) * 0.5


def bent(v):
    return 50 * np.arctan(np.asarray(v) / 50)


def lorenz(x, y, z, s, r, b):
    return s * (y - x), x * (r - z) - y, x * y - b * z


FLOWS = {
    "lorenz": (lorenz, (10, 28, 8 / 3), (1, 1, 20)),
    "arctan_lorenz": (lambda *a: bent(lorenz(*a)), (10, 28, 8 / 3), (1, 1, 20)),
    "rossler": (lambda x, y, z, a, b, c: (-y - z, x + a * y, b + z * (x - c)), (0.2, 0.2, 5.7), (1, 1, 0)),
    "chen": (lambda x, y, z, a, b, c: (a * (y - x), (c - a) * x - x * z + c * y, x * y - b * z), (35, 3, 28), (1, 1, 20)),
    "van_der_pol": (lambda x, y, m: (y, m * (1 - x * x) * y - x), (1,), (2, 0)),
}


def trajectory(name):
    velocity, theta, start = FLOWS[name]
    solution = solve_ivp(
        lambda t, x: velocity(*x, *theta), (0, TIMES[-1]), start,
        method="DOP853", t_eval=TIMES, rtol=1e-13, atol=1e-13, max_step=0.01,
    )
    return {"name": name, "theta": theta, "start": start, "points": solution.y.T.tolist()}


def saved(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue().hex()


def arrays():
    timed = np.array([[0.0, 1.5, -2.0, 0.125], [0.25, 3.0, 4.0, 1e-300], [0.5, 5.0, 6.0, 7e7]])
    return {
        "timed": timed.tolist(),
        "plain": saved(timed),
        "fortran": saved(np.asfortranarray(timed)),
        "single": saved(timed[:, 1:3].astype("<f4")),
        "version2": saved(timed, (2, 0)),
        "version3": saved(timed, (3, 0)),
        "big_endian": saved(timed.astype(">f8")),
        "integers": saved(timed.astype("<i8")),
        "vector": saved(timed[:, 0]),
    }


if __name__ == "__main__":
    result = {"times": TIMES.tolist(), "trajectories": [trajectory(n) for n in FLOWS], "arrays": arrays()}
    Path(__file__).with_name("trajectories.json").write_text(json.dumps(result, indent=1) + "\n")
