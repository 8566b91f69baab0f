"""Models written with JAX."""

from __future__ import annotations

import warnings
from typing import Any, Callable, Optional

import numpy as np

from . import _autodiff
from ._autodiff import by_batches

__all__ = ["from_jax"]

#: Number of vectors that are differentiated together.
BATCH = 16


def imported() -> tuple:
    """Returns JAX, and the context in which it computes in double precision."""
    try:
        import jax
    except ImportError as cause:
        raise ImportError("from_jax needs JAX: install it by `pip install jax`") from cause
    if hasattr(jax, "enable_x64"):
        return jax, jax.enable_x64
    from jax import experimental

    return jax, experimental.enable_x64  # type: ignore[attr-defined]


def integers(values: Any) -> bool:
    """Returns whether all values are whole numbers, which single precision holds exactly."""
    found = np.asarray(values)
    return bool(np.array_equal(found, np.rint(found)))


class Traced(_autodiff.Calls):
    """Calls of a function of JAX, compiled, in double precision."""

    def __init__(self, f: Callable, shape: Optional[tuple] = None, batch: int = BATCH):
        super().__init__(f, shape)
        self.batch = batch
        self.jax, self.double = imported()
        self.compiled: dict = {}
        self.inspected = False

    def shaped(self, *points: Any) -> Any:
        """Evaluates the function, the first point in its shape, and checks that it computes in double precision."""
        if self.shape is not None:
            points = (points[0].reshape(self.shape), *points[1:])
        found = self.jax.numpy.asarray(self.f(*points))
        if found.dtype != np.float64:
            raise TypeError(
                f"the function returns {found.dtype}, but float64 is needed: it gets arrays of float64, and must not convert them"
            )
        return found

    def flat(self, *points: Any) -> Any:
        """Evaluates the flattened function."""
        return self.shaped(*points).reshape(-1)

    def along(self, index: int, points: tuple) -> Callable:
        """Returns the flat function of one argument, with the other at its point."""
        return lambda x: self.flat(*points[:index], x, *points[index + 1 :])

    def transposed(self, along: Callable, x: Any) -> Callable:
        """Returns the product with the transposed Jacobian."""
        _, pull = self.jax.vjp(along, x)
        return lambda w: pull(w)[0]

    def run(self, key: tuple, make: Callable, *arguments: Any) -> Any:
        """Runs a compiled program, made with the first call."""
        with self.double(True):
            if key not in self.compiled:
                self.compiled[key] = self.jax.jit(make())
            return self.jax.tree_util.tree_map(np.asarray, self.compiled[key](*arguments))

    def inspect(self, *points: np.ndarray) -> None:
        """Warns of constants in single precision, which limit the accuracy of what is computed with them."""
        self.inspected = True
        with self.double(True):
            constants = self.jax.make_jaxpr(lambda *points: self.shaped(*points))(*points).consts
            self.check_indices(points)
        rounded = [c for c in constants if getattr(c, "dtype", None) == np.float32 and not integers(c)]
        if rounded:
            shapes = ", ".join(str(tuple(c.shape)) for c in rounded)
            warnings.warn(
                f"the function contains arrays of float32, of the shape {shapes}, which are accurate to seven digits only: "
                "make them with NumPy, or after jax.config.update('jax_enable_x64', True)",
                stacklevel=2,
            )

    def check_indices(self, points: tuple) -> None:
        """Raises IndexError for an index beyond the end of an argument, for which JAX takes the last entry without a word.

        Arrays of NumPy know their ends. Nothing is computed with them, and a function that needs arrays of JAX is not checked.
        """
        try:
            self.jax.make_jaxpr(lambda: self.shaped(*points))()
        except IndexError:
            raise
        except Exception:  # what the function does not allow with NumPy
            return

    def value(self, *points: np.ndarray) -> np.ndarray:
        if not self.inspected:
            self.inspect(*points)
        return self.run(("value",), lambda: self.shaped, *points)

    def push(self, index: int, points: tuple, rows: np.ndarray) -> np.ndarray:
        def make() -> Callable:
            def one(points: tuple, v: Any) -> Any:
                return self.jax.jvp(self.along(index, points), (points[index],), (v,))[1]

            return self.jax.vmap(one, in_axes=(None, 0))

        return by_batches(lambda part: self.run(("push", index), make, points, part), rows, self.batch)

    def pull(self, index: int, points: tuple, rows: np.ndarray) -> np.ndarray:
        def make() -> Callable:
            def one(points: tuple, w: Any) -> Any:
                return self.transposed(self.along(index, points), points[index])(w)

            return self.jax.vmap(one, in_axes=(None, 0))

        return by_batches(lambda part: self.run(("pull", index), make, points, part), rows, self.batch)

    def inverse(self, solver: Callable, transposed: bool, points: tuple, rows: np.ndarray) -> np.ndarray:
        def make() -> Callable:
            def one(points: tuple, b: Any) -> Any:
                along = self.along(0, points)
                flat = self.jax.linearize(along, points[0])[1]
                if transposed:
                    flat = self.transposed(along, points[0])
                return solver(lambda x: flat(x.reshape(-1)).reshape(self.shape), b.reshape(self.shape)).reshape(-1)

            return self.jax.vmap(one, in_axes=(None, 0))

        return by_batches(lambda part: self.run(("inverse", transposed), make, points, part), rows, self.batch)


def from_jax(
    f: Callable,
    state: Any = None,
    *,
    jacobian: str = "auto",
    sparsity: Any = None,
    param_sparsity: Any = None,
    guess: Optional[Callable] = None,
    solve: Optional[Callable] = None,
    linear_solver: Optional[Callable] = None,
    batch: int = BATCH,
) -> Any:
    """Makes a model of a function written with JAX, with derivatives by automatic differentiation.

    Parameters
    ----------
    f
        ``f(theta)`` returns the values of a formula. With ``state``, ``f(rho, theta)`` returns the residuals of the equations
        g(rho, theta) = 0. It is compiled, and computes with float64 whether ``jax_enable_x64`` is set or not.
    state
        Array with the shape of the state, where Newton's method starts.
    jacobian
        "array", "products" (jvp and vjp alone), or "auto": products for large Jacobians only.
    sparsity, param_sparsity
        Matrices that are not zero where the Jacobian of a formula, or those by the state and by the parameters, may be.
        Columns without common rows are found by one jvp. See `stencil`.
    guess, solve
        As for `Implicit`.
    linear_solver
        ``linear_solver(product, b)`` returns the solution x of product(x) = b, arrays in the shape of the state, in JAX, such as
        `jax.scipy.sparse.linalg.gmres`. It is used with the Jacobian by the state and its transpose, for Newton's method,
        tangents and adjoints, in place of a factorisation.
    batch
        Number of vectors in one jvp or vjp, which takes as many times the memory.

    >>> import numpy as np, pullback as pb
    >>> import jax.numpy as jnp
    >>> t = np.linspace(0.0, 3.0, 20)
    >>> decay = pb.from_jax(lambda theta: theta[0] * jnp.exp(-theta[1] * t))
    >>> pb.minimize(decay, 2.0 * np.exp(-0.7 * t), [1.0, 1.0]).x.round(8).tolist()
    [2.0, 0.7]
    """
    width = _autodiff.width(batch)
    options = {
        "jacobian": jacobian,
        "sparsity": sparsity,
        "param_sparsity": param_sparsity,
        "guess": guess,
        "solve": solve,
        "linear_solver": linear_solver,
    }
    return _autodiff.model(lambda f, shape: Traced(f, shape, width), f, state, options)
