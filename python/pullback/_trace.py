"""Functions written with NumPy, turned into lists of operations that the compiled part evaluates.

A function is called once, with numbers that note what is done with them. Equal operations are noted once, and those of
constants are carried out at once.
"""

from __future__ import annotations

import math
import re
from typing import Any, Callable, ClassVar, Mapping, Optional, Sequence

import numpy as np

__all__ = ["Graph", "TraceError", "Traced", "called", "dimensions", "flattened", "known", "spread", "vector"]


class TraceError(TypeError):
    """A function cannot be turned into operations, because it does with its arguments what only plain numbers can do."""


class Graph:
    """Operations of a function, each with its operands."""

    def __init__(self) -> None:
        self.operations: list = []
        self.tables: list = []
        self._places: dict = {}

    def place(self, name: str, operands: tuple = (), number: float = 0.0) -> int:
        """Returns the place of an operation, which is added unless it is there."""
        key = (name, operands, number, math.copysign(1.0, number))
        if key not in self._places:
            self._places[key] = len(self.operations)
            self.operations.append((name, list(operands), number))
        return self._places[key]

    def node(self, name: str, operands: tuple = (), number: float = 0.0) -> Traced:
        """Returns the number that an operation computes."""
        return Traced(self, self.place(name, operands, number))

    def place_of(self, value: Any) -> int:
        """Returns the place of a traced number or a constant."""
        if isinstance(value, Traced):
            if value.graph is not self:
                raise TraceError("a traced number of another function was used; compute it in this function")
            return value.place
        return self.place("constant", (), value)

    def program(self, outputs: Sequence[Any]) -> tuple:
        """Returns the operations that outputs need, the tables, and the places of the outputs."""
        ends = [self.place_of(output) for output in outputs]
        needed = set()
        stack = list(ends)
        while stack:
            place = stack.pop()
            if place not in needed:
                needed.add(place)
                stack.extend(self._operands(self.operations[place]))
        kept = sorted(needed)
        renamed = {old: new for new, old in enumerate(kept)}
        operations = [self._moved(self.operations[old], renamed) for old in kept]
        return operations, self.tables, [renamed[end] for end in ends]

    @staticmethod
    def _operands(operation: tuple) -> list:
        name, operands, _ = operation
        if name in ("state", "parameter"):
            return []
        return operands[:1] if name == "interp" else operands

    def _moved(self, operation: tuple, renamed: dict) -> tuple:
        name, operands, number = operation
        results = len(self._operands(operation))
        return name, [renamed[place] for place in operands[:results]] + operands[results:], number


class Traced:
    """Number that notes the operations on it."""

    __slots__ = ("graph", "place")

    #: Functions by their names in NumPy.
    functions: ClassVar[dict] = {}

    def __init__(self, graph: Graph, place: int):
        self.graph = graph
        self.place = place

    def __repr__(self) -> str:
        name, operands, _ = self.graph.operations[self.place]
        return f"<traced {name}{f'[{operands[0]}]' if name in ('state', 'parameter') else ''}>"

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **settings: Any) -> Any:
        function = self.functions.get(ufunc.__name__)
        if method != "__call__" or settings or function is None:
            raise TraceError(f"np.{ufunc.__name__} cannot be traced here; there are {', '.join(sorted(self.functions))}")
        if any(dimensions(entry) for entry in inputs):
            return spread(function)(*inputs)
        return function(*inputs)

    def __array_function__(self, function: Callable, _: Any, arguments: tuple, settings: dict) -> Any:
        own = self.functions.get(function.__name__)
        if own is not None and not settings:
            return own(*arguments)
        return function(*boxed(arguments), **settings)

    def _text(self, *_: Any) -> Any:
        raise TraceError(
            "a traced number has no value that Python could take. Use np.exp, np.sin, … in place of math.exp, math.sin, …, "
            "and arrays made by np.array([…]) or lists in place of arrays of floats, into which a traced number cannot be written"
        )

    __float__ = __int__ = __index__ = __complex__ = _text

    def __bool__(self) -> bool:
        raise TraceError("a traced number has no truth value; use pb.where(x != 0.0, a, b)")

    __hash__ = object.__hash__


