"""Arguments in the forms that users know."""

from __future__ import annotations

import operator
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np

from ._pullback import Observation
from ._prior import Prior


#: Largest whole number that the compiled part takes.
LARGEST = 2**63 - 1

#: Bounds that do not bound anything, in the form of SciPy.
NO_BOUNDS = (-np.inf, np.inf)


def array(name: str, values: Any) -> np.ndarray:
    """Returns an array of numbers."""
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has entries that are masked, which would lose their masks: leave them out")
    try:
        if np.iscomplexobj(values):
            raise TypeError(f"{name} must be real, but is complex")
        return np.array(values, dtype=float)
    except (TypeError, ValueError, OverflowError) as cause:
        kind = TypeError if np.iscomplexobj(values) else ValueError
        raise kind(f"{name} must be an array of numbers: {cause}") from cause


def present(values: Any) -> Any:
    """Returns data with NaN for those that are masked."""
    return np.ma.filled(np.ma.asarray(values, dtype=float), np.nan) if np.ma.is_masked(values) else values


def number(name: str, given: Any) -> float:
    """Returns a number."""
    try:
        return float(given)
    except (TypeError, ValueError, OverflowError) as cause:
        raise TypeError(f"{name} must be a number, not {given!r}") from cause


def optional(name: str, given: Any) -> Optional[float]:
    """Returns a number or None."""
    return None if given is None else number(name, given)


def function(name: str, given: Any) -> Callable:
    """Returns a function, or an error that names it."""
    if not callable(given):
        raise TypeError(f"{name} must be callable, not {type(given).__name__}")
    return given


def count(name: str, given: Any) -> int:
    """Returns a whole number that is not negative."""
    try:
        found = operator.index(given)
    except TypeError as cause:
        raise TypeError(f"{name} must be a whole number, not {given!r}") from cause
    if found < 0:
        raise ValueError(f"{name} is {found}, but must not be negative")
    if found > LARGEST:
        raise ValueError(f"{name} is {found}, which is too large")
    return found


def parameters(name: str, values: Any) -> np.ndarray:
    """Returns a finite vector of at least one entry."""
    found = array(name, values).reshape(-1)
    if found.size == 0:
        raise ValueError(f"{name} is empty; give one entry per parameter")
    if not np.isfinite(found).all():
        index = int(np.flatnonzero(~np.isfinite(found))[0])
        raise ValueError(f"{name} is {found[index]} at index {index}, but must be finite")
    return found


def corners(bounds: Any, count: int) -> Optional[tuple]:
    """Returns the corners of a box given as `scipy.optimize.Bounds` or as (lower, upper), scalars or arrays."""
    if bounds is None or bounds is NO_BOUNDS:
        return None
    pair = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds
    try:
        lower, upper = pair
        box = [np.broadcast_to(np.asarray(end, dtype=float), (count,)).copy() for end in (lower, upper)]
    except (TypeError, ValueError) as cause:
        raise ValueError(f"bounds must be a pair (lower, upper) of numbers or of arrays with {count} entries") from cause
    return checked(box)


def intervals(bounds: Any, count: int) -> Optional[tuple]:
    """Returns the corners of a box given as `scipy.optimize.Bounds` or as one pair (lower, upper) per parameter, with None for no
    bound."""
    if bounds is None or hasattr(bounds, "lb"):
        return corners(bounds, count)
    try:
        pairs = [(-np.inf if a is None else float(a), np.inf if b is None else float(b)) for a, b in bounds]
    except (TypeError, ValueError) as cause:
        raise ValueError("bounds must have one pair (lower, upper) per parameter") from cause
    if len(pairs) != count:
        raise ValueError(f"bounds has {len(pairs)} pairs, but there are {count} parameters")
    return checked([np.array(ends) for ends in zip(*pairs)])


def checked(box: list) -> Optional[tuple]:
    """Returns a box, or None if it does not bound anything."""
    lower, upper = box
    if np.isnan(lower).any() or np.isnan(upper).any() or (lower > upper).any():
        index = int(np.flatnonzero(~(lower <= upper))[0])
        raise ValueError(f"bounds: the lower bound {lower[index]} of parameter {index} is not below the upper bound {upper[index]}")
    if np.isneginf(lower).all() and np.isposinf(upper).all():
        return None
    return lower, upper


def inside(name: str, theta: np.ndarray, box: Optional[tuple], bounds: Any = None) -> None:
    """Checks that a start lies in the box, which was given as ``bounds``."""
    if box is None:
        return
    outside = np.flatnonzero((theta < box[0]) | (theta > box[1]))
    if outside.size:
        i = int(outside[0])
        text = f"{name} is {theta[i]} at index {i}, outside the bounds [{box[0][i]}, {box[1][i]}]"
        raise ValueError(text + swapped(theta, bounds))


def swapped(theta: np.ndarray, bounds: Any) -> str:
    """Returns advice if the bounds look like (lower, upper) with arrays, as some functions of SciPy take them."""
    if theta.size != 2 or bounds is None or hasattr(bounds, "lb"):
        return ""
    ends = np.array(bounds, dtype=float)
    if not ((ends[0] <= theta) & (theta <= ends[1])).all():
        return ""
    pairs = [tuple(pair) for pair in ends.T.tolist()]
    return f"; bounds has one pair (lower, upper) per parameter, which would be {pairs}"


