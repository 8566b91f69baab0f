"""Bands around fits."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _arguments
from ._design import jacobian

__all__ = ["band"]

#: Quantile of the normal distribution for intervals of 95 %.
NORMAL = 1.959963984540054


def band(model: Any, result: Any, *, sigma: Any = 0.0) -> tuple:
    """Band of the state of a model around a fit, from the errors of the parameters to first order.

    Parameters
    ----------
    model
        The model of the fit, or the same model at other points or times.
    result
        What `minimize` returned. Its intervals of 95 % give the width of the band; if no parameter has a finite error,
        the normal distribution does.
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
    theta, cov, error = _arguments.parameters("result.x", result["x"]), np.asarray(result["cov"]), np.asarray(result["stderr"])
    state = np.asarray(_state(model, theta), dtype=float)
    noise = _noise(sigma, state.shape)
    slopes = np.asarray(jacobian(model, theta))
    free = np.isfinite(error)
    spread = np.einsum("ij,jk,ik->i", slopes[:, free], cov[np.ix_(free, free)], slopes[:, free])
    spread[(slopes[:, ~free] != 0.0).any(axis=1)] = np.inf
    half = _quantile(result, error) * np.sqrt(spread.reshape(state.shape) + noise**2)
    return state - half, state + half


def _noise(sigma: Any, shape: tuple) -> np.ndarray:
    """Returns the noise of every entry of the state."""
    noise = _arguments.array("sigma", sigma)
    wrong = noise[~(noise >= 0.0)]
    if wrong.size:
        raise ValueError(f"sigma contains {wrong.flat[0]}, but must not be negative or NaN")
    if noise.size == int(np.prod(shape)) and noise.ndim == 1:
        return noise.reshape(shape)
    if noise.ndim and noise.shape != shape:
        raise ValueError(f"sigma has the shape {noise.shape}, but must be one number or have the shape {shape} of the state")
    return np.broadcast_to(noise, shape)


def _quantile(result: Any, error: np.ndarray) -> float:
    """Returns the half width of the intervals of 95 % in standard errors, that of the normal distribution if no error tells it."""
    known = np.isfinite(error) & (error > 0.0)
    if not known.any():
        return NORMAL
    width = np.diff(np.asarray(result["intervals"]), axis=1).reshape(-1) / 2.0
    return float(np.median(width[known] / error[known]))


def _state(model: Any, theta: np.ndarray) -> np.ndarray:
    from ._minimize import solve

    return solve(model, theta)
