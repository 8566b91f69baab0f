"""Fits of curves, in the way of `scipy.optimize.curve_fit`."""

from __future__ import annotations

import inspect
import warnings
from typing import Any, Callable, Optional

import numpy as np

from . import _arguments, _points, _pullback
from ._derivative import Derivative
from ._minimize import settings, tolerances
from ._pullback import ModelError
from ._robust import LOSSES, rescaled
from ._threads import threads

__all__ = ["curve_fit"]

#: Share of a parameter in an undetermined combination above which the parameter counts as undetermined.
SHARE = 1e-6
#: Rounding error of a number.
EPSILON = float(np.finfo(float).eps)

#: Options of SciPy's solvers that have no effect here.
WITHOUT_EFFECT = {
    "col_deriv",
    "epsfcn",
    "factor",
    "diag",
    "x_scale",
    "diff_step",
    "tr_solver",
    "tr_options",
    "verbose",
    "warning",
}


class Curve:
    """Model of a formula f(x, *parameters) at given points."""

    def __init__(self, f: Callable, x: Any, count: int, jac: Any):
        self.f, self.x, self.jac = f, x, jac if callable(jac) else None
        self.state_dim, self.param_dim = count, 0
        modes = {"cs": "complex", "2-point": "differences", "3-point": "differences"}
        if not callable(jac) and jac is not None and jac not in modes:
            raise ValueError(f"jac must be callable, '2-point', '3-point', 'cs' or None, not {jac!r}")
        mode = modes.get(jac) if isinstance(jac, str) else None
        # Parameters in a column broadcast against points in a row. Formulas of scalars cannot do so.
        self.derivative = Derivative(self._plain, self._batch if np.ndim(x) else None, mode)
        self.keep: Any = slice(None)
        #: Data and their deviations, for fits by plain least squares.
        self.plain: Any = None
        self.nfev = self.njev = 0
        self._last: tuple = (None, None)
        self._last_jacobian: tuple = (None, None)

    def _plain(self, theta: np.ndarray) -> np.ndarray:
        self.nfev += 1
        # Terms without the parameter that moves stay real, and cost less.
        entries = [entry if entry.imag else entry.real for entry in theta] if theta.dtype.kind == "c" else theta
        # A copy, since f may write to one and the same array every time.
        return np.array(self.f(self.x, *entries)).reshape(-1)[self.keep]

    def _batch(self, rows: np.ndarray) -> np.ndarray:
        self.nfev += 1
        return np.asarray(self.f(self.x, *rows.T[:, :, None]))[:, self.keep]

    def traced(self, theta: np.ndarray) -> Any:
        """Returns the formula as one that needs no Python, or None if it cannot be traced or has other values near theta."""
        if self.jac is not None or self.derivative.chosen or not isinstance(self.x, np.ndarray):
            return None
        points = _points.traced(self.f, self.x[..., self.keep], theta.size, self.state_dim)
        return points if points is not None and self.equals(points, _points.moved(theta, self.derivative.bounds)) else None

    def equals(self, points: Any, theta: np.ndarray) -> bool:
        """Returns whether a traced formula has the values of the formula, up to rounding."""
        try:
            return _points.agree(points.model().predict(theta), self.value(theta))
        except Exception:
            # The function is called as it is, and tells what is wrong.
            return False

    def values(self, theta: np.ndarray) -> np.ndarray:
        """Returns the values of the formula, which the compiled part calls for."""
        self._last = theta, self._plain(theta)
        return self._last[1]

    def value(self, theta: np.ndarray) -> np.ndarray:
        """Returns the values of the formula, those of the last call if the parameters are the same."""
        known, value = self._last
        return value if known is not None and np.array_equal(known, theta) else self.values(theta)

    def jacobian(self, theta: np.ndarray) -> Any:
        """Returns the derivative of the values, which the compiled part calls for."""
        known, found = self._last_jacobian
        if known is None or not np.array_equal(known, theta):
            self.njev += 1
            if self.jac is not None:
                found = np.array(self.jac(self.x, *theta), dtype=float)
                if found.ndim != 2:
                    raise ValueError(f"jac must return one row per datum and one column per parameter, not the shape {found.shape}")
                found = found[self.keep]
            else:
                found = self.derivative.jacobian(theta, self.value(theta))
            self._last_jacobian = theta, found
        return found


