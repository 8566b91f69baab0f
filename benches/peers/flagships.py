"""Peer of `cargo bench --bench flagships`: the same runs, and lines "run,quantity,by,seconds" as there.

    OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 SOLVER=cholmod python3 benches/peers/flagships.py darcy-128

SOLVER is one of those of definite.py, or minpack for fits. Runs that a solver does not do print nothing.
"""

import argparse
import importlib.util
import os
import time

import numpy as np

os.environ.setdefault("SOLVER", "splu")
SOLVER = os.environ["SOLVER"]
MODULES = dict(splu="scipy", cholmod="sksparse", pardiso="pypardiso", minpack="scipy")
NAMES = dict(splu="SuperLU", cholmod="CHOLMOD", pardiso="PARDISO", minpack="MINPACK")


def shortest(repeats, work):
    """The shortest of some runs after one that does not count, unless there is only one."""
    least = np.inf
    for k in range(repeats + (repeats > 1)):
        begin = time.perf_counter()
        work()
        if k > 0 or repeats == 1:
            least = min(least, time.perf_counter() - begin)
    return least


def darcy(n):
    from darcy_gauss_newton import Inversion, Problem

    if n >= 512 and SOLVER == "splu":
        return  # takes minutes
    problem = Problem(n, 200)
    histories = [Inversion(problem).run(1e-6) for _ in range(1 if n >= 512 else 3)]
    best = min(history[-1][0] for history in histories)
    near = [next(row for row in history if row[0] <= 1.01 * best) for history in histories]
    yield "to 1 %", min(row[3] for row in near)


def laplacian(n):
    from problems import plane
    from definite import KINDS

    a = plane(n)
    kind = KINDS[SOLVER](a)
    one, many = np.ones(n * n), np.asfortranarray(np.random.default_rng(2).standard_normal((n * n, 64)))
    yield "factor", shortest(3, lambda: kind.factorise(a))
    solve = kind.factorise(a)
    yield "one column", shortest(5, lambda: solve(one))
    yield "64 columns", shortest(3, lambda: solve(many))


def w2(n):
    from definite import KINDS
    from w2_step import faces, factor_banded, factor_sparse, mixture, step

    if n >= 1024 and SOLVER == "splu":
        return  # takes half a minute
    x = -4 + 14 / n * (np.arange(n) + 0.5)
    lower, upper = faces(n)
    target, _ = mixture(np.array([0.3, 1, 3, 3, 2]), x)
    theta = np.array([0.4, 1.5, 3.2, 3.3, 1.8])
    factors = {NAMES[SOLVER]: factor_sparse(KINDS[SOLVER], lower, upper, n * n)}
    if SOLVER == "splu" and n <= 256:
        factors["banded Cholesky"] = factor_banded
    for name, factor in factors.items():
        yield "a step", shortest(5 if n <= 256 else 1, lambda: step(theta, target, x, lower, upper, factor)), name


def fits(k):
    from scipy.optimize import leastsq

    t = 4.0 * np.arange(k) / k
    count = max(1, min(2000, 20_000 // k))
    i = (3 if k == 1_000_000 else 0) + np.arange(count)[:, None]
    error = 0.02 * np.sin(12.9898 * i + 78.233 * np.arange(k))
    rate = 1 + 0.5 * np.sin(0.37 * i)
    data = (2 + np.sin(0.1 * i)) * np.exp(-rate * t) + 0.5 * np.cos(0.53 * i) + error

    def jacobian(theta, y):
        decay = np.exp(-theta[1] * t)
        return np.stack([decay, -theta[0] * t * decay, np.ones(k)])

    def all_of_them():
        for y in data:
            residual = lambda theta, y: theta[0] * np.exp(-theta[1] * t) + theta[2] - y
            leastsq(residual, [1.0, 1.0, 0.0], args=(y,), Dfun=jacobian, col_deriv=True)

    yield "a fit", shortest(3, all_of_them) / count


RUNS = dict(darcy=darcy, laplacian=laplacian, w2=w2, fits=fits)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a kind and a size, as darcy-128")
    kind, _, size = parser.parse_args().run.partition("-")
    installed = importlib.util.find_spec(MODULES[SOLVER]) is not None
    if not installed or kind not in RUNS or not size.isdigit() or (SOLVER == "minpack") != (kind == "fits"):
        return
    for quantity, seconds, *name in RUNS[kind](int(size)):
        print(f"{kind}-{size},{quantity},{(name or [NAMES[SOLVER]])[0]},{seconds:.3e}", flush=True)


if __name__ == "__main__":
    main()
