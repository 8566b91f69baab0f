"""Sparse LU where it may win: the Lorenz generator on small boxes and a Laplacian in the plane, 64 columns.

Factorised by SciPy's `splu` on the host and solved there; and by CuPy's `splu`, which factorises on the host by SciPy too
and solves triangles on the device. The generator is without its gauge, which no factor of a sparse matrix takes; right-hand
sides orthogonal to the density have the same adjoints either way. Two lines for each: with the factorisation, and the
solves alone (`-known`).

    OPENBLAS_NUM_THREADS=1 python3 benches/peers/gpu_splu.py        # --dry: SciPy alone, 12^3 and 32^2
"""

import argparse
import statistics
import sys
import time

import numpy as np

from problems import ALPHA, generator, plane, report, table

RUNS = 3


def timed(work):
    begin = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begin


class Host:
    name = "scipy-splu"

    def factor(self, a):
        from scipy.sparse.linalg import splu

        return splu(a)

    def to(self, b):
        return b

    back = to

    def solve(self, lu, b, trans):
        return lu.solve(b, trans=trans)


class Device:
    name = "cupy-splu"

    def __init__(self):
        import cupy
        import cupyx.scipy.sparse.linalg

        cupy.cuda.Device().synchronize()
        self.cupy, self.linalg, self.sparse = cupy, cupyx.scipy.sparse.linalg, cupyx.scipy.sparse

    def factor(self, a):
        lu = self.linalg.splu(self.sparse.csc_matrix(a))
        self.cupy.cuda.Device().synchronize()
        return lu

    def to(self, b):
        return self.cupy.asfortranarray(self.cupy.asarray(b))

    def back(self, x):
        return self.cupy.asnumpy(x)

    def solve(self, lu, b, trans):
        x = lu.solve(b, trans=trans)
        self.cupy.cuda.Device().synchronize()
        return x


def measure(place, problem, n, a, b, trans):
    """Columns of b travel once, outside of the times; one of them warms up, and short solves are repeated."""
    lu, made = timed(lambda: place.factor(a))
    there = place.to(b)
    place.solve(lu, place.to(b[:, :1]), trans)
    solves = [timed(lambda: place.solve(lu, there, trans))]
    while len(solves) < RUNS and solves[0][1] < 0.5:
        solves.append(timed(lambda: place.solve(lu, there, trans)))
    solved, x = statistics.median(seconds for _, seconds in solves), place.back(solves[0][0])
    residual = np.max(np.linalg.norm(b - (a.T if trans == "T" else a) @ x, axis=0) / np.linalg.norm(b, axis=0))
    columns = b.shape[1]
    yield report(place.name, problem, n, columns, 0, made + solved, residual)
    yield report(f"{place.name}-known", problem, n, columns, 0, solved, residual)
    assert residual < 1e-8, "the solution is wrong"


def flow(n, columns):
    from scipy.sparse.linalg import splu

    a = generator(n)
    rho = splu(a).solve(np.full(n**3, ALPHA / n**3))
    b = np.random.default_rng(3).standard_normal((n**3, columns))
    return a, b - np.outer(rho, rho @ b / (rho @ rho))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flow", type=int, nargs="*", help="cells along an axis of the generator; 24 and 32 if left out")
    parser.add_argument("--plane", type=int, help="cells along an axis of the Laplacian; 256 if left out")
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--dry", action="store_true", help="small, and on the host alone")
    options = parser.parse_args()
    places, rows = [], []
    for make, name in [(Host, "SciPy")] + ([] if options.dry else [(Device, "CuPy")]):
        try:
            import scipy.sparse  # noqa: F401

            places.append(make())
        except Exception as error:
            print(f"skipped: {name} cannot be used here: {error}")
    if not places:
        return 0
    flows = options.flow or ([12] if options.dry else [24, 32])
    across = options.plane or (32 if options.dry else 256)
    b = lambda: np.random.default_rng(2).standard_normal((across**2, options.columns))
    problems = [("plane-laplacian", across, lambda: (plane(across), b()), "N")]
    problems += [("adjoints", n, lambda n=n: flow(n, options.columns), "T") for n in flows]
    for problem, n, make, trans in problems:
        a, sides = make()
        for place in places:
            try:
                rows += measure(place, problem, n, a, sides, trans)
            except AssertionError:
                raise
            except Exception as error:
                print(f"failed: {place.name}, {problem} {n}: {error}", flush=True)
    table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