def curve_fit(
    f: Callable,
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    check_finite: Optional[bool] = None,
    bounds: Any = _arguments.NO_BOUNDS,
    method: Optional[str] = None,
    jac: Any = None,
    *,
    full_output: bool = False,
    nan_policy: Optional[str] = None,
    **kwargs: Any,
) -> tuple:
    """Fits ``f(x, *parameters)`` to data by least squares.

    Arguments and results are those of `scipy.optimize.curve_fit`. There is one method, and ``method`` has no effect.
    Without ``jac``, derivatives are exact where f is analytic and written with NumPy (complex steps), and central
    differences otherwise.

    ``kwargs`` may hold ``ftol``, ``xtol``, ``gtol``, ``maxfev`` or ``max_nfev``, ``loss`` with ``f_scale``, and ``n_jobs``.
    With a robust loss, pcov is SciPy's: the inverse curvature of the loss, times twice the loss per degree of freedom.

    Returns
    -------
    popt, pcov
        Parameters and covariance. Rows and columns of pcov are infinite for parameters that the data do not
        determine, which a warning names; SciPy fills the whole matrix.
    infodict, mesg, ier
        With ``full_output=True`` only: a dictionary with nfev, njev, fvec (the weighted residuals) and fjac (their
        derivatives, without the weights of a robust loss), and the reason for stopping. nfev counts the calls of f with
        numbers: two for a formula that is traced, since the fit then runs without Python.

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 4.0, 30)
    >>> y = 2.5 * np.exp(-1.3 * t) + 0.5
    >>> popt, pcov = pb.curve_fit(lambda t, a, b, c: a * np.exp(-b * t) + c, t, y, sigma=0.1, absolute_sigma=True)
    >>> popt.round(9).tolist()
    [2.5, 1.3, 0.5]
    """
    if method is not None:
        text = f"method={method!r} has no effect: pullback has one method for all problems, with and without bounds"
        warnings.warn(text, stacklevel=2)
    p0, box = start(_arguments.function("f", f), p0, bounds)
    if isinstance(xdata, (list, tuple, np.ndarray)):
        xdata = _arguments.array("xdata", xdata)
    y, sigma, keep = data(xdata if check_finite in (None, True) else 0.0, ydata, sigma, nan_policy)
    curve = Curve(f, xdata, y.size, jac)
    curve.keep, curve.param_dim = keep, p0.size
    curve.derivative.bounds = box
    found = fit(curve, y, sigma, p0, box, kwargs)
    if not found["success"]:
        raise RuntimeError(f"Optimal parameters not found: {found['message']}")
    residual, weighted = whitened(sigma, curve.value(found["x"]) - y), whitened(sigma, found["state_jac"])
    loss, f_scale = kwargs.get("loss", "linear"), float(kwargs.get("f_scale", 1.0))
    pcov, undetermined = covariance(rescaled(loss, f_scale, residual, weighted), curve.derivative.mode)
    if undetermined:
        warn_covariance(missing(undetermined, curve.derivative.mode))
    if not absolute_sigma:
        freedom = y.size - p0.size
        if freedom > 0:
            pcov = pcov * (2.0 * found["fun"] / freedom)
        else:
            pcov = np.full_like(pcov, np.inf)
            warn_covariance("there are not more data than parameters: their covariances are infinite without absolute_sigma")
    if not full_output:
        return found["x"], pcov
    info = {"nfev": curve.nfev, "njev": curve.njev, "fvec": residual, "fjac": weighted}
    return found["x"], pcov, info, found["message"], 1


def missing(parameters: list, mode: str) -> str:
    """Returns the warning that the data do not determine these parameters."""
    text = f"the data do not determine the parameters {', '.join(map(str, parameters))}: their covariances are infinite"
    # Steps of about 1e-5 change nothing in a function that rounds its values, to single precision for instance.
    hint = "; derivatives are differences, which vanish where f rounds its values: do not round, or give jac"
    return text + hint if mode == "differences" else text


