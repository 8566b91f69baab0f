"""Debiased entropic transport between two Gaussians of `cargo bench --bench transport`, in NumPy and, if installed, in POT.

Sinkhorn's iteration as POT has it, with the whole matrix of costs in the log domain (64 x 64 cells at most, for memory), and one
with a kernel for every axis in the scaling form. Both stop at the error 1e-10 in the marginals, as the library does.

    OPENBLAS_NUM_THREADS=1 python3 benches/peers/sinkhorn.py --cells 64
"""

import argparse
import time

import numpy as np

EXACT = 5.32
TOLERANCE = 1e-10


def gaussian(x, centre, deviation):
    a, b = (np.exp(-0.5 * ((x - m) / deviation) ** 2) for m in centre)
    rho = np.outer(a, b)
    return rho / rho.sum()


def soft(values):
    """ln Σ exp along the last axis."""
    top = values.max(axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(values - top).sum(axis=-1))


def dense_cost(a, b, cost, epsilon):
    """OT_ε(a, b) by the log-domain iteration with the whole matrix."""
    log_a, log_b, minus = np.log(a), np.log(b), -cost / epsilon
    g = np.zeros_like(b)
    for count in range(1, 10_000):
        f = -soft(minus + log_b + g)
        s = soft(minus.T + log_a + f)
        if np.abs(b * np.expm1(s + g)).sum() < TOLERANCE:
            break
        g = -s
    return epsilon * (a @ f + b @ g), count


def dense(rho, target, x, epsilon):
    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    cost = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    a, b = rho.ravel(), target.ravel()
    (ab, count), (aa, _), (bb, _) = (dense_cost(*p, cost, epsilon) for p in ((a, b), (a, a), (b, b)))
    return ab - 0.5 * aa - 0.5 * bb, count


def axes_cost(a, b, kernel, epsilon):
    """OT_ε(a, b) by the scaling form with the same kernel for both axes."""
    beta = np.ones_like(b)
    for count in range(1, 10_000):
        alpha = 1 / (kernel @ (b * beta) @ kernel)
        s = kernel @ (a * alpha) @ kernel
        if np.abs(b * (beta * s - 1)).sum() < TOLERANCE:
            break
        beta = 1 / s
    # Weights far in the tails may be 0 ln ∞.
    terms = [(m * np.log(w))[m > 1e-300].sum() for m, w in ((a, alpha), (b, beta))]
    return epsilon * sum(terms), count


def axes(rho, target, x, epsilon):
    kernel = np.exp(-((x[:, None] - x[None]) ** 2) / epsilon)
    pairs = ((rho, target), (rho, rho), (target, target))
    (ab, count), (aa, _), (bb, _) = (axes_cost(*p, kernel, epsilon) for p in pairs)
    return ab - 0.5 * aa - 0.5 * bb, count


def pot(rho, target, x, epsilon):
    """The debiased sum of three problems in POT's log domain. POT gives costs without entropies, so that the bias differs."""
    import ot

    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    cost = ot.dist(points, points)
    a, b = rho.ravel(), target.ravel()
    total, count = 0.0, 0
    for weight, source, goal in ((1.0, a, b), (-0.5, a, a), (-0.5, b, b)):
        plan, log = ot.bregman.sinkhorn_log(source, goal, cost, epsilon, numItermax=10_000, stopThr=TOLERANCE, log=True)
        total += weight * (plan * cost).sum()
        count = max(count, log["niter"])
    return total, count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=64, help="along each axis")
    parser.add_argument("--epsilon", type=float, default=0.25)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    n, h = options.cells, 13 / options.cells
    x = -4 + h * (np.arange(n) + 0.5)
    rho, target = gaussian(x, (1, 3), 0.7), gaussian(x, (3, 2), 1.1)
    for name, work in (("axes, NumPy", axes), ("whole matrix, NumPy", dense), ("whole matrix, POT", pot)):
        if work is not axes and n > 64:
            print(f"{name}: left out, the matrix of costs has {n**4} entries")
            continue
        seconds = []
        try:
            for _ in range(options.repeats):
                begin = time.perf_counter()
                value, count = work(rho, target, x, options.epsilon)
                seconds.append(time.perf_counter() - begin)
        except ImportError:
            print(f"{name}: not installed")
            continue
        after = f", {count} iterations" if count else ""
        print(f"{name}, {n}x{n}: {1e3 * min(seconds):.2f} ms{after}, error of W₂² {value - EXACT:.2e}")


if __name__ == "__main__":
    main()
