"""Combinations of the parameters that the data see."""

from __future__ import annotations

import html
from typing import Any, Optional

import numpy as np

from . import _arguments, _pullback

__all__ = ["Combinations", "combinations"]


class Combinations:
    """Combinations of the parameters, from the one that the data determine best to those that they do not see.

    Directions u are independent changes of the parameters, one unit long. The data determine the combination cᵀθ with the covector c
    of a direction, and its error in units, independently of the others.

    Attributes
    ----------
    information, errors
        Information λ of every combination in decreasing order, 0 where it is lost to rounding, and the standard error 1/√λ in units,
        by the data alone.
    directions, covectors
        Directions u and covectors c as columns.
    shares
        Shares of the parameters in the combinations, as columns: coefficients times the units of the parameters.
    sight
        "determined" (to less than a unit), "weak" or "unseen" for every combination.
    words
        Every combination in words, with its error.
    names, compared_with
        Names of the parameters, and what the unit is: "priors", "sizes" or "units".

    >>> import numpy as np, pullback as pb
    >>> s = np.linspace(0.05, 0.4, 8)
    >>> rate = lambda p: p[0] * p[2] * s / (p[1] + s)
    >>> seen = pb.combinations(rate, np.full(8, 0.1), [1.0, 2.0, 0.5], sigma=0.002, names=["V", "K", "yield"])
    >>> print(seen)
    the data determine 2 of 3 combinations of the parameters to less than the sizes of the parameters
      V + 2.0 yield − 0.43 K to ± 0.013
      K + 0.87 V + 1.7 yield to ± 1.1
    they do not see small changes along
      V − 0.50 yield
    >>> seen.sight, seen.directions.shape
    (['determined', 'determined', 'unseen'], (3, 3))
    """

    def __init__(self, found: dict):
        self.names: list = found["names"]
        self.compared_with: str = found["compared_with"]
        self.information: np.ndarray = found["information"]
        self.errors: np.ndarray = found["errors"]
        self.directions: np.ndarray = found["directions"]
        self.covectors: np.ndarray = found["covectors"]
        self.shares: np.ndarray = found["shares"]
        self.sight: list = found["sight"]
        self.words: list = found["words"]
        self.table: str = found["table"]

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        return self.table

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.table)}</pre>"


def combinations(
    model: Any,
    data: Any,
    theta: Any,
    *,
    unit: Any = "sizes",
    n_jobs: Optional[int] = None,
    **settings: Any,
) -> Combinations:
    """Finds the combinations of the parameters that the data determine at ``theta``, and those that they do not see.

    It takes one tangent solve per parameter. Bounds and transforms are ignored. ``found.html("run.html", combinations=seen)`` shows the
    combinations on the page about a result.

    Parameters
    ----------
    theta
        Parameters, or a result of `minimize`.
    unit
        What a large change of a parameter is: "sizes" (``|theta|``, none of which may be 0), "prior" (standard deviations of the
        ``prior``, with their correlations), or one number per parameter.
    settings
        As for `minimize`. Without ``sigma`` the residual tells the noise.

    >>> import numpy as np, pullback as pb
    >>> t = np.arange(1.0, 5.0)
    >>> model = lambda p: p[0] * p[1] * t + p[2] * t**2
    >>> found = pb.minimize(model, [5.0, 13.1, 25.0, 40.9], [1.0, 1.0, 1.0], sigma=0.1)
    >>> seen = pb.combinations(model, [5.0, 13.1, 25.0, 40.9], found, sigma=0.1, unit=[1.0, 1.0, 1.0])
    >>> seen.sight, "combinations" in found.html(combinations=seen)
    (['determined', 'determined', 'unseen'], True)
    """
    from ._minimize import prepared
    from ._threads import threads

    problem = prepared(model, data, point(theta), asked=True, **{"uncertainty": False, **settings})
    if not isinstance(unit, str):
        unit = _arguments.array("unit", unit).reshape(-1).tolist()
    with threads(n_jobs):
        return Combinations(_pullback.combinations((problem.model, problem.loss, problem.settings, problem.start), unit))


def point(theta: Any) -> Any:
    """Returns parameters, or those of a result."""
    return theta["x"] if isinstance(theta, dict) and "x" in theta else theta
