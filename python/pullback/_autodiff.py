"""Models whose derivatives are those of a library for automatic differentiation."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np

from . import _arguments
from ._derivative import groups
from ._model import Explicit, Implicit, Products

#: Largest number of entries of a Jacobian that is stored as an array.
ENTRIES = 1 << 23

#: Largest number of unknowns for which the Jacobian of equations is an array, which takes a dense factorisation.
UNKNOWNS = 1500

#: Difference between a sparse Jacobian and a product, relative to the product, that only missing entries explain.
MISSING = 1e-8

FORMS = ("auto", "array", "products")


class Calls:
    """Function of one or two arrays with its products, by a library for automatic differentiation.

    ``shape`` is that of the first argument, None for a flat one. Vectors are the rows of arrays.
    """

    def __init__(self, f: Callable, shape: Optional[tuple] = None):
        self.f, self.shape = _arguments.function("f", f), shape

    def value(self, *points: np.ndarray) -> np.ndarray:
        """Returns the value in its shape."""
        raise NotImplementedError

    def push(self, index: int, points: tuple, rows: np.ndarray) -> np.ndarray:
        """Returns J v for every row v, with the derivative J of the flat value by an argument."""
        raise NotImplementedError

    def pull(self, index: int, points: tuple, rows: np.ndarray) -> np.ndarray:
        """Returns Jᵀ w for every row w."""
        raise NotImplementedError

    def inverse(self, solver: Callable, transposed: bool, points: tuple, rows: np.ndarray) -> np.ndarray:
        """Returns the solutions of J x = b, or of Jᵀ x = b, for every row b by a solver of the user's."""
        raise NotImplementedError


class Jacobian:
    """Derivative by an argument, as an array, as a sparse matrix or by its products."""

    def __init__(self, calls: Calls, index: int, form: str, sparsity: Any = None):
        if form not in FORMS:
            raise ValueError(f"jacobian must be one of {', '.join(FORMS)}, not {form!r}")
        self.calls, self.index, self.form, self.limit = calls, index, form, ENTRIES
        self.sparsity: Any = None
        if sparsity is not None:
            self._use(sparsity)

    def _use(self, sparsity: Any) -> None:
        from scipy.sparse import csc_matrix

        try:
            self.sparsity = csc_matrix(sparsity)
        except (TypeError, ValueError) as cause:
            raise TypeError(f"sparsity must be a matrix of scipy.sparse or an array, not {type(sparsity).__name__}") from cause
        self.sparsity.sum_duplicates()
        self.sparsity.sort_indices()
        self.colours = groups(self.sparsity)
        self.columns = np.repeat(np.arange(self.sparsity.shape[1]), np.diff(self.sparsity.indptr))
        self.checked = False

    def at(self, points: tuple, rows: int) -> Any:
        """Returns the derivative at a point, a matrix with this number of rows."""
        shape = rows, points[self.index].size
        if self.sparsity is not None:
            return self._sparse(points, shape)
        if self.form == "products" or (self.form == "auto" and shape[0] * shape[1] > self.limit):
            return self.products(points, shape)
        if shape[1] <= shape[0]:
            return self.calls.push(self.index, points, np.eye(shape[1])).T
        return self.calls.pull(self.index, points, np.eye(shape[0]))

    def products(self, points: tuple, shape: tuple) -> Products:
        """Returns the derivative by its products."""
        push, pull = self.calls.push, self.calls.pull
        return Products(
            shape, lambda v: push(self.index, points, v.T).T, lambda w: pull(self.index, points, np.ascontiguousarray(w.T)).T
        )

    def _sparse(self, points: tuple, shape: tuple) -> Any:
        """Returns the sparse derivative. Columns of a colour have no common row, and come from one product."""
        if self.sparsity.shape != shape:
            raise ValueError(f"sparsity has the shape {self.sparsity.shape}, but the Jacobian has {shape}")
        seeds = np.zeros((self.colours.max(initial=-1) + 1, shape[1]))
        seeds[self.colours, np.arange(shape[1])] = 1.0
        found = self.calls.push(self.index, points, seeds)
        data = found[self.colours[self.columns], self.sparsity.indices]
        matrix = type(self.sparsity)((data, self.sparsity.indices, self.sparsity.indptr), shape=shape)
        if not self.checked and np.isfinite(data).all():
            self._check(points, matrix)
        return matrix

    def _check(self, points: tuple, matrix: Any) -> None:
        along = np.cos(np.arange(1.0, matrix.shape[1] + 1.0))
        product = self.calls.push(self.index, points, along[None])[0]
        error = np.abs(matrix @ along - product)
        if np.isfinite(product).all() and error.max(initial=0.0) > MISSING * np.abs(product).max(initial=0.0):
            raise ValueError(f"sparsity lacks entries of the Jacobian, such as in row {int(error.argmax())}")
        self.checked = True