def names(model: Any, given: Optional[Sequence[str]], count: int) -> Optional[list]:
    """Returns the names of the parameters, those given or those of the model, or None."""
    if given is None:
        known = getattr(model, "names", None)
        known = getattr(model, "parameters", None) if known is None else known
        if not isinstance(known, (list, tuple)) or len(known) != count:
            return None
        return list(known) if all(isinstance(name, str) for name in known) else None
    if isinstance(given, str):
        raise TypeError(f"names must be a sequence of names, not the single name {given!r}")
    found = [str(name) for name in given]
    if len(found) != count:
        raise ValueError(f"names has {len(found)} entries, but there are {count} parameters")
    if len(set(found)) < count:
        twice = next(name for name in found if found.count(name) > 1)
        raise ValueError(f"names has {twice!r} more than once, but must tell the parameters apart")
    return found


def same_shape(data: np.ndarray, shape: tuple) -> None:
    """Checks that data with several axes are in the order of the state, whose shape is () if it is not known."""
    ours, theirs = ([n for n in axes if n != 1] for axes in (data.shape, shape))
    if shape and data.ndim > 1 and ours != theirs:
        advice = "; transpose the data" if ours == theirs[::-1] else ""
        raise ValueError(f"data has the shape {data.shape}, but the values of the model have the shape {tuple(shape)}{advice}")


def noise(sigma: Any, data: np.ndarray) -> Any:
    """Returns one deviation per datum, in the order of the data, if sigma has their shape or is flat, and otherwise sigma as it is. The
    entry of a missing datum does not matter."""
    shape = () if sigma is None else np.shape(sigma)
    if shape not in (data.shape, (data.size,)) or not shape:
        if len(shape) > 1 and shape != (data.size, data.size):
            raise ValueError(
                f"sigma has the shape {shape}, but must be one number, have the shape {data.shape} of the data, or be the covariance of "
                f"all {data.size} data"
            )
        return sigma
    found = array("sigma", present(sigma)).reshape(-1)
    found[np.isnan(data.reshape(-1))] = 1.0
    return found


def observed(data: np.ndarray, operator: Any, sigma: Any) -> tuple:
    """Returns data, observation and noise without the missing data."""
    kept = np.flatnonzero(~np.isnan(data))
    if isinstance(operator, Observation):
        columns = [operator(row) for row in units(operator.shape[1])]
        operator = np.stack(columns, axis=1)
    operator = operator.tocsr() if hasattr(operator, "tocsr") else operator
    axes = np.ndim(sigma)
    if axes == 1:
        sigma = np.asarray(sigma)[kept]
    elif axes == 2:
        sigma = np.asarray(sigma)[np.ix_(kept, kept)]
    return data[kept], operator[kept], sigma


def units(count: int) -> Iterator[np.ndarray]:
    """Yields the unit vectors."""
    for i in range(count):
        unit = np.zeros(count)
        unit[i] = 1.0
        yield unit


def transforms(given: Any, count: int) -> Optional[list]:
    """Returns one transform per parameter, from one word for all or from a sequence."""
    if given is None:
        return None
    if isinstance(given, str):
        given = [given] * count
    try:
        found = [transform(entry) for entry in given]
    except (TypeError, ValueError) as cause:
        raise ValueError("transforms: give 'log', 'identity', None or ('logit', lower, upper) for every parameter") from cause
    if len(found) != count:
        raise ValueError(f"transforms has {len(found)} entries, but there are {count} parameters")
    return found


def transform(entry: Any) -> tuple:
    """Returns the name of a transform and the ends of its interval."""
    if entry is None or isinstance(entry, str):
        return entry or "identity", 0.0, 1.0
    name, lower, upper = entry
    return name, float(lower), float(upper)


def named(argument: str, given: Any) -> Optional[tuple]:
    """Returns a name with an optional number, from a word or from a pair such as ("sobolev", -1)."""
    if given is None:
        return None
    if isinstance(given, str):
        return given, None
    try:
        name, order = given
        return str(name), float(order)
    except (TypeError, ValueError) as cause:
        raise ValueError(f"{argument} must be a word, or a word and a number, not {given!r}") from cause


class Word(NamedTuple):
    """Name of a loss, metric, direction or step rule, with a number or with options by their names."""

    name: str
    number: Optional[float] = None
    options: dict = {}

    def value(self, option: str) -> Optional[float]:
        """Returns an option that a number alone also gives."""
        return self.options.get(option) if self.number is None else self.number

    def __str__(self) -> str:
        number = [] if self.number is None else [f"{self.number:g}"]
        options = (f"{name}={value if isinstance(value, str) else format(value, 'g')}" for name, value in self.options.items())
        return " ".join([self.name, *number, *options])


def word(argument: str, given: Any) -> Optional[Word]:
    """Returns a word, or a pair of a word and a number such as ("sobolev", -1), or of a word and options such as
    ("transport", {"epsilon": 0.1})."""
    if given is None:
        return None
    if isinstance(given, str):
        return Word(given)
    try:
        name, what = given
    except (TypeError, ValueError) as cause:
        form = "a word, or a word and a number or a dictionary of options"
        raise ValueError(f"{argument} must be {form}, not {given!r}") from cause
    if isinstance(what, Mapping):
        return Word(str(name), options={str(key): option(argument, key, value) for key, value in what.items()})
    return Word(str(name), number(f"the number of {argument} {name!r}", what))


def option(argument: str, name: Any, given: Any) -> Union[float, str]:
    """Returns an option of a word as a number, or as a word."""
    return given if isinstance(given, str) else number(f"the option {name!r} of {argument}", given)


def priors(given: Any) -> list:
    """Returns a list of priors from None, one prior or several."""
    if given is None:
        return []
    if not isinstance(given, (Prior, list, tuple)):
        raise TypeError(f"prior must be made by gaussian, smoothness or matern, not {type(given).__name__}")
    found = [given] if isinstance(given, Prior) else list(given)
    for prior in found:
        if not isinstance(prior, Prior):
            raise TypeError(f"prior must be made by gaussian, smoothness or matern, not {type(prior).__name__}")
    return [prior.compiled for prior in found]
