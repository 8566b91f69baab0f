"""The Krylov solvers of `jax.scipy.sparse.linalg`, vmapped over columns, with a stencil that XLA fuses.

The problems of `gpu_cupy_bicgstab.py`: adjoints of the Lorenz equations by `bicgstab`, the weighted Laplacian by `cg`, with
Jacobi's preconditioner, in double precision, to a relative residual of 1e-8 that is computed anew at the end. JAX does
not tell how many iterations it took: a zero stands for that, or the cap where the residual says that it was met or that
a column broke down. The cap is what a short run says fits into `--seconds`; compilation is not counted.

    python3 benches/peers/gpu_jax_bicgstab.py                       # --dry: on the CPU, 12 and 16 cells, held against SciPy
"""

import argparse
import os
import sys
import time

import numpy as np

from problems import ALPHA, lorenz, report, table, weighted

TOLERANCE = 1e-8


def product(jax, stencil):
    """A x for x on the box; couplings are 0 beyond it, so that rolling round does no harm."""
    jnp = jax.numpy
    coefficients = tuple(jnp.asarray(part) for part in (stencil.diagonal, stencil.below, stencil.above))
    gauge = stencil.gauge

    def apply(coefficients, x):
        diagonal, below, above = coefficients
        y = diagonal * x
        for axis in range(3):
            y = y - below[axis] * jnp.roll(x, 1, axis) - above[axis] * jnp.roll(x, -1, axis)
        return y + gauge * jnp.sum(x) if gauge else y

    return coefficients, apply


class Solver:
    """`solve(b, most)` with columns last; coefficients are arguments, lest XLA fold them into the program."""

    def __init__(self, jax, stencil, definite):
        from jax.scipy.sparse.linalg import bicgstab, cg

        jnp, method = jax.numpy, cg if definite else bicgstab
        self.jax, self.n = jax, stencil.n
        self.coefficients, apply = product(jax, stencil)

        def one(coefficients, b, tolerance, most):
            inverse = 1 / coefficients[0]
            a = lambda x: apply(coefficients, x)
            x, _ = method(a, b, tol=tolerance, maxiter=most, M=lambda r: inverse * r)
            r = b - a(x)
            return x, jnp.sqrt(jnp.sum(r * r) / jnp.sum(b * b))

        batch = jax.vmap(one, in_axes=(None, -1, None, None), out_axes=(-1, 0))
        self.compiled = jax.jit(batch)

    def solve(self, b, tolerance, most):
        """x, seconds, the largest relative residual."""
        begin = time.perf_counter()
        x, residuals = self.compiled(self.coefficients, b, tolerance, most)
        self.jax.block_until_ready(x)
        return x, time.perf_counter() - begin, float(residuals.max())

    def capped(self, b, tolerance, most, seconds):
        """As many iterations as a short run says fit into so many seconds."""
        self.solve(b, tolerance, 1)
        _, took, _ = self.solve(b, tolerance, 20)
        most = int(max(20, min(most, 20 * seconds / took)))
        return (*self.solve(b, tolerance, most), most)


def density(jax, n, seconds=8.0):
    """Stationary density of sum 1, shaped as the box."""
    b = jax.numpy.full((n, n, n, 1), (1 + ALPHA) / n**3)
    rho, took, found, _ = Solver(jax, lorenz(n), False).capped(b, 1e-11, 40_000, seconds)
    print(f"density {n}^3: {took:.2f} s, relative residual {found:.1e}", flush=True)
    return rho[..., 0]


def sides(jax, rho, columns, definite):
    jnp = jax.numpy
    b = jax.random.normal(jax.random.key(3), (*rho.shape, columns), dtype=jnp.float64)
    if definite:
        along = b.sum(axis=(0, 1, 2)) / rho.sum()
    else:
        along = jnp.einsum("ijk,ijkc->c", rho, b) / jnp.sum(rho * rho)
    return b - rho[..., None] * along


def size(jax, n, options):
    rho = density(jax, n)
    for problem in ["adjoints", "w2-laplacian"]:
        definite = problem != "adjoints"
        stencil = weighted(np.asarray(rho).ravel()) if definite else lorenz(n, True)
        b, solver = sides(jax, rho, options.columns, definite), Solver(jax, stencil, definite)
        x, seconds, found, most = solver.capped(b, TOLERANCE, options.iterations, options.seconds)
        # A second run, where there is time for it; the better of the two counts.
        if seconds < 2:
            seconds = min(seconds, solver.solve(b, TOLERANCE, most)[1])
        iterations = 0 if found <= 2 * TOLERANCE else most
        peer = f"jax-{'cg' if definite else 'bicgstab'}-jacobi"
        yield report(peer, problem, n, options.columns, iterations, seconds, found)
        if options.dry:
            check(stencil, b, x)
        del x, b


def check(stencil, b, x):
    import scipy.sparse as sp
    from scipy.sparse.linalg import spsolve

    count = stencil.n**3
    b, x = (np.asarray(part).reshape(count, -1) for part in (b, x))
    values, columns, starts = stencil.sparse()
    matrix = sp.csr_matrix((values, columns, starts), shape=(count, count))
    exact = spsolve(matrix.tocsc(), b)
    residual = np.linalg.norm(b - matrix @ x, axis=0) / np.linalg.norm(b, axis=0)
    error = np.linalg.norm(x - exact, axis=0) / np.linalg.norm(exact, axis=0)
    print(f"beside spsolve: residual {residual.max():.1e}, solution {error.max():.1e}")
    assert residual.max() < 2e-8 and error.max() < 1e-4


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="*", help="along an axis; 64 and 128 if left out")
    parser.add_argument("--columns", type=int)
    parser.add_argument("--iterations", type=int, default=20_000, help="cap")
    parser.add_argument("--seconds", type=float, default=10.0, help="for one solve")
    parser.add_argument("--dry", action="store_true", help="on the CPU, with a check by SciPy")
    options = parser.parse_args()
    # Left alone, JAX takes three quarters of the device at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if options.dry:
        os.environ["JAX_PLATFORMS"] = "cpu"
    try:
        import jax

        jax.config.update("jax_enable_x64", True)
        kind = jax.devices()[0].platform
    except Exception as error:
        print(f"skipped: JAX cannot be used here: {error}")
        return 0
    if kind == "cpu" and not options.dry:
        print("skipped: JAX is installed for the CPU alone")
        return 0
    options.columns = options.columns or (4 if options.dry else 64)
    rows = []
    for n in options.cells or ([12, 16] if options.dry else [64, 128]):
        rows += size(jax, n, options)
    table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