def dimensions(value: Any) -> int:
    """Returns the number of axes of an array or of nested lists."""
    return np.ndim(value) if isinstance(value, (np.ndarray, list, tuple)) else 0


def boxed(value: Any) -> Any:
    """Returns arguments in which every traced number is an array without axes, as NumPy's functions need them."""
    if isinstance(value, (list, tuple)):
        return type(value)([boxed(entry) for entry in value])
    return np.array(value, dtype=object) if isinstance(value, Traced) else value


def known(value: Any) -> Optional[float]:
    """Returns a constant as a float, and None for a traced number that is not a constant."""
    if isinstance(value, Traced):
        name, _, number = value.graph.operations[value.place]
        return number if name == "constant" else None
    if type(value) is float or type(value) is int:
        return float(value)
    if np.iscomplexobj(value):
        raise TraceError(
            f"the complex number {value!r} cannot be traced; write the real and the imaginary part as two real numbers"
        )
    try:
        return float(value)
    except TraceError:
        raise
    except (TypeError, ValueError) as cause:
        hint = "; use pb.where(condition, 1.0, 0.0)" if hasattr(value, "choose") else ""
        raise TraceError(f"a traced number cannot be combined with {type(value).__name__} {value!r}{hint}") from cause


def spread(function: Callable) -> Callable:
    """Returns a function that takes arrays entry by entry, and makes traced numbers of traced ones.

    A constant result of traced numbers is a traced constant, because NumPy calls methods of all entries of an array.
    """

    def single(*values: Any) -> Any:
        found = function(*values)
        graphs = (value.graph for value in values if isinstance(value, Traced))
        graph = next(graphs, None) if isinstance(found, float) else None
        return found if graph is None else graph.node("constant", (), found)

    def apply(*values: Any) -> Any:
        if any(dimensions(value) for value in values):
            entries = [np.asarray(value, dtype=object) for value in values]
            return np.frompyfunc(single, len(values), 1)(*entries)
        return single(*values)

    apply.__name__, apply.__doc__ = function.__name__, function.__doc__
    return apply


def vector(graph: Graph, name: str, count: int) -> np.ndarray:
    """Returns the traced components of the state or of the parameters."""
    found = np.empty(count, dtype=object)
    for i in range(count):
        found[i] = graph.node(name, (i,))
    return found


def flattened(name: str, value: Any) -> tuple:
    """Returns the numbers that a function returned in one list, and their shape."""
    if value is None:
        raise ValueError(f"{name} returned None, but must return its values")
    if isinstance(value, Mapping):
        raise TypeError(f"{name} returned a dictionary, but must return a sequence of its values in their order")
    if not dimensions(value):
        return [value if isinstance(value, Traced) else known(value)], ()
    array = np.asarray(value, dtype=object)
    entries = array.reshape(-1).tolist()
    return [entry if isinstance(entry, Traced) else known(entry) for entry in entries], array.shape


def called(name: str, function: Callable, *arguments: Any) -> Any:
    """Calls a function with traced arguments."""
    try:
        return function(*arguments)
    except TraceError:
        raise
    except (TypeError, AttributeError) as cause:
        missing = re.search("of type (int|float) which has no callable (\\w+) method", str(cause))
        if missing is not None:
            raise TraceError(
                f"{name}: np.{missing[2]} of an array with both traced numbers and floats, such as np.array([x[0], 1.0]), cannot "
                f"be traced; take np.{missing[2]} of the entries one by one, or of x before the array is put together"
            ) from cause
        if re.search("dtype\\('O'\\)|input types|Traced|'(int|float)' object has no attribute", str(cause)) is None:
            raise
        raise TraceError(
            f"{name} calls a function that cannot be traced, at least not for arrays ({cause}). Take it of the entries one by one, "
            f"or write it with those that can be traced: {', '.join(sorted(Traced.functions))}"
        ) from cause
