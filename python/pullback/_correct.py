"""Corrections of approximate models by a simulator."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np

from . import _arguments, _pullback, _result
from ._model import as_model
from ._threads import threads

__all__ = ["correct"]


def correct(
    model: Any,
    simulate: Callable,
    data: Any,
    starts: Any,
    *,
    metric: Any = "l2",
    direction: str = "least_squares",
    bounds: Any = None,
    cap: float = 0.3,
    scale: Any = None,
    xtol: float = 1e-8,
    maxiter: int = 60,
    average: int = 12,
    restarts: int = 20,
    scatter: float = 0.4,
    seed: int = 1,
    n_jobs: Optional[int] = None,
) -> Any:
    """Fits a simulator to data with the derivatives of an approximate model.

    A fit of the model inherits its errors. Here the residual is that of the simulator, and the model supplies the derivatives
    only: its errors change how fast the iteration converges, but not where.

    Parameters
    ----------
    simulate
        ``simulate(theta, seed)`` returns data, equal ones for equal seeds, or a text with the reason why these parameters cannot be
        simulated. It may be random, and needs no derivatives.
    starts
        A start, or several in rows, which are tried one after the other: as a rule a fit of the model.
    cap, scale
        Largest change of a parameter in a step, relative to its size; and typical sizes of the parameters.
    xtol, maxiter
        Relative step at which the iteration has converged, and the largest number of steps.
    average
        Number of iterates to average where they only fluctuate with the simulator.
    restarts, scatter, seed
        Number of random starts if those given are rejected, how far they are from the first, and the seed.

    Returns
    -------
    OptimizeResult
        x, success, message, nit, nfev (simulations), stderr (from the fluctuation of averaged iterates, otherwise None), averaged,
        history (the iterates in rows), rejected_starts and report.

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 3.0, 30)
    >>> truth = lambda theta, seed: theta[0] * np.exp(-theta[1] * t) + 0.1 * theta[0] * np.sin(t)
    >>> rough = lambda theta: theta[0] * np.exp(-theta[1] * t)
    >>> pb.correct(rough, truth, truth([2.0, 0.7], 0), [1.0, 1.0]).x.round(6).tolist()
    [2.0, 0.7]
    """
    points = np.atleast_2d(_arguments.array("starts", starts))
    first = _arguments.parameters("starts", points[0] if points.size else points)
    inner = as_model(model, first)
    values = _arguments.array("data", data).reshape(-1)
    if values.size != inner.state_dim:
        raise ValueError(f"data has {values.size} entries, but there are {inner.state_dim} values of the model")
    box = _arguments.intervals(bounds, first.size)
    given = {
        "metric": _arguments.word("metric", metric) or _arguments.Word("l2"),
        "direction": str(direction),
        "bounds": box and tuple(end.tolist() for end in box),
        "cap": _arguments.number("cap", cap),
        "scale": [] if scale is None else np.broadcast_to(_arguments.array("scale", scale), first.shape).tolist(),
        "tolerance": _arguments.number("xtol", xtol),
        "iterations": _arguments.count("maxiter", maxiter),
        "average": _arguments.count("average", average),
        "restarts": _arguments.count("restarts", restarts),
        "scatter": _arguments.number("scatter", scatter),
        "seed": _arguments.count("seed", seed),
    }
    with threads(n_jobs):
        found = _pullback.correct(inner, _arguments.function("simulate", simulate), values, points.tolist(), given)
    return _result.plain()(found)
