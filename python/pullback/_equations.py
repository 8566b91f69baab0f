"""Models given by equations that are differentiated exactly."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from . import _arguments, _pullback, _trace
from .models import Ready

__all__ = ["Equations", "Formula"]


class Equations(Ready):
    """State rho(theta) given by equations g(rho, theta) = 0 that you write with NumPy, with exact sparse derivatives.

    ``residual(rho, theta)`` returns as many values as there are unknowns. It is called once, with arguments that note the
    operations, so that no Python runs during a fit; see `Dynamics` for what it may do. ``guess(theta)`` starts Newton's method in
    place of zeros, and may be an array of numbers.

    >>> import numpy as np, pullback as pb
    >>> n = np.array([1.0, 2.0, 3.0])
    >>> kepler = pb.Equations(lambda rho, theta: rho - theta[0] * np.sin(rho) - theta[1] * n, unknowns=3, parameters=2)
    >>> pb.minimize(kepler, [0.6913, 1.2881, 1.7926], [0.1, 0.4]).x.round(3).tolist()
    [0.3, 0.5]
    """

    def __init__(self, residual: Callable, *, unknowns: int, parameters: int, guess: Any = None):
        k, p = _arguments.count("unknowns", unknowns), _arguments.count("parameters", parameters)
        graph = _trace.Graph()
        rho, theta = _trace.vector(graph, "state", k), _trace.vector(graph, "parameter", p)
        values, _ = _trace.flattened("residual", _trace.called("residual", _arguments.function("residual", residual), rho, theta))
        if len(values) != k:
            raise ValueError(f"residual returned {len(values)} values, but there are {k} unknowns")
        self._model = _pullback.traced_equations((k, p), graph.program(values), _guess(guess, k, p), [k])


def _guess(guess: Any, unknowns: int, parameters: int) -> tuple:
    graph = _trace.Graph()
    if callable(guess):
        guess = guess(_trace.vector(graph, "parameter", parameters))
    values, _ = _trace.flattened("guess", np.zeros(unknowns) if guess is None else guess)
    if len(values) != unknowns:
        raise ValueError(f"guess has {len(values)} entries, but there are {unknowns} unknowns")
    return graph.program(values)


class Formula(Ready):
    """Function rho = f(theta) that you write with NumPy, with exact sparse derivatives.

    ``f(theta)`` is called once, with arguments that note the operations; see `Dynamics` for what it may do. Every entry of rho is
    noted by itself: for more than some ten thousand entries this takes seconds, and a plain function or `Explicit` is faster.

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 3.0, 20)
    >>> decay = pb.Formula(lambda theta: theta[0] * np.exp(-theta[1] * t), parameters=2)
    >>> pb.minimize(decay, 2.0 * np.exp(-0.7 * t), [1.0, 1.0]).x.round(8).tolist()
    [2.0, 0.7]
    """

    def __init__(self, f: Callable, *, parameters: int):
        graph = _trace.Graph()
        p = _arguments.count("parameters", parameters)
        values, shape = _trace.flattened("f", _trace.called("f", _arguments.function("f", f), _trace.vector(graph, "parameter", p)))
        self._model = _pullback.traced_formula(p, graph.program(values), list(shape or (1,)))
