"""Derivatives of states, and optimal designs of experiments."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from . import _arguments, _pullback, _result
from ._model import as_model

__all__ = ["design", "jacobian"]


def jacobian(model: Any, theta: Any) -> np.ndarray:
    """Computes the derivative of the state by the parameters, one row for every entry of the flat state.

    >>> import numpy as np, pullback as pb
    >>> square = pb.Implicit(
    ...     1,
    ...     lambda rho, theta: rho**2 - theta,
    ...     lambda rho, theta: 2.0 * rho,
    ...     lambda rho, theta: -np.eye(1),
    ...     guess=lambda theta: np.ones(1),
    ... )
    >>> pb.jacobian(square, [4.0]).round(12).tolist()
    [[0.25]]
    """
    theta = _arguments.parameters("theta", theta)
    return _pullback.derivative(as_model(model, theta), theta)


def design(
    model: Any,
    theta: Any,
    sigma: Any = 1.0,
    *,
    count: Optional[int] = None,
    criterion: str = "D",
    group: int = 1,
    units: Any = None,
    precision: Any = None,
) -> Any:
    """Finds the observations that tell the most about the parameters.

    The candidates are the entries of the state at ``theta``, or groups of as many as ``group`` that follow each other, with noise of the
    standard deviation ``sigma``.

    Parameters
    ----------
    count
        Number of candidates to choose. Without it, all get weights, the shares of the effort that are best.
    criterion
        "D" (least volume of the confidence ellipsoid), "A" (least sum of variances) or "E" (shortest longest axis).
    units
        Units of the parameters, in which "A" and "E" compare them. With ``theta`` itself these judge relative errors.
    precision
        What is known before: the inverse covariance of a prior or of earlier data.

    Returns
    -------
    OptimizeResult
        ``weights`` or ``chosen`` (indices of the candidates), value (of the criterion) and efficiency (a lower bound, from 0 to 1).

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 6.0, 61)
    >>> decay = lambda theta: theta[0] * np.exp(-theta[1] * t)
    >>> best = pb.design(decay, [10.0, 0.5], 0.1)
    >>> t[best.weights > 0.01].tolist()  # at once, and at 1 / 0.5
    [0.0, 2.0]
    """
    theta = _arguments.parameters("theta", theta)
    rows = jacobian(model, theta)
    deviations = _arguments.array("sigma", sigma)
    if deviations.size not in (1, rows.shape[0]):
        raise ValueError(f"sigma has {deviations.size} entries, but must be a number or have {rows.shape[0]}")
    purpose = {
        "criterion": str(criterion),
        "group": _arguments.count("group", group),
        "units": None if units is None else _arguments.array("units", units).reshape(-1).tolist(),
        "count": None if count is None else _arguments.count("count", count),
    }
    known = None if precision is None else _arguments.array("precision", precision)
    flat = np.full(rows.shape[0], deviations.reshape(-1)[0]) if deviations.size == 1 else deviations.reshape(-1)
    return _result.plain()(_pullback.design(rows, flat, known, purpose))
