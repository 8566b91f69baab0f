"""Times at which a traced rate jumps by itself, because it compares the time with a number."""

from __future__ import annotations

import warnings
from typing import Callable, Sequence

import numpy as np

__all__ = ["facing_forward", "switch_times", "warn_of_unknown"]

#: Times at which differences of compared numbers are looked at, to see which are straight lines.
TIMES = np.array([0.0, 1.0, 2.0])

OPERATIONS: dict = {
    "shift": lambda number, a: a + number,
    "scale": lambda number, a: a * number,
    "over": lambda number, a: number / a,
    "power": lambda number, a, b=None: a ** (number if b is None else b),
    "less": lambda _, a, b, c, d: np.where(np.isnan(a + b), np.nan, np.where(a < b, c, d)),
    "equal": lambda _, a, b, c, d: np.where(np.isnan(a + b), np.nan, np.where(a == b, c, d)),
}


def results(program: tuple, parameters: Sequence[float]) -> list:
    """Returns the results of all operations at some times, NaN where they depend on the state."""
    operations, tables, _ = program
    found: list = []
    for name, operands, number in operations:
        if name == "interp":
            value = np.interp(found[operands[0]], *tables[operands[1]])
        elif name in ("state", "parameter"):
            value = np.full(TIMES.size, np.nan if name == "state" else parameters[operands[0]])
        elif name in ("time", "constant"):
            value = TIMES if name == "time" else np.full(TIMES.size, number)
        else:
            function: Callable = OPERATIONS.get(name) or (lambda _, *values, name=name: getattr(np, name)(*values))
            value = function(number, *(found[place] for place in operands))
        found.append(value)
    return found


def lines(program: tuple, parameters: Sequence[float]) -> dict:
    """Returns, for the comparisons whose sides differ by a + b t with b ≠ 0, the pair (a, b)."""
    with np.errstate(all="ignore"):
        found = results(program, parameters)
        differences = {
            place: found[operands[0]] - found[operands[1]]
            for place, (name, operands, _) in enumerate(program[0])
            if name in ("less", "equal")
        }
        scale = {place: 1e-9 * np.abs(d).max() for place, d in differences.items()}
        straight = {place: d for place, d in differences.items() if abs(d[0] - 2.0 * d[1] + d[2]) <= scale[place]}
    return {place: (d[0], d[1] - d[0]) for place, d in straight.items() if abs(d[1] - d[0]) > scale[place]}


def switch_times(program: tuple, parameters: Sequence[float]) -> list:
    """Returns the times at which comparisons of the time change, given parameters, NaN where they are unknown."""
    return sorted({float(-a / b) for a, b in lines(program, parameters).values()})


def facing_forward(program: tuple, parameters: int) -> tuple:
    """Returns a program whose comparisons of the time hold, at the time of their change, what they hold just after it.

    A phase of an integration begins there, and must see its own rate.
    """
    rng = np.random.default_rng(0)
    first, second = (lines(program, rng.uniform(0.5, 2.0, parameters).tolist()) for _ in range(2))
    operations, tables, outputs = program
    turned = []
    for place, (name, operands, number) in enumerate(operations):
        falls = all(found.get(place, (0.0, 0.0))[1] < 0.0 for found in (first, second))
        if name == "less" and falls:
            # a − b falls through 0: a < b holds from then on, as ¬(b < a) does at the time itself.
            a, b, c, d = operands
            operands = [b, a, d, c]
        turned.append((name, operands, number))
    return turned, tables, outputs


def warn_of_unknown(program: tuple, parameters: int, experiments: list) -> None:
    """Warns if a rate compares the time with what is estimated: derivatives do not see the time of the change."""
    everywhere = set(lines(program, np.random.default_rng(0).uniform(0.5, 2.0, parameters).tolist()))
    for experiment in experiments if everywhere else []:
        values = np.full(parameters, np.nan)
        for entry, value in experiment["given"]:
            values[entry] = value
        if everywhere - set(lines(program, values.tolist())):
            warnings.warn(
                "the rate compares the time with a value that is estimated: if it jumps there, derivatives miss the change of the time "
                "of the jump. Give an event that sets a component, on which the rate then depends",
                stacklevel=4,
            )
            return
