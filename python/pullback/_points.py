"""Formulas of curves that are traced once, so that fits run without Python."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np

from . import _pullback
from ._trace import Graph, Traced

__all__ = ["agree", "checked", "moved", "traced"]


def traced(f: Callable, x: Any, parameters: int, count: int) -> Optional[Any]:
    """Returns f(x, *parameters) at all points, without Python, or None if f cannot be traced.

    f is called with one symbol in place of all points, as if it treated every point alike. Whether it does is for the caller to see, by a
    comparison of values.
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or x.ndim not in (1, 2) or x.shape[-1] != count:
        return None
    graph = Graph()
    point = [graph.node("state", (i,)) for i in range(x.shape[0] if x.ndim == 2 else 1)]
    theta = [graph.node("parameter", (j,)) for j in range(parameters)]
    try:
        value = f(point[0] if x.ndim == 1 else stacked(point), *theta)
    except Exception:
        # A function may do with arrays what it cannot do with symbols. It is called as it is.
        return None
    if isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        value = value.reshape(-1)[0]
    if not isinstance(value, Traced) or value.graph is not graph:
        return None
    return _pullback.TracedPoints(parameters, graph.program([value]), x.reshape(-1), count)


def checked(f: Callable, x: np.ndarray, theta: np.ndarray, box: Optional[tuple], words: tuple) -> Any:
    """Returns the traced formula, after a comparison with the function near parameters theta. ``words`` are the name of these parameters in
    errors, and what to do if the formula cannot be traced."""
    place, instead = words
    points = traced(f, x, theta.size, x.shape[-1])
    if points is None:
        raise ValueError(f"f cannot be noted as operations on one point; {instead}")
    near = moved(theta, box)
    value = np.asarray(f(x, *near), dtype=float).reshape(-1)
    finite = np.isfinite(value)
    if not finite.any():
        raise ValueError(
            f"f is not finite at any point for parameters near {place}, where it is compared with what was noted of it"
        )
    same = value.size == x.shape[-1]
    seen = traced(f, np.ascontiguousarray(x[..., finite]), theta.size, int(finite.sum())) if same else None
    if seen is None or not has_values(seen, near, value[finite]):
        raise ValueError(f"f treats a point in view of the others; {instead}")
    return points


def has_values(points: Any, theta: np.ndarray, value: np.ndarray) -> bool:
    """Returns whether a traced formula has these finite values, up to rounding."""
    try:
        return agree(points.model().predict(theta), value)
    except ValueError:  # A value that is not finite.
        return False


def stacked(point: list) -> np.ndarray:
    """Returns symbols as the rows of an array."""
    rows = np.empty(len(point), dtype=object)
    rows[:] = point
    return rows


def moved(theta: np.ndarray, box: Optional[tuple]) -> np.ndarray:
    """Returns parameters near these at which different formulas do not agree by chance, as they may do at 0 or 1."""
    size = np.where(theta == 0.0, 1.0, theta)
    near = theta + 1e-3 * size * np.sqrt(np.arange(2.0, theta.size + 2.0))
    return near if box is None else np.clip(near, *box)


def agree(found: np.ndarray, value: np.ndarray) -> bool:
    """Returns whether values are those of the function, up to rounding."""
    size = abs(value)
    return found.shape == value.shape and bool((abs(found - value) <= 1e-10 * (size + size.max(initial=0.0))).all())
