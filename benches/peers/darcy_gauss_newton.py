"""Peer of `cargo bench --bench directions`: the same Darcy inversion by Gauss-Newton and conjugate gradients in SciPy.

    OPENBLAS_NUM_THREADS=1 SOLVER=splu python3 benches/peers/darcy_gauss_newton.py --n 128 --points 200

One factorisation of K for every log-permeability serves the state, tangents and adjoints; one of P serves the
preconditioner throughout. SOLVER chooses who factorises: splu, cholmod or pardiso, see definite.py. CHOLMOD and PARDISO
analyse each of the two patterns once, before the clock starts.
"""

import argparse
import os
import time

import numpy as np
import scipy.sparse as sp

from definite import KINDS

SOLVER = os.environ.get("SOLVER", "splu")


class Darcy:
    """−∇·(e^θ ∇u) = 0 on the unit square, u = 1 on the left and 0 on the right."""

    def __init__(self, n):
        self.n, self.cells, self.h = n, n * n, 1.0 / n
        i = np.arange(self.cells).reshape(n, n)
        self.a = np.concatenate([i[:-1].ravel(), i[:, :-1].ravel()])
        self.b = np.concatenate([i[1:].ravel(), i[:, 1:].ravel()])
        self.left, self.right = i[0], i[-1]

    def transmissibility(self, theta):
        """Harmonic means on the faces (cells are square, so area over distance is 1), and at the two sides."""
        s = np.exp(theta)
        t = 2.0 / (1.0 / s[self.a] + 1.0 / s[self.b])
        return s, t

    def matrix(self, theta):
        s, t = self.transmissibility(theta)
        diagonal = np.bincount(self.a, t, self.cells) + np.bincount(self.b, t, self.cells)
        diagonal[self.left] += 2.0 * s[self.left]
        diagonal[self.right] += 2.0 * s[self.right]
        rows = np.concatenate([self.a, self.b, np.arange(self.cells)])
        cols = np.concatenate([self.b, self.a, np.arange(self.cells)])
        return sp.csc_matrix((np.concatenate([-t, -t, diagonal]), (rows, cols)))

    def state(self, solve, theta):
        f = np.zeros(self.cells)
        f[self.left] = 2.0 * np.exp(theta[self.left])
        return solve(f)

    def sensitivity(self, theta, u):
        """C = ∂g/∂θ."""
        s, t = self.transmissibility(theta)
        flux = u[self.a] - u[self.b]
        da, db = 0.5 * t * t / s[self.a] * flux, 0.5 * t * t / s[self.b] * flux
        side = np.zeros(self.cells)
        side[self.left] = 2.0 * s[self.left] * (u[self.left] - 1.0)
        side[self.right] = 2.0 * s[self.right] * u[self.right]
        d = np.arange(self.cells)
        rows = np.concatenate([self.a, self.a, self.b, self.b, d])
        cols = np.concatenate([self.a, self.b, self.a, self.b, d])
        return sp.csr_matrix((np.concatenate([da, db, -da, -db, side]), (rows, cols)))


def interpolation(n, points):
    """Bilinear between cell centres."""
    x = np.clip(points * n - 0.5, 0.0, n - 1.0)
    i = np.minimum(x.astype(int), n - 2)
    f = x - i
    rows, cols, values = [], [], []
    for dx in (0, 1):
        for dy in (0, 1):
            weight = (f[:, 0] if dx else 1 - f[:, 0]) * (f[:, 1] if dy else 1 - f[:, 1])
            rows.append(np.arange(len(points)))
            cols.append((i[:, 0] + dx) * n + i[:, 1] + dy)
            values.append(weight)
    return sp.csr_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), shape=(len(points), n * n)
    )


def matern(n, deviation=1.0, reach=0.3):
    h, kappa2 = 1.0 / n, 8.0 / reach**2
    line = sp.diags([np.r_[1.0, np.full(n - 2, 2.0), 1.0], -np.ones(n - 1), -np.ones(n - 1)], [0, 1, -1]) / h**2
    laplacian = sp.kron(line, sp.eye(n)) + sp.kron(sp.eye(n), line)
    tau = 1.0 / np.sqrt(4.0 * np.pi * kappa2) / deviation
    return (tau * h * (kappa2 * sp.eye(n * n) + laplacian)).tocsc()


