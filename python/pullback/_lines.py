"""Piecewise linear functions of the time: where they begin, bend and jump."""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional

import numpy as np

__all__ = ["MOST", "Pieces", "combine", "difference", "table"]

#: Largest number of pieces.
MOST = 100_000


class Pieces(NamedTuple):
    """Function a + b t between every edge and the next. NaN stands for numbers that depend on an estimate."""

    edges: np.ndarray
    a: np.ndarray
    b: np.ndarray

    def middles(self) -> np.ndarray:
        """Returns the values at a time within every piece."""
        left, right = self.edges[:-1], self.edges[1:]
        inside = np.where(np.isinf(right), left + np.maximum(1.0, np.abs(left)), left + 0.5 * (right - left))
        return self.a + self.b * inside

    def is_known(self) -> bool:
        """Returns whether no piece depends on an estimate."""
        return not np.isnan(self.a + self.b).any()

    def is_constant(self) -> bool:
        """Returns whether no piece depends on the time."""
        return bool((self.b == 0.0).all())

    def on(self, edges: np.ndarray) -> Pieces:
        """Returns the function with more edges."""
        places = np.searchsorted(self.edges[1:-1], edges[:-1], side="right")
        return Pieces(edges, self.a[places], self.b[places])

    def split(self, times: np.ndarray) -> Pieces:
        """Returns the function with edges at further times."""
        inside = times[(times > self.edges[0]) & (times < self.edges[-1])]
        return self.on(np.unique(np.concatenate([self.edges, inside]))) if inside.size else self

    def reaching(self, levels: np.ndarray) -> np.ndarray:
        """Returns the times at which the function has one of these values."""
        moving = self.b != 0.0
        left, right, a, b = (values[moving, None] for values in (self.edges[:-1], self.edges[1:], self.a, self.b))
        times = (levels[None, :] - a) / b
        return times[(times > left) & (times < right)]


def aligned(*values: Pieces) -> tuple:
    """Returns functions with the edges of all."""
    if all(value.edges is values[0].edges for value in values):
        return values
    edges = np.unique(np.concatenate([value.edges for value in values]))
    return tuple(value.on(edges) for value in values)


def difference(x: Pieces, y: Pieces) -> Pieces:
    """Returns x − y."""
    x, y = aligned(x, y)
    return x._replace(a=x.a - y.a, b=x.b - y.b)


def linear(name: str, number: float, x: Pieces, y: Optional[Pieces] = None) -> Optional[Pieces]:
    """Returns a sum, a product or a quotient, and None if it is not linear."""
    if y is None:
        if name == "shift":
            return x._replace(a=x.a + number)
        factor = -1.0 if name == "negative" else number
        return x._replace(a=factor * x.a, b=factor * x.b)
    x, y = aligned(x, y)
    if name == "add":
        return x._replace(a=x.a + y.a, b=x.b + y.b)
    if name == "subtract":
        return difference(x, y)
    if name == "multiply" and y.is_constant():
        return x._replace(a=x.a * y.a, b=np.where(x.b == 0.0, 0.0, x.b * y.a))
    if name == "multiply" and x.is_constant():
        return linear(name, number, y, x)
    if name == "divide" and y.is_constant():
        return x._replace(a=x.a / y.a, b=np.where(x.b == 0.0, 0.0, x.b / y.a))
    return None


def absolute(x: Pieces) -> Pieces:
    """Returns |x|."""
    x = x.split(x.reaching(np.zeros(1)))
    sign = np.where(x.middles() < 0.0, -1.0, 1.0)
    return x._replace(a=sign * x.a, b=sign * x.b)


def extreme(name: str, x: Pieces, y: Pieces) -> Optional[Pieces]:
    """Returns the larger or the smaller of two functions."""
    between = difference(x, y)
    edges = between.split(between.reaching(np.zeros(1))).edges
    x, y = x.on(edges), y.on(edges)
    below = x.middles() < y.middles()
    first = below if name == "minimum" else ~below
    unknown = np.isnan(x.a + x.b + y.a + y.b)
    a, b = (np.where(unknown, np.nan, np.where(first, c, d)) for c, d in ((x.a, y.a), (x.b, y.b)))
    return Pieces(edges, a, b)


def floor(x: Pieces) -> Optional[Pieces]:
    """Returns the integers below, and None if there are too many."""
    times = []
    for left, right, a, b in zip(x.edges[:-1], x.edges[1:], x.a, x.b):
        if b == 0.0 or np.isnan(a + b):
            continue
        ends = sorted((a + b * left, a + b * right))
        if not ends[1] - ends[0] < MOST:
            return None
        found = (np.arange(np.ceil(ends[0]), np.floor(ends[1]) + 1.0) - a) / b
        times.append(found[(found > left) & (found < right)])
    x = x.split(np.concatenate(times)) if times else x
    return x._replace(a=np.floor(x.middles()), b=np.zeros(x.b.size))


def table(x: Pieces, knots: np.ndarray, values: np.ndarray) -> Optional[Pieces]:
    """Interpolates in a table, with edges where its slope changes, and None if there are too many."""
    slopes = np.concatenate([[0.0], np.diff(values) / np.diff(knots), [0.0]])
    bends = np.abs(np.diff(slopes)) > 1e-9 * np.maximum(np.abs(slopes[1:]), np.abs(slopes[:-1]))
    if bends.sum() * x.a.size > MOST:
        return None
    x = x.split(x.reaching(knots[bends]))
    middles = x.middles()
    places = np.searchsorted(knots, middles, side="right")
    left, slope = np.maximum(places - 1, 0), np.where(np.isnan(middles), np.nan, slopes[places])
    b = np.where((slope == 0.0) | (x.b == 0.0), 0.0, slope * x.b)
    return Pieces(x.edges, values[left] + slope * (x.a - knots[left]), b)


def chosen(name: str, sides: Pieces, c: Pieces, d: Pieces) -> Pieces:
    """Returns c where a comparison of a difference with 0 holds, and otherwise d."""
    sides = sides.split(sides.reaching(np.zeros(1)))
    sides, c, d = aligned(sides, c, d)
    middles = sides.middles()
    ties = (middles == 0.0) & (sides.b == 0.0)
    holds = {"less": (middles < 0.0) & ~ties, "less_equal": (middles < 0.0) | ties, "equal": ties}[name]
    a, b = (np.where(np.isnan(middles), np.nan, np.where(holds, x, y)) for x, y in ((c.a, d.a), (c.b, d.b)))
    return Pieces(sides.edges, a, b)


def combine(name: str, number: float, operands: list, of_constants: Callable) -> Optional[Pieces]:
    """Returns the result of an operation on functions, and None if it is not piecewise linear.

    ``of_constants`` evaluates the operation for arrays of numbers.
    """
    if name in ("add", "subtract", "multiply", "divide", "negative", "shift", "scale"):
        found = linear(name, number, *operands)
    elif name == "absolute":
        found = absolute(*operands)
    elif name in ("maximum", "minimum"):
        found = extreme(name, *operands)
    elif name == "floor":
        found = floor(*operands)
    elif name in ("less", "less_equal", "equal"):
        found = chosen(name, difference(*operands[:2]), *operands[2:])
    else:
        operands = list(aligned(*operands))
        constant = all(operand.is_constant() for operand in operands)
        edges = operands[0].edges
        found = Pieces(edges, of_constants(*(operand.a for operand in operands)), np.zeros(edges.size - 1)) if constant else None
    return found if found is None or found.a.size <= MOST else None
