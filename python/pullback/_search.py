"""Descents from many starts, and profile likelihoods."""

from __future__ import annotations

import html
from typing import Any, Optional, Sequence

import numpy as np

from . import _arguments, _pullback, _result
from ._minimize import Problem, minimize, prepared
from ._threads import threads

__all__ = ["multistart", "profile"]


class Table(dict):
    """Result that is shown as a table, with its entries as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as missing:
            raise AttributeError(name) from missing

    def __dir__(self) -> list:
        return list(self)

    def __repr__(self) -> str:
        return self["table"]

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self['table'])}</pre>"


def multistart(
    model: Any,
    data: Any,
    starts: Any = None,
    *,
    within: Any = None,
    count: int = 20,
    seed: int = 1,
    shortlist: Optional[tuple] = None,
    names: Optional[Sequence[str]] = None,
    n_jobs: Optional[int] = None,
    **settings: Any,
) -> Any:
    """Runs descents from many starts, and returns the distinct optima, the lowest first.

    Parameters
    ----------
    starts
        Starts, one in every row.
    within
        Box in which ``count`` more starts are placed by a Latin hypercube, one pair (lower, upper) per parameter. With the
        transform "log" they are uniform in the logarithm.
    shortlist
        ``(number, steps)``: full runs only from so many starts, those whose runs of a few steps end lowest.
    n_jobs
        Number of threads; None for as many as there are, and -1 for one per processor. Models in Python run on one.
    settings
        As for `minimize`, but no ``callback``.

    Returns
    -------
    Table
        ``optima``, each with x, fun, stderr and starts (the indices of the starts that led to it); ``best``, the `Result` of
        `minimize` from the lowest; starts, converged, failures and table.

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 10.0, 40)
    >>> found = pb.multistart(lambda theta: np.sin(theta[0] * t), np.sin(3.0 * t), within=[(0.5, 6.0)], count=30)
    >>> len(found.optima) > 5, found.best.x.round(8).tolist()
    (True, [3.0])
    """
    box = None if within is None else pairs(within)
    points = [] if starts is None else np.atleast_2d(_arguments.array("starts", starts)).tolist()
    first, source = (points[0], "starts") if points else (middle(box), "within")
    fitting(points, box, settings.get("bounds"))
    number = _arguments.count("count", count)
    problem = searched(model, data, (first, source), {**settings, "names": names})
    chosen = {
        "points": points,
        "within": None if box is None else (*box, number),
        "seed": _arguments.count("seed", seed),
        "shortlist": None if shortlist is None else tuple(_arguments.count("shortlist", n) for n in shortlist),
        "names": problem.names,
        "errors": problem.settings["uncertainty"],
    }
    with threads(n_jobs):
        found = _pullback.multistart(problem.model, (problem.loss, problem.settings), chosen)
        found["best"] = minimize(model, data, found["best"], **{**settings, "names": names})
    found["optima"] = [_result.plain()(optimum) for optimum in found["optima"]]
    return Table(found)


def pairs(within: Any) -> tuple:
    """Returns the corners of a box from one pair per parameter."""
    found = _arguments.array("within", within)
    if found.ndim != 2 or found.shape[1] != 2 or found.size == 0:
        raise ValueError("within must have one pair (lower, upper) per parameter")
    return found[:, 0].tolist(), found[:, 1].tolist()


def middle(box: Optional[tuple]) -> list:
    """Returns the middle of a box."""
    if box is None:
        raise ValueError("starts or within must be given")
    return [0.5 * (lower + upper) for lower, upper in zip(*box)]


def fitting(points: list, box: Optional[tuple], bounds: Any) -> None:
    """Checks that all starts lie within the bounds of the parameters."""
    corners = [("within", corner) for corner in box or ()]
    given = [*((f"starts[{k}]", point) for k, point in enumerate(points)), *corners]
    for name, point in given:
        try:
            limits = _arguments.intervals(bounds, len(point))
        except ValueError:
            # The numbers of bounds and parameters are compared with the model.
            return
        _arguments.inside(name, np.array(point), limits, bounds)


def searched(model: Any, data: Any, start: tuple, settings: dict) -> Problem:
    """Returns the problem of many runs, with the name of its start in errors."""
    if settings.get("callback") is not None:
        raise TypeError("callback: a search with many runs has none")
    theta, name = start
    try:
        return prepared(model, data, theta, **settings)
    except ValueError as error:
        if not str(error).startswith("theta0"):
            raise
        raise ValueError(f"{name}{str(error)[len('theta0') :]}") from error


def profile(
    model: Any,
    data: Any,
    x: Any,
    *,
    parameters: Optional[Sequence[int]] = None,
    names: Optional[Sequence[str]] = None,
    level: float = 0.95,
    reach: float = 1000.0,
    n_jobs: Optional[int] = None,
    **settings: Any,
) -> Any:
    """Computes profile likelihoods from a fit ``x``, and the intervals that they give.

    The profile of a parameter is the lowest objective at every value of it. Its interval need not be symmetric, and shows whether
    the data determine the parameter at all. ``parameters`` selects some by their indices. A profile is followed up to ``reach``
    times the value of the parameter. ``settings`` are those of `minimize`, but no ``callback``.

    Returns
    -------
    Table
        ``profiles``, each with parameter, values, objectives, zeta, theta, interval, ends, identifiability and wald;
        ``intervals``; objective, threshold, level, ``better`` (parameters of a lower objective, if one was met) and table.

    >>> import numpy as np, pullback as pb
    >>> t = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 7.0])
    >>> oxygen = [8.3, 10.3, 19.0, 16.0, 15.6, 19.8]
    >>> demand = lambda theta: theta[0] * (1.0 - np.exp(-theta[1] * t))
    >>> fit = pb.minimize(demand, oxygen, [20.0, 0.5])
    >>> pb.profile(demand, oxygen, fit.x, names=["a", "b"]).intervals[0].round(2).tolist()
    [14.05, 38.46]
    """
    problem = searched(model, data, (x, "x"), {**settings, "names": names, "asked": True})
    following = {
        "parameters": None if parameters is None else [_arguments.count("parameters", j) for j in parameters],
        "names": problem.names,
        "level": _arguments.number("level", level),
        "reach": _arguments.number("reach", reach),
    }
    with threads(n_jobs):
        found = _pullback.profile(problem.model, (problem.loss, problem.settings), problem.start, following)
    found["profiles"] = [_result.plain()(one) for one in found["profiles"]]
    found["intervals"] = np.array([one["interval"] for one in found["profiles"]])
    return Table(found)
