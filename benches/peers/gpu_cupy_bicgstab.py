"""Hand-batched Krylov solvers with Jacobi's preconditioner on the GPU, in CuPy with kernels of their own.

The problems of `cargo bench --features cuda,internals --bench gpu`: adjoints of the Lorenz equations by BiCGSTAB (the
transposed generator with its gauge) and the Laplacian weighted with their stationary density by conjugate gradients, all
columns in lock step with scalars of their own, to a relative residual of 1e-8 that is computed anew at the end. An iteration of
BiCGSTAB moves 152 bytes an unknown and column, coefficients aside. A run that meets its cap of iterations or seconds
says how far it came.

    python3 benches/peers/gpu_cupy_bicgstab.py             # --dry: in NumPy, 12 and 16 cells, held against SciPy's spsolve
"""

import argparse
import os
import sys
import time

import numpy as np

from problems import ALPHA, lorenz, report, table, weighted

TOLERANCE = 1e-8
SCALARS = ["ALPHA", "OMEGA", "BETA", "RHO", "SHIFT", "ACTIVE", "RESTART", "TARGET", "NORM2", "ITERATIONS"]
STAGES = ["GAUGE", "FIRST", "SECOND", "CLOSE", "STEP", "CONJUGATE"]


class Numpy:
    """The kernels in NumPy: what `gpu_cupy_kernels.cu` says, line by line."""

    name, xp = "numpy", np

    def __init__(self):
        self.random = np.random.default_rng(3)

    def normal(self, cells, columns):
        return self.random.standard_normal((cells, columns))

    def finished(self):
        pass

    def product(self, c, x, other, y, scalars):
        cells, n = c.shape[1], round(c.shape[1] ** (1 / 3))
        y[:] = c[6][:, None] * x + scalars[SCALARS.index("SHIFT")]
        for axis, away in enumerate([n * n, n, 1]):
            y[away:] -= c[2 * axis, away:, None] * x[: cells - away]
            y[: cells - away] -= c[2 * axis + 1, : cells - away, None] * x[away:]
        return (other * y).sum(axis=0), (y * y).sum(axis=0)

    def direction(self, r, p, v, shadow, w, scalars):
        omega, beta = (scalars[SCALARS.index(name)] for name in ["OMEGA", "BETA"])
        restart = scalars[SCALARS.index("RESTART")] != 0
        p[:] = np.where(restart, r, r + beta * (p - omega * v))
        shadow[:, restart] = r[:, restart]
        return w @ p, None

    def halfway(self, r, v, w, scalars):
        r -= scalars[SCALARS.index("ALPHA")] * v
        return w @ r, None

    def update(self, x, p, r, t, shadow, scalars):
        alpha, omega = (scalars[SCALARS.index(name)] for name in ["ALPHA", "OMEGA"])
        x += alpha * p + omega * r
        r -= omega * t
        return (r * r).sum(axis=0), (shadow * r).sum(axis=0)

    def correct(self, x, p, r, q, w, scalars):
        alpha = scalars[SCALARS.index("ALPHA")]
        x += alpha * p
        r -= alpha * q
        return (r * r).sum(axis=0), w @ (r * r)

    def conjugate(self, r, p, w, scalars):
        beta, restart = (scalars[SCALARS.index(name)] for name in ["BETA", "RESTART"])
        p[:] = w[:, None] * r + np.where(restart != 0, 0, beta * p)

    def finish(self, stage, sums, scalars, gauge):
        first, second = sums
        s = {name: scalars[k] for k, name in enumerate(SCALARS)}
        active = s["ACTIVE"] != 0

        def ratio(a, b):
            with np.errstate(all="ignore"):
                found = a / b
            return np.where(np.isfinite(found), found, 0)

        if stage == "GAUGE":
            s["SHIFT"][:] = gauge * first
        elif stage in ("FIRST", "STEP"):
            s["ALPHA"][:] = np.where(active, ratio(s["RHO"], first), 0)
        elif stage == "SECOND":
            s["OMEGA"][:] = np.where(active, ratio(first, second), 0)
        else:
            lost, beta = np.zeros_like(active), ratio(second, s["RHO"])
            if stage == "CLOSE":
                lost = (s["OMEGA"] == 0) | (s["ALPHA"] == 0) | (second == 0)
                beta = beta * ratio(s["ALPHA"], s["OMEGA"])
            s["BETA"][active] = np.where(lost, 0, beta)[active]
            s["RHO"][active] = np.where(lost, first, second)[active]
            s["RESTART"][active] = lost[active]
            s["NORM2"][active] = first[active]
            s["ITERATIONS"][active] += 1
            s["ACTIVE"][active] = ~(first <= s["TARGET"])[active]


