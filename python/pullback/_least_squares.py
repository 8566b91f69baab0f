"""Least squares, in the way of `scipy.optimize.least_squares`."""

from __future__ import annotations

import warnings
from typing import Any, Callable, Optional

import numpy as np

from . import _arguments, _pullback, _result
from ._curve_fit import rechecked
from ._derivative import Derivative
from ._minimize import settings, tolerances
from ._robust import LOSSES, rescaled
from ._threads import threads

__all__ = ["least_squares"]

MODES = {"2-point": "differences", "3-point": "differences", "cs": "complex", "auto": None}

#: Status of SciPy for every reason of a stop that is a success.
STATUS = {"gradient": 1, "decrease": 2, "loss": 2, "target": 2, "step": 3}


class Residuals:
    """Model whose state is the vector of residuals."""

    def __init__(self, fun: Callable, jac: Any, x0: np.ndarray, more: tuple):
        self.args, self.kwargs = more
        self.fun = fun
        if not callable(jac) and jac not in MODES:
            raise ValueError(f"jac must be callable, 'auto', '2-point', '3-point' or 'cs', not {jac!r}")
        self.jac = jac if callable(jac) else None
        self.derivative = Derivative(self._plain, None, None if callable(jac) else MODES[jac])
        self.nfev = self.njev = 0
        self._last = x0, self._plain(x0)
        self.state_dim, self.param_dim = self._last[1].size, x0.size
        if not np.isfinite(self._last[1]).all():
            raise ValueError("Residuals are not finite in the initial point: choose another x0")

    def _plain(self, x: np.ndarray) -> np.ndarray:
        self.nfev += 1
        # Copies, since fun may write to its argument, and to one and the same array every time.
        found = np.array(self.fun(x.copy(), *self.args, **self.kwargs), ndmin=1)
        if found.ndim > 1:
            raise ValueError(f"fun must return an array with one axis, not of the shape {found.shape}")
        return found

    def values(self, x: np.ndarray) -> np.ndarray:
        """Returns the residuals, which the compiled part calls for."""
        known, value = self._last
        if not np.array_equal(known, x):
            value = self._plain(x)
            self._last = x, value
        return value

    def jacobian(self, x: np.ndarray) -> Any:
        """Returns the derivative of the residuals, which the compiled part calls for."""
        self.njev += 1
        if self.jac is not None:
            found = self.jac(x.copy(), *self.args, **self.kwargs)
            return found if hasattr(found, "tocsc") or hasattr(found, "matmat") else np.atleast_2d(found)
        return self.derivative.jacobian(x, self.values(x))