def warn_covariance(text: str) -> None:
    """Warns in the category of SciPy, if SciPy is installed."""
    try:
        from scipy.optimize import OptimizeWarning as category
    except ImportError:
        category = UserWarning
    warnings.warn(text, category, stacklevel=3)


def start(f: Callable, p0: Any, bounds: Any) -> tuple:
    """Returns the start and the box. Without a start, the signature of f tells the number of parameters."""
    if p0 is not None:
        p0 = _arguments.parameters("p0", p0)
        box = _arguments.corners(bounds, p0.size)
        _arguments.inside("p0", p0, box)
        return p0, box
    try:
        given = inspect.signature(f).parameters.values()
    except (TypeError, ValueError) as cause:
        raise ValueError("p0 is needed: the signature of f is not known") from cause
    names = [p for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(names) < 2 or any(p.kind == p.VAR_POSITIONAL for p in given):
        raise ValueError("p0 is needed: the signature of f does not tell the number of parameters")
    box = _arguments.corners(bounds, len(names) - 1)
    if box is None:
        return np.ones(len(names) - 1), None
    # Inside a box: its middle, or a unit from its only end.
    lower, upper = box
    low, high = np.isfinite(lower), np.isfinite(upper)
    with np.errstate(all="ignore"):
        middle = 0.5 * (lower + upper)
    return np.select([low & high, low, high], [middle, lower + 1.0, upper - 1.0], 1.0), box


def data(xdata: Any, ydata: Any, sigma: Any, nan_policy: Optional[str]) -> tuple:
    """Returns the data, their noise, and which of the values of f they belong to."""
    if nan_policy not in (None, "raise", "omit"):
        raise ValueError(f"nan_policy must be None, 'raise' or 'omit', not {nan_policy!r}")
    y = _arguments.array("ydata", _arguments.present(ydata) if nan_policy == "omit" else ydata).reshape(-1)
    if y.size == 0:
        raise ValueError("ydata is empty")
    x = np.asarray(xdata)
    broken = x.dtype.kind in "fc" and not np.isfinite(x).all()
    if nan_policy != "omit":
        if not np.isfinite(y).all():
            raise ValueError("ydata has entries that are not finite; nan_policy='omit' leaves out those that are NaN")
        if broken:
            raise ValueError("xdata has entries that are not finite; nan_policy='omit' leaves out those that are NaN")
        return y, noise(sigma, y.size, slice(None)), slice(None)
    missing = np.isnan(y)
    if broken and x.shape[-1:] == y.shape:
        missing |= np.isnan(x).reshape(-1, y.size).any(axis=0)
    keep = np.flatnonzero(~missing)
    return y[keep], noise(sigma, y.size, keep), keep


def noise(sigma: Any, count: int, keep: Any) -> Any:
    """Returns standard deviations or a covariance matrix for the data that are kept, or None."""
    if sigma is None:
        return None
    sigma = _arguments.array("sigma", sigma)
    if sigma.size == 1:
        sigma = np.full(count, float(sigma.reshape(())))
    if sigma.shape == (count,):
        return sigma[keep]
    if sigma.shape == (count, count):
        return sigma[keep][:, keep]
    raise ValueError(f"sigma has the shape {sigma.shape}, but must be a number, or have the shape ({count},) or ({count}, {count})")


def whitened(sigma: Any, values: np.ndarray) -> np.ndarray:
    """Returns values in units of the noise."""
    if sigma is None:
        return values
    if sigma.ndim == 1:
        return (values.T / sigma).T
    return np.linalg.solve(np.linalg.cholesky(sigma), values)


def fit(curve: Curve, y: np.ndarray, sigma: Any, p0: np.ndarray, box: Any, options: dict) -> dict:
    """Runs the descent. If the Jacobian contradicts differences at the end, it is repeated with differences."""
    options = dict(options)
    kind, scale = options.pop("loss", "linear"), _arguments.number("f_scale", options.pop("f_scale", 1.0))
    limits = tolerances(*(options.pop(name, None) for name in ("ftol", "xtol", "gtol")))
    most = options.pop("maxfev", None) or options.pop("max_nfev", None) or 0
    jobs = options.pop("n_jobs", None)
    for name in options:
        if name not in WITHOUT_EFFECT:
            raise TypeError(f"curve_fit() got an unexpected keyword argument '{name}'")
    chosen = settings(
        bounds=box and tuple(end.tolist() for end in box),
        tolerances=limits,
        jacobian=True,
        callback=(lambda x, fun: curve.nfev >= most) if most else None,
    )
    if kind not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, not {kind!r}")
    terms = {"grid": None, "sigma": sigma, "observe": None, "f_scale": scale}
    loss = _pullback.loss(_arguments.Word(LOSSES[kind]), y, terms)
    if kind == "linear" and np.ndim(sigma) < 2 and limits == tolerances(None, None, None):
        curve.plain = y, sigma
    with threads(jobs):
        return compiled(curve, loss, p0, chosen) or rechecked(curve, loss, p0, chosen)


def compiled(curve: Curve, loss: Any, p0: np.ndarray, chosen: dict) -> Optional[dict]:
    """Runs the descent without Python, if the formula can be traced and is what was traced at the end, too."""
    points = None if chosen["callback"] else curve.traced(p0)
    if points is None:
        return None
    found = descend(points.model(), loss, p0, chosen) if curve.plain is None else small(points, curve.plain, p0, chosen)
    # The formula may take other branches here than near the start.
    return found if curve.equals(points, found["x"]) else None


def small(points: Any, data: tuple, p0: np.ndarray, chosen: dict) -> dict:
    """Runs the same descent by the loop for small sets of data, which takes microseconds."""
    y, sigma = data
    choices = {"sigma": sigma, "penalty": None, "bounds": chosen["bounds"], "transforms": None, "iterations": chosen["iterations"]}
    found = points.fit_many(y[:, None], p0[:, None], choices)
    theta = found["x"][0]
    if not np.isfinite(theta).all():
        raise ModelError(found["message"][0])
    jacobian = _pullback.derivative(points.model(), theta)
    return {
        "x": theta,
        "fun": found["fun"][0],
        "success": found["success"][0],
        "message": found["message"][0],
        "state_jac": jacobian,
    }


def rechecked(curve: Any, loss: Any, p0: np.ndarray, chosen: dict) -> dict:
    """Runs the descent, and repeats it if the Jacobian contradicts differences."""
    found = descend(curve, loss, p0, chosen)
    derivative = curve.derivative
    if curve.jac is None and derivative.mode != "differences" and not derivative.chosen:
        if not derivative.agrees(found["x"], found["state_jac"]):
            derivative.mode, curve._last_jacobian = "differences", (None, None)
            found = descend(curve, loss, p0, chosen)
    return found


def descend(curve: Any, loss: Any, p0: np.ndarray, chosen: dict) -> dict:
    """Runs a descent. Exceptions of the user's functions come through as they are, and Ctrl-C is raised."""
    try:
        found = _pullback.descend(curve, loss, p0, chosen)
    except ModelError as error:
        if error.__cause__ is not None:
            raise error.__cause__ from None
        raise
    if found["interrupted"]:
        raise KeyboardInterrupt
    return found


def covariance(jacobian: np.ndarray, mode: str) -> tuple:
    """Returns (JᵀJ)⁻¹, with infinite rows and columns for undetermined parameters, and the indices of these."""
    lengths = np.sqrt(np.einsum("ij,ij->j", jacobian, jacobian))
    lengths[lengths == 0.0] = 1.0
    _, singular, rows = np.linalg.svd(jacobian / lengths, full_matrices=jacobian.shape[0] < jacobian.shape[1])
    # Differences have errors far above rounding.
    rounding = 1e-9 if mode == "differences" else EPSILON * max(jacobian.shape)
    if singular.size == rows.shape[0] and singular[-1] > rounding * singular[0]:
        root = rows.T / singular / lengths[:, None]
        return root @ root.T, []
    singular = np.concatenate([singular, np.zeros(rows.shape[0] - singular.size)])
    known = singular > rounding * singular.max(initial=0.0)
    root = rows[known].T / singular[known] / lengths[:, None]
    cov = root @ root.T
    undetermined = np.flatnonzero((np.abs(rows[~known]) > SHARE).any(axis=0))
    cov[undetermined, :] = cov[:, undetermined] = np.inf
    return cov, undetermined.tolist()