class Cupy:
    """The kernels on the device."""

    name = "cupy"

    def __init__(self):
        import cupy

        self.xp = cupy
        cupy.random.seed(3)
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gpu_cupy_kernels.cu")
        with open(source, encoding="utf-8") as file:
            self.module = cupy.RawModule(code=file.read(), options=("-std=c++14",))
        self.kernels = {}
        self.blocks = 8 * cupy.cuda.Device().attributes["MultiProcessorCount"]
        self.partial = {}

    def normal(self, cells, columns):
        return self.xp.random.standard_normal((cells, columns))

    def finished(self):
        self.xp.cuda.Stream.null.synchronize()

    def launch(self, name, grid, block, arguments):
        if name not in self.kernels:
            self.kernels[name] = self.module.get_function(name)
        self.kernels[name](grid, block, arguments)

    def over_cells(self, name, arrays, scalars, sums, *sizes):
        """Launches a kernel over cells and columns; the second array has the shape of a vector."""
        cells, m = arrays[1].shape
        wide = 1 << (min(m, 64) - 1).bit_length()
        tall = 256 // wide
        blocks = min(self.blocks, -(-cells // tall))
        if m not in self.partial:
            self.partial[m] = self.xp.zeros((2, self.blocks, m))
        partial = self.partial[m]
        between = (partial, scalars) if sums else (scalars,)
        sizes = [np.int64(cells), *(np.int32(size) for size in (*sizes, m))]
        self.launch(name, (blocks, -(-m // wide)), (wide, tall), (*arrays, *between, *sizes))
        return partial, blocks

    def product(self, c, x, other, y, scalars):
        n = round(c.shape[1] ** (1 / 3))
        return self.over_cells("product", (c, x, other, y), scalars, True, n)

    def direction(self, r, p, v, shadow, w, scalars):
        return self.over_cells("direction", (r, p, v, shadow, w), scalars, True)

    def halfway(self, r, v, w, scalars):
        return self.over_cells("halfway", (r, v, w), scalars, True)

    def update(self, x, p, r, t, shadow, scalars):
        return self.over_cells("update", (x, p, r, t, shadow), scalars, True)

    def correct(self, x, p, r, q, w, scalars):
        return self.over_cells("correct", (x, p, r, q, w), scalars, True)

    def conjugate(self, r, p, w, scalars):
        self.over_cells("conjugate", (r, p, w), scalars, False)

    def finish(self, stage, sums, scalars, gauge):
        partial, blocks = sums
        m = scalars.shape[1]
        arguments = (np.int32(STAGES.index(stage)), partial, np.int32(blocks), scalars, np.float64(gauge), np.int32(m))
        self.launch("finish", (m,), (256,), arguments)


class Solver:
    """Columns of one matrix. `definite`: conjugate gradients, otherwise BiCGSTAB for A D^-1."""

    def __init__(self, engine, stencil, columns, definite):
        xp = engine.xp
        self.engine, self.definite = engine, definite
        self.gauge, self.cells = stencil.gauge, stencil.diagonal.size
        self.a = xp.asarray(stencil.arrays())
        self.c = self.a if definite else xp.asarray(stencil.scaled().arrays())
        self.w = xp.asarray(1 / stencil.diagonal.ravel())
        self.ones = xp.ones(self.cells)
        self.scalars = xp.zeros((len(SCALARS), columns))
        self.r, self.p, self.q, self.t = (xp.zeros((self.cells, columns)) for _ in range(4))
        self.shadow = None if definite else xp.zeros((self.cells, columns))

    def iterate(self, x):
        e, s = self.engine, self.scalars
        if self.definite:
            e.conjugate(self.r, self.p, self.w, s)
            e.finish("STEP", e.product(self.c, self.p, self.p, self.q, s), s, 0.0)
            e.finish("CONJUGATE", e.correct(x, self.p, self.r, self.q, self.w, s), s, 0.0)
            return
        e.finish("GAUGE", e.direction(self.r, self.p, self.q, self.shadow, self.w, s), s, self.gauge)
        e.finish("FIRST", e.product(self.c, self.p, self.shadow, self.q, s), s, 0.0)
        e.finish("GAUGE", e.halfway(self.r, self.q, self.w, s), s, self.gauge)
        e.finish("SECOND", e.product(self.c, self.r, self.r, self.t, s), s, 0.0)
        e.finish("CLOSE", e.update(x, self.p, self.r, self.t, self.shadow, s), s, 0.0)

    def residual(self, b, x):
        """r = b - A x, its squares, and the largest norm beside that of b. Uses t."""
        xp, e, s = self.engine.xp, self.engine, self.scalars
        s[SCALARS.index("SHIFT")] = self.gauge * (self.ones @ x)
        e.product(self.a, x, x, self.t, s)
        xp.subtract(b, self.t, out=self.r)
        s[SCALARS.index("SHIFT")] = 0
        square = self.square(self.r)
        return square, float(xp.sqrt((square / self.square(b)).max()))

    def square(self, x):
        return self.ones @ (x * x)

    def solve(self, b, tolerance=TOLERANCE, most=20_000, seconds=30.0):
        """x, iterations, seconds, true residual. Starts anew where rounding left the residual above the tolerance."""
        xp, s, row = self.engine.xp, self.scalars, SCALARS.index
        self.engine.finished()
        begin = time.perf_counter()
        x, last, done, s[:] = xp.zeros_like(b), np.inf, 0, 0
        s[row("TARGET")] = tolerance**2 * self.square(b)
        while True:
            square, found = self.residual(b, x)
            late = done >= most or time.perf_counter() - begin > seconds
            # A start anew has to gain something.
            if found <= tolerance or late or not found < 0.5 * last:
                break
            last = found
            s[row("RHO")] = self.w @ (self.r * self.r) if self.definite else square
            s[row("RESTART")] = 1
            s[row("ACTIVE")] = square > s[row("TARGET")]
            y = x if self.definite else xp.zeros_like(b)
            while done < most and time.perf_counter() - begin < seconds:
                for _ in range(min(10, most - done)):
                    self.iterate(y)
                    done += 1
                # This waits for the device.
                if not bool((s[row("ACTIVE")] != 0).any()) or not bool(xp.isfinite(s[row("NORM2")]).all()):
                    break
            if not self.definite:
                x += self.w[:, None] * y
        self.engine.finished()
        return x, int(s[row("ITERATIONS")].max()), time.perf_counter() - begin, found


def density(engine, n, seconds=20.0):
    """Stationary density of sum 1, and its relative residual."""
    b = engine.xp.full((n**3, 1), (1 + ALPHA) / n**3)
    rho, iterations, took, found = Solver(engine, lorenz(n), 1, False).solve(b, 1e-11, 40_000, seconds)
    print(f"density {n}^3: {iterations} iterations, {took:.2f} s, relative residual {found:.1e}", flush=True)
    return rho[:, 0]


def adjoint_sides(engine, rho, columns):
    b = engine.normal(rho.size, columns)
    return b - rho[:, None] * ((rho @ b) / (rho @ rho))


def potential_sides(engine, rho, columns):
    b = engine.normal(rho.size, columns)
    return b - rho[:, None] * (b.sum(axis=0) / rho.sum())


def measured(solver, b, options):
    """The median of three solves, or the first where it is long; the first ten iterations warm up."""
    solver.solve(b, TOLERANCE, 10)
    runs = [solver.solve(b, TOLERANCE, options.iterations, options.seconds)]
    while len(runs) < 3 and runs[0][2] < 2:
        runs.append(solver.solve(b, TOLERANCE, options.iterations, options.seconds))
    return sorted(runs, key=lambda run: run[2])[len(runs) // 2]


def size(engine, n, options):
    rho = density(engine, n)
    for problem in ["adjoints", "w2-laplacian"]:
        definite = problem != "adjoints"
        stencil = weighted(np.asarray(rho.get() if hasattr(rho, "get") else rho)) if definite else lorenz(n, True)
        sides = potential_sides if definite else adjoint_sides
        b = sides(engine, rho, options.columns)
        x, iterations, seconds, found = measured(Solver(engine, stencil, options.columns, definite), b, options)
        peer = f"{engine.name}-{'pcg' if definite else 'bicgstab'}-jacobi"
        yield report(peer, problem, n, options.columns, iterations, seconds, found)
        if options.dry:
            check(n, np.asarray(rho), stencil, definite, b, x)
        del x, b


def check(n, rho, stencil, definite, b, x):
    """Against SciPy, by another assembly of the generator, and without the gauge, which changes no adjoint."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import spsolve

    from problems import generator

    a = generator(n)
    right = spsolve(a, np.full(n**3, ALPHA / n**3))
    values, columns, starts = stencil.sparse()
    matrix = sp.csr_matrix((values, columns, starts), shape=(n**3, n**3))
    if not definite:
        assert abs(matrix - a.T).max() == 0
    exact = spsolve(matrix.tocsc(), b)
    residual = np.linalg.norm(b - matrix @ x, axis=0) / np.linalg.norm(b, axis=0)
    error = np.linalg.norm(x - exact, axis=0) / np.linalg.norm(exact, axis=0)
    worst = np.linalg.norm(rho - right) / np.linalg.norm(right)
    print(f"beside spsolve: density {worst:.1e}, residual {residual.max():.1e}, solution {error.max():.1e}")
    assert worst < 1e-5 and residual.max() < 2e-8 and error.max() < 1e-4


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="*", help="along an axis; 64 and 128 if left out")
    parser.add_argument("--columns", type=int)
    parser.add_argument("--iterations", type=int, default=20_000, help="cap")
    parser.add_argument("--seconds", type=float, default=12.0, help="cap for one solve")
    parser.add_argument("--dry", action="store_true", help="NumPy in place of CuPy, and a check by SciPy")
    options = parser.parse_args()
    try:
        engine = Numpy() if options.dry else Cupy()
    except Exception as error:  # CuPy has many ways to say that there is no device.
        print(f"skipped: CuPy cannot be used here: {error}")
        return 0
    options.columns = options.columns or (4 if options.dry else 64)
    rows = []
    for n in options.cells or ([12, 16] if options.dry else [64, 128]):
        rows += size(engine, n, options)
    table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
