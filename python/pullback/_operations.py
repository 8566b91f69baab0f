"""Operations on traced numbers."""

from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np

from ._trace import Graph, TraceError, Traced, known, spread

__all__ = ["Condition", "interp", "maximum", "minimum", "where"]


class Condition:
    """Comparison of traced numbers, which chooses between two by `where`: a & b, a | b and ~a combine comparisons."""

    def __init__(self, choose: Callable[[Any, Any], Any]):
        # choose(a, b) returns a where the condition holds, and otherwise b.
        self.choose = choose

    def __and__(self, other: Any) -> Condition:
        return Condition(lambda a, b: self.choose(where(other, a, b), b))

    def __or__(self, other: Any) -> Condition:
        return Condition(lambda a, b: self.choose(a, where(other, a, b)))

    __rand__ = __and__
    __ror__ = __or__

    def __invert__(self) -> Condition:
        return Condition(lambda a, b: self.choose(b, a))

    def __eq__(self, other: Any) -> Condition:  # type: ignore[override]
        if isinstance(other, (Traced, np.ndarray)):
            return NotImplemented
        other = condition_of(other)
        return (self & other) | (~self & ~other)

    def __ne__(self, other: Any) -> Condition:  # type: ignore[override]
        return ~(self == other)

    def __xor__(self, other: Any) -> Condition:
        return ~(self == other)

    __rxor__ = __xor__
    __hash__ = object.__hash__

    def __array_function__(self, function: Callable, _: Any, arguments: tuple, settings: dict) -> Any:
        if function is np.where and len(arguments) == 3 and not settings:
            return where(*arguments)
        raise TraceError(f"np.{function.__name__} cannot be traced for a comparison; use pb.where(condition, a, b)")

    def __bool__(self) -> bool:
        raise TraceError(
            "a comparison of traced numbers has no truth value, because the function is called only once. In place of `if`, "
            "`while`, `and`, `or`, `a < b < c`, min and max use pb.where(condition, a, b), pb.maximum(a, b), "
            "pb.minimum(a, b), and & and | between comparisons in parentheses"
        )


def condition_of(value: Any) -> Condition:
    """Returns a condition, or a truth value as a condition."""
    if isinstance(value, Condition):
        return value
    if isinstance(value, (bool, np.bool_)):
        return Condition(lambda a, b: a if value else b)
    raise TraceError(f"a comparison of traced numbers cannot be combined with {value!r}; use pb.where(condition, a, b)")


def graph_of(*values: Any) -> Graph:
    """Returns the graph of those numbers that are traced."""
    return next(value.graph for value in values if isinstance(value, Traced))


def binary(name: str, a: Any, b: Any) -> Any:
    """Notes an operation of two numbers."""
    graph = graph_of(a, b)
    return graph.node(name, (graph.place_of(a), graph.place_of(b)))


@spread
def add(a: Any, b: Any) -> Any:
    """Returns a + b."""
    x, y = known(a), known(b)
    if x is not None:
        return x + y if y is not None else add(b, x)
    if y is None:
        return binary("add", *sorted((a, b), key=lambda traced: traced.place))
    return a if y == 0.0 else a.graph.node("shift", (a.place,), y)


@spread
def subtract(a: Any, b: Any) -> Any:
    """Returns a − b."""
    x, y = known(a), known(b)
    if y is not None:
        return x - y if x is not None else add(a, -y)
    return binary("subtract", a, b) if x is None else add(negative(b), x)


@spread
def multiply(a: Any, b: Any) -> Any:
    """Returns a b. A product with the constant 0 is 0."""
    x, y = known(a), known(b)
    if x is not None:
        return x * y if y is not None else multiply(b, x)
    if y is None:
        return binary("multiply", *sorted((a, b), key=lambda traced: traced.place))
    if y == 0.0:
        return 0.0
    if y == -1.0:
        return negative(a)
    return a if y == 1.0 else a.graph.node("scale", (a.place,), y)


@spread
def divide(a: Any, b: Any) -> Any:
    """Returns a/b."""
    x, y = known(a), known(b)
    if y is not None:
        if x is not None:
            return float(np.divide(x, y))
        return a if y == 1.0 else binary("divide", a, y)
    if x is None:
        return binary("divide", a, b)
    return 0.0 if x == 0.0 else b.graph.node("over", (b.place,), x)


