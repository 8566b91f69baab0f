"""Models written in Python."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence, Union

import numpy as np

from . import _arguments, _pullback
from ._derivative import Derivative
from ._pullback import ModelError, ReadyModel

__all__ = ["Explicit", "Implicit", "Products", "as_model", "verify"]


class Products:
    """Jacobian that is known by its products only.

    ``jvp(V)`` returns J V and ``vjp(W)`` returns Jᵀ W, for arrays V and W with one vector in every column.

    >>> import numpy as np, pullback as pb
    >>> A = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> model = pb.Explicit(lambda theta: A @ theta, jac=lambda theta: pb.Products(A.shape, lambda V: A @ V, lambda W: A.T @ W))
    >>> pb.minimize(model, [5.0, 11.0, 17.0], [0.0, 0.0]).x.round(6).tolist()
    [1.0, 2.0]
    """

    def __init__(self, shape: Sequence[int], jvp: Callable, vjp: Callable):
        self.shape = tuple(_arguments.count("shape", n) for n in shape)
        self.matmat = _arguments.function("jvp", jvp)
        self.rmatmat = _arguments.function("vjp", vjp)

    def __repr__(self) -> str:
        return f"<Products: matrix {self.shape}>"


class Explicit:
    """Explicit model y = f(theta).

    ``f`` maps the parameters to an array. ``jac(theta)`` returns the derivative of the flattened array, one row per
    entry: an array, a `scipy.sparse` matrix, `Products` or SciPy's `LinearOperator`. Without it, derivatives are
    found by complex steps where ``f`` is analytic, and otherwise by central differences.

    Values that are NaN or infinite reject a step. Exceptions end the computation with a `ModelError`, whose
    ``__cause__`` is the exception.

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 3.0, 20)
    >>> decay = pb.Explicit(lambda theta: theta[0] * np.exp(-theta[1] * t))
    >>> pb.minimize(decay, 2.0 * np.exp(-0.7 * t), [1.0, 1.0]).x.round(8).tolist()
    [2.0, 0.7]
    """

    def __init__(self, f: Callable[[np.ndarray], Any], jac: Optional[Callable] = None):
        self.f = _arguments.function("f", f)
        self.jac = None if jac is None else _arguments.function("jac", jac)
        self.derivative = Derivative(self._flat)
        self.state_dim = self.param_dim = 0
        self.shape: tuple = ()
        self.nfev = self.njev = 0
        self._last: tuple = (None, None)

    def _flat(self, theta: np.ndarray) -> np.ndarray:
        # A copy, since f may write to one and the same array every time.
        return np.array(self.f(theta.copy())).reshape(-1)

    def prepare(self, theta: np.ndarray) -> None:
        """Finds the numbers of values and parameters by an evaluation."""
        try:
            value = np.array(self.f(theta.copy()))
        except Exception as cause:
            raise ModelError(f"the model raised {type(cause).__name__}: {cause}") from cause
        self.shape = value.shape
        self.state_dim, self.param_dim = value.size, theta.size
        self.nfev = 1
        self._last = (theta.copy(), value.reshape(-1))

    def values(self, theta: np.ndarray) -> np.ndarray:
        """Returns the flattened values, which the compiled part calls for."""
        known, value = self._last
        if known is None or not np.array_equal(known, theta):
            self.nfev += 1
            value = self._flat(theta)
            self._last = (theta, value)
        return value

    def jacobian(self, theta: np.ndarray) -> Any:
        """Returns the derivative of the flattened values, which the compiled part calls for."""
        self.njev += 1
        if self.jac is not None:
            return self.jac(theta)
        before = self.derivative.evaluations
        found = self.derivative.jacobian(theta, self.values(theta))
        self.nfev += self.derivative.evaluations - before
        return found

    def __repr__(self) -> str:
        size = f": values {self.shape}, {self.param_dim} parameters" if self.param_dim else ""
        return f"<{type(self).__name__}{size}>"

    def predict(self, theta: Any) -> np.ndarray:
        """Computes the values at these parameters."""
        return np.asarray(self.f(np.asarray(theta, dtype=float)), dtype=float)


class Implicit:
    """State rho(theta) given by equations g(rho, theta) = 0.

    ``residual(rho, theta)`` returns g. ``state_jac`` and ``param_jac`` return its derivatives by rho and theta: an array
    (with one axis for a diagonal), a `scipy.sparse` matrix, `Products`, or None for the identity. ``guess(theta)`` starts
    Newton's method, in place of zeros; ``solve(rho, theta)`` replaces it, and starts from the state at a similar theta.
    ``sensitivity(rho, theta)`` returns the derivative of the state by theta, in place of solves with the first Jacobian: an
    array, or `Products` with solvers of your own. A class may define the methods ``residual``, ``state_jacobian``,
    ``param_jacobian``, ``guess``, ``solve`` and ``sensitivity`` and the attribute ``state_dim`` instead.

    >>> import numpy as np, pullback as pb
    >>> n = np.array([1.0, 2.0, 3.0])
    >>> kepler = pb.Implicit(
    ...     3,
    ...     lambda rho, theta: rho - theta[0] * np.sin(rho) - theta[1] * n,
    ...     lambda rho, theta: 1.0 - theta[0] * np.cos(rho),
    ...     lambda rho, theta: np.stack([-np.sin(rho), -n], axis=1),
    ... )
    >>> pb.minimize(kepler, [0.6913, 1.2881, 1.7926], [0.1, 0.4]).x.round(3).tolist()
    [0.3, 0.5]
    """

    def __init__(
        self,
        state_dim: int,
        residual: Callable,
        state_jac: Callable,
        param_jac: Callable,
        *,
        guess: Optional[Callable] = None,
        solve: Optional[Callable] = None,
        sensitivity: Optional[Callable] = None,
    ):
        self.state_dim = _arguments.count("state_dim", state_dim)
        self.param_dim = 0
        self.residual = _arguments.function("residual", residual)
        self.state_jacobian = _arguments.function("state_jac", state_jac)
        self.param_jacobian = _arguments.function("param_jac", param_jac)
        for name, given in {"guess": guess, "solve": solve, "sensitivity": sensitivity}.items():
            setattr(self, name, None if given is None else _arguments.function(name, given))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: state of {self.state_dim} numbers>"


class Adapter:
    """Implicit model with the number of parameters of a start, around an object of the user's."""

    def __init__(self, model: Any, param_dim: int):
        self.inner = model
        self.state_dim = int(model.state_dim)
        self.param_dim = param_dim
        self.nfev = self.njev = 0
        self.state_jacobian = model.state_jacobian
        self.guess = getattr(model, "guess", None)
        self.solve = getattr(model, "solve", None)
        self.sensitivity = getattr(model, "sensitivity", None)
        self.shape = getattr(model, "shape", ())

    def residual(self, rho: np.ndarray, theta: np.ndarray) -> Any:
        """Counts and evaluates the equations."""
        self.nfev += 1
        return self.inner.residual(rho, theta)

    def param_jacobian(self, rho: np.ndarray, theta: np.ndarray) -> Any:
        """Counts and evaluates the derivative by the parameters."""
        self.njev += 1
        return self.inner.param_jacobian(rho, theta)