class Formula(Explicit):
    """Explicit model with derivatives by automatic differentiation."""

    def __init__(self, calls: Calls, form: str, sparsity: Any):
        jacobian = Jacobian(calls, 0, form, sparsity)
        super().__init__(calls.value, lambda theta: jacobian.at((theta,), self.state_dim))


class Equations(Implicit):
    """Equations g(rho, theta) = 0 with derivatives by automatic differentiation."""

    def __init__(self, calls: Calls, state: np.ndarray, form: str, **given: Any):
        self.calls, self.shape, self.start = calls, state.shape, state.reshape(-1)
        by_state = Jacobian(calls, 0, form, given["sparsity"])
        by_state.limit = min(ENTRIES, UNKNOWNS**2)
        by_parameters = Jacobian(calls, 1, form, given["param_sparsity"])
        self.by_parameters, self.linear_solver = by_parameters, given["linear_solver"]
        own = self.linear_solver is not None
        self.first: Callable = given["guess"] or (lambda theta: self.start)
        super().__init__(
            state.size,
            lambda rho, theta: calls.value(rho, theta),
            lambda rho, theta: by_state.at((rho, theta), state.size),
            lambda rho, theta: by_parameters.at((rho, theta), state.size),
            guess=self.first,
            solve=given["solve"] or (self.newton if own else None),
            sensitivity=self.by_own_solver if own else None,
        )

    def by_own_solver(self, rho: np.ndarray, theta: np.ndarray) -> Products:
        """Returns Z = −(∂g/∂ρ)⁻¹ ∂g/∂θ by its products, with the solver of the user's."""
        points, calls, solver = (rho, theta), self.calls, self.linear_solver

        def tangent(v: np.ndarray) -> np.ndarray:
            return -calls.inverse(solver, False, points, calls.push(1, points, v.T)).T

        def adjoint(w: np.ndarray) -> np.ndarray:
            return -calls.pull(1, points, calls.inverse(solver, True, points, w.T)).T

        return Products((rho.size, theta.size), tangent, adjoint)

    def newton(self, rho: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Solves the equations by Newton's method, from a state of similar parameters or from the guess."""
        starts = [rho] if rho.any() else []
        starts.append(np.asarray(self.first(theta), dtype=float).reshape(-1))
        for start in starts:
            found = self._newton_from(start, theta)
            if found is not None:
                return found
        # A state that is not finite rejects the parameters.
        return np.full(rho.size, np.nan)

    def _newton_from(self, rho: np.ndarray, theta: np.ndarray) -> Optional[np.ndarray]:
        g = self.calls.value(rho, theta).reshape(-1)
        for _ in range(50):
            step = -self.calls.inverse(self.linear_solver, False, (rho, theta), g[None])[0]
            if not np.isfinite(step).all():
                return None
            # The error after a step is of the order of its square.
            if np.abs(step).max() <= 1e-8 * np.abs(rho).max():
                return rho + step
            for t in 0.5 ** np.arange(12.0):
                trial = self.calls.value(rho + t * step, theta).reshape(-1)
                if np.linalg.norm(trial) <= (1.0 - 0.25 * t) * np.linalg.norm(g):
                    break
            else:
                return None
            rho, g = rho + t * step, trial
            if not g.any():
                return rho
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: state {self.shape}>"


def width(batch: Any) -> int:
    """Returns the number of vectors in one product."""
    found = _arguments.count("batch", batch)
    if found == 0:
        raise ValueError("batch must be positive")
    return found


def model(make: Callable, f: Callable, state: Any, options: dict) -> Any:
    """Returns a formula without a state, and otherwise equations for it. ``make(f, shape)`` returns the calls."""
    form = options.pop("jacobian")
    if state is None:
        idle = [name for name, value in options.items() if value is not None and name != "sparsity"]
        if idle:
            raise ValueError(f"{idle[0]} is for equations g(rho, theta) = 0; give their `state` as well")
        return Formula(make(f, None), form, options["sparsity"])
    for name in ("guess", "solve", "linear_solver"):
        if options[name] is not None:
            _arguments.function(name, options[name])
    state = _arguments.array("state", state)
    if state.size == 0 or not np.isfinite(state).all():
        raise ValueError("state must be a finite array, the guess of the solution")
    return Equations(make(f, state.shape), state, form, **options)


def by_batches(product: Callable, rows: np.ndarray, most: int) -> np.ndarray:
    """Calls a product for several rows at a time, a power of two of them, so that few programs are compiled."""
    found = []
    for start in range(0, rows.shape[0], most):
        part = rows[start : start + most]
        width = min(1 << (part.shape[0] - 1).bit_length(), most)
        padded = np.zeros((width, rows.shape[1]))
        padded[: part.shape[0]] = part
        found.append(np.asarray(product(padded), dtype=float).reshape(width, -1)[: part.shape[0]])
    return np.concatenate(found) if len(found) != 1 else found[0]


def stencil(shape: Any, *, fields: int = 1, reach: int = 1, periodic: bool = False, diagonal: bool = False) -> Any:
    """Returns the sparsity of equations on a box of cells that couple every cell with its neighbours.

    ``reach`` is the number of neighbours in every direction along an axis, ``diagonal`` includes those that differ along several
    axes, and ``periodic`` joins the opposite sides. Several ``fields``, one after the other in the state, are all coupled in every
    cell and its neighbours. Needs SciPy.

    >>> import pullback as pb
    >>> pb.stencil((3, 3)).toarray()[4].astype(int).tolist()
    [0, 1, 0, 1, 1, 1, 0, 1, 0]
    """
    import scipy.sparse as sp

    lengths = [_arguments.count("shape", n) for n in np.atleast_1d(np.asarray(shape, dtype=object))]
    if not lengths or 0 in lengths:
        raise ValueError(f"shape must have positive entries, not {shape!r}")
    bands = []
    for n in lengths:
        along = np.arange(-reach, reach + 1)
        band = sp.diags([np.ones(n)] * along.size, along, shape=(n, n))
        if periodic:
            cells = np.repeat(np.arange(n), along.size)
            band = sp.csr_matrix((np.ones(cells.size), (cells, (cells + np.tile(along, n)) % n)), shape=(n, n))
        bands.append(band)
    ones = [sp.identity(n) for n in lengths]
    if diagonal:
        pattern = _kronecker(sp, bands)
    else:
        pattern = sum(_kronecker(sp, [*ones[:a], bands[a], *ones[a + 1 :]]) for a in range(len(lengths)))
    pattern = sp.kron(np.ones((fields, fields)), pattern).tocsc()
    # Products with dense blocks store zeros.
    pattern.eliminate_zeros()
    pattern.data[:] = 1.0
    return pattern


def _kronecker(sp: Any, factors: list) -> Any:
    found = factors[0]
    for factor in factors[1:]:
        found = sp.kron(found, factor)
    return found