def least_squares(
    fun: Callable,
    x0: Any,
    jac: Any = "auto",
    bounds: Any = _arguments.NO_BOUNDS,
    method: Optional[str] = None,
    ftol: Optional[float] = None,
    xtol: Optional[float] = None,
    gtol: Optional[float] = None,
    x_scale: Any = None,
    loss: str = "linear",
    f_scale: float = 1.0,
    diff_step: Any = None,
    tr_solver: Optional[str] = None,
    tr_options: Optional[dict] = None,
    jac_sparsity: Any = None,
    max_nfev: Optional[int] = None,
    verbose: int = 0,
    args: tuple = (),
    kwargs: Optional[dict] = None,
    callback: Optional[Callable] = None,
    workers: Any = None,
    *,
    n_jobs: Optional[int] = None,
) -> Any:
    """Minimises ½ Σ f_scale² φ((fun(x)ᵢ / f_scale)²), with φ(z) = z for the loss "linear".

    Arguments and the fields of the result are those of `scipy.optimize.least_squares`, with these differences. (As there, jac is
    that of fun for the loss "linear", and otherwise has its rows scaled so that jacᵀ jac is the curvature of the objective.)
    ``jac="auto"`` takes complex steps where fun is analytic, and central differences otherwise. The tolerances are
    those of `minimize`, and None stands for their defaults. The loss may also be "tukey"; "arctan" is unknown. Steps
    do not depend on the scale of x, so that ``x_scale`` has no effect, and neither have ``method``, ``diff_step``,
    ``tr_solver``, ``tr_options`` and ``workers``. ``n_jobs`` is the number of threads (see `threads`).

    >>> import numpy as np, pullback as pb
    >>> rosenbrock = lambda x: np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])
    >>> result = pb.least_squares(rosenbrock, [2.0, 2.0], bounds=([-np.inf, 1.5], np.inf))
    >>> result.x.round(6).tolist(), result.active_mask.tolist()
    ([1.224371, 1.5], [0, -1])
    """
    x0 = _arguments.parameters("x0", x0)
    box = _arguments.corners(bounds, x0.size)
    _arguments.inside("x0", x0, box)
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, not {loss!r}")
    idle = {"method": method, "x_scale": x_scale, "diff_step": diff_step, "tr_solver": tr_solver, "workers": workers}
    named = [name for name, value in idle.items() if value is not None]
    if named or tr_options:
        warnings.warn(f"{', '.join(named or ['tr_options'])}: no effect, since pullback has one method", stacklevel=2)
    args = args if isinstance(args, tuple) else (args,)
    model = Residuals(_arguments.function("fun", fun), jac, x0, (args, dict(kwargs or {})))
    model.derivative.bounds = box
    if jac_sparsity is not None and model.jac is None:
        if np.shape(jac_sparsity) != (model.state_dim, x0.size):
            raise ValueError(f"jac_sparsity has the shape {np.shape(jac_sparsity)}, but must be {(model.state_dim, x0.size)}")
        model.derivative.use_sparsity(jac_sparsity)
    chosen = settings(
        bounds=box and tuple(end.tolist() for end in box),
        tolerances=tolerances(ftol, xtol, gtol),
        jacobian=True,
        callback=watcher(model, callback, max_nfev, verbose),
    )
    terms = {"grid": None, "sigma": None, "observe": None, "f_scale": _arguments.number("f_scale", f_scale)}
    objective = _pullback.loss(_arguments.Word(LOSSES[loss]), np.zeros(model.state_dim), terms)
    with threads(n_jobs):
        found = rechecked(model, objective, x0, chosen)
    found["state_jac"] = rescaled(loss, float(f_scale), model.values(found["x"]), found["state_jac"])
    return result(found, model, box, max_nfev)


def watcher(model: Residuals, callback: Optional[Callable], most: Optional[int], verbose: int) -> Optional[Callable]:
    """Returns what is called for every iterate, if anything is."""
    if callback is None and most is None and verbose < 2:
        return None

    def watch(x: np.ndarray, fun: float) -> bool:
        if verbose >= 2:
            print(f"{model.nfev:>6} evaluations, cost {fun:.6e}")
        stops = callback is not None and callback(_result.plain()(x=x, cost=fun)) is True
        return stops or (most is not None and model.nfev >= most)

    return watch


def result(found: dict, model: Residuals, box: Optional[tuple], most: Optional[int]) -> Any:
    """Returns the result with the fields of SciPy."""
    x, gradient = found["x"], found["jac"]
    mask = np.zeros(x.size, dtype=int)
    free = np.ones(x.size, dtype=bool)
    if box is not None:
        mask[x <= box[0]], mask[x >= box[1]] = -1, 1
        free = ~(((mask < 0) & (gradient > 0)) | ((mask > 0) & (gradient < 0)))
    status = STATUS.get(found["reason"], -1) if found["success"] else -1
    if not found["success"] and (found["reason"] == "iteration limit" or (most is not None and model.nfev >= most)):
        status = 0
    elif found["reason"] == "observer":
        status = -2
    return _result.plain()(
        message=found["message"],
        success=status > 0,
        status=status,
        fun=model.values(x),
        x=x,
        cost=found["fun"],
        jac=found["state_jac"],
        grad=gradient,
        optimality=float(np.abs(gradient[free]).max(initial=0.0)),
        active_mask=mask,
        nfev=model.nfev,
        njev=model.njev,
        nit=found["nit"],
        history=_result.history(found["history"]),
        counts=found["counts"],
    )
