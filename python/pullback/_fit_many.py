"""Fits of one formula to many small sets of data."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np

from . import _arguments, _points, _result
from ._threads import threads

__all__ = ["fit_many"]


def fit_many(
    f: Callable,
    xdata: Any,
    ydata: Any,
    p0: Any,
    *,
    sigma: Any = None,
    loss: str = "linear",
    bounds: Any = None,
    transforms: Any = None,
    maxiter: int = 1000,
    n_jobs: Optional[int] = None,
) -> Any:
    """Fits ``f(x, *parameters)`` to many sets of data, such as pixels, wells or cells, in microseconds each.

    The formula is noted once and runs without Python. It must treat every point alike and be written with NumPy, as
    for `Dynamics`; other formulas are refused, and `curve_fit` fits them one set after the other.

    Parameters
    ----------
    f, xdata
        Formula and points of all sets, as for `curve_fit`.
    ydata
        One row of data for every set, NaN or masked where a datum is missing.
    p0
        Start of all fits, or one row for every set.
    sigma
        Standard deviation of the data, one for all or one for every point. Without it, every fit estimates its own.
    loss
        "linear", or "soft_l1", "huber", "cauchy" or "tukey" for data with outliers, which need sigma.
    bounds, transforms, maxiter, n_jobs
        As for `minimize`.

    Returns
    -------
    OptimizeResult
        With one row or entry for every set: x, stderr, fun, nit, success, message; and summary, a text.

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 6.0, 12)
    >>> rates = np.linspace(0.5, 1.5, 1000)
    >>> wells = 3.0 * np.exp(-rates[:, None] * t) + 1.0
    >>> found = pb.fit_many(lambda t, a, b, c: a * np.exp(-b * t) + c, t, wells, [2.0, 1.0, 0.5])
    >>> bool(found.success.all()), bool(np.allclose(found.x[:, 1], rates))
    (True, True)
    """
    x = _arguments.array("xdata", xdata)
    if x.ndim not in (1, 2) or not np.isfinite(x).all():
        raise ValueError("xdata must hold finite numbers, in one row for every coordinate of the points")
    y = _arguments.array("ydata", _arguments.present(ydata))
    if y.ndim != 2 or y.shape[1] != x.shape[-1]:
        raise ValueError(f"ydata has the shape {y.shape}, but must have one row of {x.shape[-1]} data for every set")
    starts = np.atleast_2d(_arguments.array("p0", p0))
    if starts.shape[0] not in (1, y.shape[0]) or starts.ndim != 2:
        raise ValueError(f"p0 has the shape {starts.shape}, but must be one start, or have one row for each of {y.shape[0]} sets")
    starts = np.broadcast_to(starts, (y.shape[0], starts.shape[1]))
    box = _arguments.intervals(bounds, starts.shape[1])
    for start in starts[:1] if np.ndim(p0) < 2 else starts:
        _arguments.inside("p0", _arguments.parameters("p0", start), box)
    theta = starts[0] if y.shape[0] else _arguments.parameters("p0", p0)
    points = _points.checked(_arguments.function("f", f), x, theta, box, ("p0", "use curve_fit for one set after the other"))
    choices = {
        "sigma": None if sigma is None else _arguments.array("sigma", sigma),
        "penalty": None if loss == "linear" else str(loss),
        "bounds": box and tuple(end.tolist() for end in box),
        "transforms": _arguments.transforms(transforms, starts.shape[1]),
        "iterations": _arguments.count("maxiter", maxiter),
    }
    with threads(n_jobs):
        found = points.fit_many(y.T, starts.T, choices)
    for name in ("nit", "success"):
        found[name] = np.array(found[name], dtype=int if name == "nit" else bool)
    return _result.plain()(found)
