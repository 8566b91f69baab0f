"""Curves: one formula at many points."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Optional, Sequence, Union

import numpy as np

from . import _arguments, _points
from ._dynamics import _names
from .models import Ready

__all__ = ["Curve"]


class Curve(Ready):
    """Values ``f(x, *parameters)`` of one formula at many points x, as for `curve_fit`, with exact derivatives.

    ``f`` must treat every point alike and be written with NumPy, as for `fit_many`. It is called once with symbols, which note its
    operations, and once with numbers, for a comparison. Every point can then be computed without the others, so that batches of points are
    cheap (see `minimize_in_batches`), and millions of points are no trouble.

    Parameters
    ----------
    f, xdata
        Formula and points, with one row for every coordinate if there are several.
    parameters
        Names of the parameters, or their number. By default they are the arguments of f after the first.
    near
        Parameters at which what was noted is compared with f, by default ones. f must be finite there, at some points at least.

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 3.0, 20)
    >>> decay = pb.Curve(lambda t, size, rate: size * np.exp(-rate * t), t)
    >>> found = pb.minimize(decay, 2.0 * np.exp(-0.7 * t), [1.0, 1.0])
    >>> decay.parameters, found.x.round(8).tolist(), decay.predict(found.x, [10.0]).round(6).tolist()
    (['size', 'rate'], [2.0, 0.7], [0.001824])
    """

    def __init__(self, f: Callable, xdata: Any, *, parameters: Union[int, Sequence[str], None] = None, near: Any = None):
        self._f = _arguments.function("f", f)
        x = _arguments.array("xdata", xdata)
        if x.ndim not in (1, 2) or x.size == 0 or not np.isfinite(x).all():
            raise ValueError("xdata must hold finite numbers, in one row for every coordinate of the points")
        self.parameters = _named(f) if parameters is None else _names("parameters", parameters, "p")
        theta = np.ones(len(self.parameters)) if near is None else _arguments.parameters("near", near)
        if theta.size != len(self.parameters):
            raise ValueError(f"near has {theta.size} entries, but there are {len(self.parameters)} parameters")
        instead = "give minimize a function of the parameters alone"
        self._model = _points.checked(f, x, theta, None, ("near", instead)).model()

    def predict(self, theta: Any, xdata: Any = None) -> np.ndarray:
        """Computes the values at the points, or at others."""
        if xdata is None:
            return self._model.predict(theta)
        values = _arguments.parameters("theta", theta)
        if values.size != len(self.parameters):
            raise ValueError(f"theta has {values.size} entries, but there are {len(self.parameters)} parameters")
        return np.asarray(self._f(_arguments.array("xdata", xdata), *values), dtype=float)


def _named(f: Callable) -> list:
    """Returns the names of the arguments of a formula after the first."""
    try:
        given: Optional[list] = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        given = None
    plain = [] if given is None else [p for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if given is None or len(plain) < 2 or any(p.kind == p.VAR_POSITIONAL for p in given):
        raise ValueError("parameters is needed: the signature of f does not tell the number of parameters")
    return [p.name for p in plain[1:]]