@spread
def power(a: Any, b: Any) -> Any:
    """Returns a to the power b."""
    x, y = known(a), known(b)
    if y is None:
        return binary("power", a, b)
    if x is not None:
        return float(np.power(x, y))
    if y in (0.0, 1.0):
        return a if y == 1.0 else 1.0
    return a.graph.node("sqrt", (a.place,)) if y == 0.5 else a.graph.node("power", (a.place,), y)


@spread
def negative(a: Any) -> Any:
    """Returns −a."""
    x = known(a)
    return a.graph.node("negative", (a.place,)) if x is None else -x


@spread
def remainder(a: Any, b: Any) -> Any:
    """Returns a − b ⌊a/b⌋."""
    return subtract(a, multiply(b, FUNCTIONS["floor"](divide(a, b))))


def compare(name: str, a: Any, b: Any) -> Any:
    """Returns the condition that a is less than b, at most b, or equal to it, which does not hold for NaN."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return spread(lambda a, b: compare(name, a, b))(a, b)
    x, y = known(a), known(b)
    if x is not None and y is not None:
        truth = {"less": x < y, "less_equal": x <= y, "equal": x == y}[name]
        return Condition(lambda a, b: a if truth else b)
    graph = graph_of(a, b)
    sides = graph.place_of(a), graph.place_of(b)

    def choose(c: Any, d: Any) -> Any:
        if known(c) is not None and known(c) == known(d):
            return c
        return graph.node(name, (*sides, graph.place_of(c), graph.place_of(d)))

    return Condition(choose)


@spread
def where(condition: Any, a: Any, b: Any) -> Any:
    """Returns a where a condition holds, and otherwise b, also of traced numbers.

    Derivatives are those of the branch that is taken. They miss a change of the time at which the state crosses from one
    branch to the other, unless both branches agree there: see the events of `Dynamics`.

    >>> import pullback as pb
    >>> model = pb.Dynamics(lambda t, x, p: [pb.where(t < 1.0, p[0], 0.0)], [0.5, 2.0], start=[0.0], parameters=1)
    >>> model.predict([3.0]).round(9).ravel().tolist()
    [1.5, 3.0]
    """
    if isinstance(condition, Condition):
        return condition.choose(a, b)
    if isinstance(condition, Traced):
        return compare("equal", condition, 0.0).choose(b, a)
    return a if condition else b


def pair(name: str, a: Any, b: Any) -> Any:
    """Returns a function of two numbers that the compiled part knows, by its name in NumPy."""
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return float(getattr(np, name)(x, y))
    return binary(name, a, b)


@spread
def maximum(a: Any, b: Any) -> Any:
    """Returns the larger of two numbers, also of traced ones.

    >>> import pullback as pb
    >>> pb.maximum(2.0, 3.0)
    3.0
    """
    return pair("maximum", a, b)


@spread
def minimum(a: Any, b: Any) -> Any:
    """Returns the smaller of two numbers, also of traced ones.

    >>> import pullback as pb
    >>> pb.minimum(2.0, 3.0)
    2.0
    """
    return pair("minimum", a, b)


def interp(x: Any, xp: Any, fp: Any) -> Any:
    """Interpolates linearly between the points (xp, fp), constant beyond the ends, as `np.interp` does, also of traced numbers.

    A measured input enters a rate as ``pb.interp(t, times, values)``. The slope at a point is that to its right.

    >>> import pullback as pb
    >>> model = pb.Dynamics(lambda t, x, p: [p[0] * pb.interp(t, [0.0, 2.0], [0.0, 2.0])], [1.0, 2.0], start=[0.0], parameters=1)
    >>> model.predict([2.0]).round(9).ravel().tolist()
    [1.0, 4.0]
    """
    knots, values = np.array(xp, dtype=float), np.array(fp, dtype=float)
    if knots.ndim != 1 or knots.shape != values.shape or not knots.size:
        raise ValueError("interp: xp and fp must be sequences of equal length, with at least one number")
    if not (np.isfinite(knots).all() and np.isfinite(values).all() and (np.diff(knots) > 0.0).all()):
        raise ValueError("interp: xp must increase, and all numbers must be finite")

    def at(x: Any) -> Any:
        if not isinstance(x, Traced):
            return float(np.interp(x, knots, values))
        table = (knots.tolist(), values.tolist())
        if table not in x.graph.tables:
            x.graph.tables.append(table)
        return x.graph.node("interp", (x.place, x.graph.tables.index(table)))

    return spread(at)(x)


@spread
def clip(a: Any, lower: Any, upper: Any) -> Any:
    """Returns the number in an interval that is the closest to a."""
    raised = a if lower is None else maximum(a, lower)
    return raised if upper is None else minimum(raised, upper)


def expit(a: Any) -> Any:
    """Returns 1/(1 + exp(−a))."""
    x = known(a)
    if x is None:
        return a.graph.node("expit", (a.place,))
    small = math.exp(-abs(x))
    return (small if x < 0.0 else 1.0) / (1.0 + small)


def unary(name: str) -> Callable:
    """Returns the function of one number with this name in NumPy."""

    def apply(a: Any) -> Any:
        x = known(a)
        return a.graph.node(name, (a.place,)) if x is None else float(getattr(np, name)(x))

    return spread(apply)


#: Functions of one number that the compiled part knows.
PLAIN = (
    *("absolute", "reciprocal", "sqrt", "cbrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tan"),
    *("arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "sinc", "floor"),
)

#: Functions by the names of NumPy and SciPy.
FUNCTIONS: dict = {name: unary(name) for name in PLAIN}
FUNCTIONS |= {
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "divide": divide,
    "power": power,
    "float_power": power,
    "negative": negative,
    "positive": lambda a: a,
    "remainder": remainder,
    "maximum": maximum,
    "minimum": minimum,
    "arctan2": spread(lambda a, b: pair("arctan2", a, b)),
    "square": spread(lambda a: multiply(a, a)),
    "exp2": spread(lambda a: FUNCTIONS["exp"](multiply(a, math.log(2.0)))),
    "log2": spread(lambda a: divide(FUNCTIONS["log"](a), math.log(2.0))),
    "log10": spread(lambda a: divide(FUNCTIONS["log"](a), math.log(10.0))),
    "hypot": spread(lambda a, b: pair("hypot", a, b)),
    "expit": spread(expit),
    "logaddexp": spread(
        lambda a, b: add(maximum(a, b), FUNCTIONS["log1p"](FUNCTIONS["exp"](negative(FUNCTIONS["absolute"](subtract(a, b))))))
    ),
    "sign": spread(lambda a: where(compare("less", a, 0.0), -1.0, where(compare("less", 0.0, a), 1.0, a))),
    "heaviside": spread(lambda a, b: where(compare("less", a, 0.0), 0.0, where(compare("less", 0.0, a), 1.0, b))),
    "less": spread(lambda a, b: compare("less", a, b)),
    "greater": spread(lambda a, b: compare("less", b, a)),
    "less_equal": spread(lambda a, b: compare("less_equal", a, b)),
    "greater_equal": spread(lambda a, b: compare("less_equal", b, a)),
    "equal": spread(lambda a, b: compare("equal", a, b)),
    "not_equal": spread(lambda a, b: ~compare("equal", a, b)),
}


def swapped(function: Callable) -> Callable:
    """Returns a function with its two arguments exchanged."""
    return lambda a, b: function(b, a)


#: Operators of Python, by the names that their functions have here.
OPERATORS = {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "truediv": divide,
    "pow": power,
    "mod": remainder,
}
for _name, _function in OPERATORS.items():
    setattr(Traced, f"__{_name}__", _function)
    setattr(Traced, f"__r{_name}__", swapped(_function))
for _name, _word in {
    "lt": "less",
    "gt": "greater",
    "le": "less_equal",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}.items():
    setattr(Traced, f"__{_name}__", FUNCTIONS[_word])
for _name in ("neg", "pos", "abs"):
    setattr(Traced, f"__{_name}__", FUNCTIONS[{"neg": "negative", "pos": "positive", "abs": "absolute"}[_name]])
# NumPy's functions of arrays of objects call methods of the entries.
for _name in (*PLAIN, "exp2", "log2", "log10", "square", "arctan2", "hypot", "logaddexp", "sign", "heaviside"):
    setattr(Traced, _name, FUNCTIONS[_name])
Traced.functions = {**FUNCTIONS, "where": where, "interp": interp, "clip": clip}