def as_model(model: Any, theta: np.ndarray) -> Union[ReadyModel, Explicit, Adapter]:
    """Returns what the compiled part takes for a model, a function, or an object with the methods of `Implicit`."""
    ready = getattr(model, "_model", model)
    if isinstance(ready, ReadyModel):
        if ready.param_dim != theta.size:
            raise ValueError(f"theta0 has {theta.size} entries, but the model has {ready.param_dim} parameters")
        return ready
    if hasattr(model, "residual") and hasattr(model, "state_dim"):
        return Adapter(model, theta.size)
    if not isinstance(model, Explicit):
        if not callable(model):
            raise TypeError(f"model must be a model or a function of the parameters, not {type(model).__name__}")
        model = Explicit(model)
    model.prepare(theta)
    return model


def verify(model: Any, theta: Any, *, seed: int = 1) -> str:
    """Checks the derivatives of a model at theta by differences.

    Returns the table of checks, and raises `AssertionError` with the table if a derivative is wrong.

    >>> import numpy as np, pullback as pb
    >>> wrong = pb.Explicit(lambda theta: theta**2, jac=lambda theta: np.diag(theta))
    >>> pb.verify(wrong, [1.0, 2.0])  # doctest: +ELLIPSIS +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    AssertionError: ...
    """
    theta = _arguments.parameters("theta", theta)
    passed, table = _pullback.verify(as_model(model, theta), theta, _arguments.count("seed", seed))
    if not passed:
        raise AssertionError(table)
    return table