class Problem:
    def __init__(self, n, points):
        self.model, self.noise = Darcy(n), 0.01
        c = (np.arange(n) + 0.5) / n
        x, y = [m.ravel() for m in np.meshgrid(c, c, indexing="ij")]
        truth = np.sin(2 * np.pi * x) * np.cos(2 * np.pi * y) + 0.5 * np.cos(5 * x * y)
        i = np.arange(points)
        places = np.stack([0.05 + 0.9 * np.modf(0.5 + i * s)[0] for s in (0.754877666, 0.569840291)], 1)
        self.o = interpolation(n, places) if points else sp.eye(n * n, format="csr")
        self.k = KINDS[SOLVER](self.model.matrix(truth))
        u = self.model.state(self.k.factorise(self.model.matrix(truth)), truth)
        i = np.arange(self.o.shape[0], dtype=float)
        self.data = self.o @ u + self.noise * np.sqrt(2.0) * np.sin(0.7 * i * i + i)
        self.p = matern(n)
        self.prior = KINDS[SOLVER](self.p)


class Inversion:
    """Counts solves with K."""

    def __init__(self, problem):
        self.q, self.solves = problem, 0
        self.prior = problem.prior.factorise(problem.p)

    def smooth(self, r):
        return self.prior(self.prior(r))

    def objective(self, theta):
        solve = self.q.k.factorise(self.q.model.matrix(theta))
        u = self.q.model.state(solve, theta)
        self.solves += 1
        residual = (self.q.o @ u - self.q.data) / self.q.noise
        s = self.q.p @ theta
        return 0.5 * residual @ residual + 0.5 * s @ s, solve, u, residual

    def run(self, tolerance, limit=40):
        theta, history = np.zeros(self.q.model.cells), []
        started = time.perf_counter()
        f, solve, u, residual = self.objective(theta)
        first = None
        for iteration in range(limit + 1):
            c = self.q.model.sensitivity(theta, u)
            g = -c.T @ solve(self.q.o.T @ residual / self.q.noise) + self.q.p.T @ (self.q.p @ theta)
            self.solves += 1
            size = np.linalg.norm(g)
            first = first or size
            history.append((f, size / first, self.solves, time.perf_counter() - started))
            if size <= tolerance * first or iteration == limit:
                break
            eta, inner = self.direction(g, solve, c, min(0.5, np.sqrt(size / first)))
            t, slope = 1.0, g @ eta
            while True:
                trial = self.objective(theta + t * eta)
                if trial[0] <= f + 1e-4 * t * slope or t < 1e-8:
                    break
                t *= 0.5
            theta = theta + t * eta
            f, solve, u, residual = trial
        return history

    def direction(self, g, solve, c, forcing):
        weight = self.q.noise**-2

        def product(v):
            z = -solve(c @ v)
            back = solve(weight * (self.q.o.T @ (self.q.o @ z)))
            self.solves += 2
            return -c.T @ back + self.q.p.T @ (self.q.p @ v)

        eta, r = np.zeros_like(g), -g
        z = self.smooth(r)
        d, square = z.copy(), r @ z
        goal, inner = forcing**2 * square, 0
        while square > goal and inner < 500:
            hd = product(d)
            alpha = square / (d @ hd)
            eta += alpha * d
            r -= alpha * hd
            z = self.smooth(r)
            last, square = square, r @ z
            d = z + square / last * d
            inner += 1
        return eta, inner


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--n", type=int, default=64)
    options.add_argument("--points", type=int, default=200)
    options = options.parse_args()
    problem = Problem(options.n, options.points)
    best = Inversion(problem).run(1e-8)[-1][0]
    seconds = np.inf
    for _ in range(3):
        history = Inversion(problem).run(1e-6)
        near = next(i for i, row in enumerate(history) if row[0] <= 1.01 * best)
        seconds = min(seconds, history[near][3])
    for i, (f, gradient, solves, clock) in enumerate(history):
        print(f"{i:3d}  {f:14.7e}  {gradient:9.2e}  {solves:5d} solves  {clock:7.3f} s")
    print(f"best {best:.6e}; to 1 %: {near} steps, {history[near][2]} solves, {seconds:.3f} s")
    k = problem.model.matrix(np.zeros(problem.model.cells))
    factor, single, batch = np.inf, np.inf, np.inf
    for _ in range(5):
        clock = time.perf_counter()
        solve = problem.k.factorise(k)
        factor = min(factor, time.perf_counter() - clock)
        one, many = np.ones(k.shape[0]), np.ones((k.shape[0], 16), order="F")
        clock = time.perf_counter()
        solve(one)
        single = min(single, time.perf_counter() - clock)
        clock = time.perf_counter()
        solve(many)
        batch = min(batch, time.perf_counter() - clock)
    print(f"{SOLVER}: factor {1e3 * factor:.2f} ms, a column {1e3 * single:.3f} ms, 16 columns {1e3 * batch:.2f} ms")


if __name__ == "__main__":
    main()
