"""Bands around fits."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _arguments
from ._design import jacobian

__all__ = ["band"]


def band(model: Any, result: Any, *, sigma: Any = 0.0) -> tuple:
    """Band of the state of a model around a fit, from the errors of the parameters to first order.

    Parameters
    ----------
    model
        The model of the fit, or the same model at other points or times.
    result
        What `minimize` returned. Its intervals of 95 % give the width of the band.
    sigma
        Noise of future data, a number or an array of the shape of the state, for a band that covers them.

    Returns
    -------
    lower, upper
        Arrays of the shape of the state. They are infinite where the state depends on a parameter that the data do not determine.

    >>> import numpy as np, pullback as pb
    >>> line = lambda t: pb.Formula(lambda theta: theta[0] + theta[1] * t, parameters=2)
    >>> t = np.linspace(0.0, 1.0, 11)
    >>> found = pb.minimize(line(t), 1.0 + 2.0 * t, [0.0, 0.0], sigma=0.1)
    >>> lower, upper = pb.band(line(np.array([0.5, 2.0])), found)
    >>> (upper - lower).round(3).tolist()
    [0.118, 0.573]
    """
    if not isinstance(result, dict) or not {"x", "cov", "stderr", "intervals"} <= result.keys():
        raise TypeError(f"result must be what minimize returned, not {type(result).__name__}")
    if result["cov"] is None:
        raise ValueError(f"result has no errors: {result.get('cov_message') or 'it was fitted without uncertainty'}")
    theta, cov = _arguments.parameters("result.x", result["x"]), np.asarray(result["cov"])
    width, error = np.diff(np.asarray(result["intervals"]), axis=1).reshape(-1) / 2.0, np.asarray(result["stderr"])
    known = np.isfinite(error) & (error > 0.0)
    quantile = float(np.median(width[known] / error[known])) if known.any() else 0.0
    slopes = np.asarray(jacobian(model, theta))
    free = np.isfinite(error)
    spread = np.einsum("ij,jk,ik->i", slopes[:, free], cov[np.ix_(free, free)], slopes[:, free])
    spread[(slopes[:, ~free] != 0.0).any(axis=1)] = np.inf
    state = np.asarray(_state(model, theta), dtype=float)
    noise = np.broadcast_to(_arguments.array("sigma", sigma), state.shape)
    half = quantile * np.sqrt(spread.reshape(state.shape) + noise**2)
    return state - half, state + half


def _state(model: Any, theta: np.ndarray) -> np.ndarray:
    from ._minimize import solve

    return solve(model, theta)
