"""Times at which a traced function jumps or bends by itself, because it compares the time with a number or reads a table of it."""

from __future__ import annotations

import warnings
from typing import Any, Callable, NamedTuple, Optional, Sequence

import numpy as np

from ._lines import Pieces, combine, difference, table

__all__ = ["Case", "Switches", "facing_forward", "warn_of_bends", "warn_of_short", "warn_of_unknown"]

COMPARISONS = ("less", "less_equal", "equal")

#: Operations that bend or jump.
BENDING = (*COMPARISONS, "floor", "absolute", "maximum", "minimum", "interp")

OPERATIONS: dict = {
    "shift": lambda number, a: a + number,
    "scale": lambda number, a: a * number,
    "over": lambda number, a: number / a,
    "power": lambda number, a, b=None: a ** (number if b is None else b),
    "expit": lambda _, a: 1.0 / (1.0 + np.exp(-a)),
    "less": lambda _, a, b, c, d: np.where(np.isnan(a + b), np.nan, np.where(a < b, c, d)),
    "less_equal": lambda _, a, b, c, d: np.where(np.isnan(a + b), np.nan, np.where(a <= b, c, d)),
    "equal": lambda _, a, b, c, d: np.where(np.isnan(a + b), np.nan, np.where(a == b, c, d)),
}


class Case(NamedTuple):
    """Values of the parameters, NaN where they are estimated, from one time to another."""

    values: Any
    begin: float
    end: float


def operation(name: str, number: float) -> Callable:
    """Returns an operation as a function of arrays."""
    known = OPERATIONS.get(name)
    return getattr(np, name) if known is None else lambda *values: known(number, *values)


def arguments_of(program: tuple, place: int) -> list:
    """Returns the places of the arguments of an operation; those of a comparison are its two sides."""
    name, operands, _ = program[0][place]
    return operands[: {"less": 2, "less_equal": 2, "equal": 2, "interp": 1}.get(name)]


def earlier(program: tuple, place: int) -> list:
    """Returns the places of all results that an operation reads."""
    name, operands, _ = program[0][place]
    return [] if name in ("state", "parameter") else operands[:1] if name == "interp" else operands


def depending(program: tuple, kind: str) -> list:
    """Returns for every result whether it depends on the time, or on the state."""
    found: list = []
    for place, (name, _, _) in enumerate(program[0]):
        found.append(name == kind or any(found[each] for each in earlier(program, place)))
    return found


class Clock:
    """Operations that bend or jump as the time goes on, whatever the state is, and what they depend on."""

    def __init__(self, program: tuple, further: Sequence[int] = ()):
        self.program = program
        time, state = depending(program, "time"), depending(program, "state")

        def is_free(places: list) -> bool:
            return any(time[place] for place in places) and not any(state[place] for place in places)

        operations = enumerate(program[0])
        self.bends = [place for place, (name, _, _) in operations if name in BENDING and is_free(arguments_of(program, place))]
        self.further = [place for place in further if is_free([place])]
        stack = [each for place in self.bends for each in arguments_of(program, place)]
        stack += self.further + [place for place in self.bends if not state[place]]
        needed: set = set()
        while stack:
            place = stack.pop()
            if place not in needed:
                needed.add(place)
                stack.extend(earlier(program, place))
        self.needed = sorted(needed)
        self.used = sorted({program[0][place][1][0] for place in needed if program[0][place][0] == "parameter"})

    def distinct(self, cases: Sequence[Case]) -> dict:
        """Returns the cases by what matters of them here."""
        return {(*(np.float64(case.values[i]).tobytes() for i in self.used), case.begin, case.end): case for case in cases}

    def _table(self, operands: list) -> tuple:
        knots, values = self.program[1][operands[1]]
        return np.array(knots), np.array(values)

    def pieces(self, case: Case) -> dict:
        """Returns the results as functions of the time, None where they are not piecewise linear."""
        edges = np.array([case.begin, case.end])
        found: dict = {}
        for place in self.needed:
            name, operands, number = self.program[0][place]
            if name == "time":
                found[place] = Pieces(edges, np.zeros(1), np.ones(1))
            elif name in ("parameter", "constant"):
                value = case.values[operands[0]] if name == "parameter" else number
                found[place] = Pieces(edges, np.full(1, float(value)), np.zeros(1))
            elif name == "interp":
                inner = found[operands[0]]
                found[place] = None if inner is None else table(inner, *self._table(operands))
            else:
                inputs = [found[each] for each in operands]
                found[place] = None if any(i is None for i in inputs) else combine(name, number, inputs, operation(name, number))
        return found

    def bent(self, found: dict, place: int) -> Optional[Pieces]:
        """Returns the result of an operation that bends, of a comparison as 1 or 0."""
        name, operands, number = self.program[0][place]
        if name not in COMPARISONS:
            return found[place]
        sides = [found[each] for each in operands[:2]]
        if any(side is None for side in sides):
            return None
        one, zero = (Pieces(sides[0].edges[[0, -1]], np.full(1, value), np.zeros(1)) for value in (1.0, 0.0))
        return combine(name, number, [*sides, one, zero], operation(name, number))

    def jumps(self, values: Sequence[float], times: np.ndarray) -> np.ndarray:
        """Returns the outcomes of comparisons and the integers of floors at some times."""
        found: dict = {}
        for place in self.needed:
            name, operands, number = self.program[0][place]
            if name == "interp":
                found[place] = np.interp(found[operands[0]], *self._table(operands))
            elif name in ("parameter", "constant", "time"):
                value = values[operands[0]] if name == "parameter" else number
                found[place] = times if name == "time" else np.full(times.size, value)
            else:
                found[place] = operation(name, number)(*(found[each] for each in operands))
        rows = [np.zeros(times.size)]
        for place in self.bends:
            name, operands, _ = self.program[0][place]
            if name in ("less", "less_equal"):
                compare = np.less if name == "less" else np.less_equal
                rows.append(compare(found[operands[0]], found[operands[1]]))
            elif name == "floor":
                rows.append(np.nan_to_num(np.floor(found[operands[0]])))
        return np.array(rows)


def sharpened(clock: Clock, case: Case, times: np.ndarray) -> np.ndarray:
    """Returns the first numbers at which every jump near some times, known to rounding, has happened."""
    if not times.size:
        return times
    gaps = np.diff(np.concatenate([[case.begin], times, [case.end]]))
    near = np.minimum(1e-9 * np.maximum(np.abs(times), gaps[:-1]), np.minimum(gaps[:-1], gaps[1:]) / 3.0)
    low, high = times - near, times + near
    before, after = (clock.jumps(case.values, ends) for ends in (low, high))
    jumps = (before != after).any(axis=0)
    for _ in range(80):
        middle = low + 0.5 * (high - low)
        if ((middle <= low) | (middle >= high)).all():
            break
        done = (clock.jumps(case.values, middle) == after).all(axis=0)
        low, high = np.where(done, low, middle), np.where(done, middle, high)
    return np.where(jumps, high, times)


class Switches:
    """Times at which steps end, because a rate bends or jumps by itself, or because events are seen from there."""

    def __init__(self, rate: tuple, events: Sequence[tuple]):
        self._finders = [(Clock(rate), switch_times), *((Clock(event, changing(event)), event_times) for event in events)]
        self._found: dict = {}

    def __call__(self, cases: Sequence[Case]) -> list:
        times: set = set()
        for place, (clock, find) in enumerate(self._finders):
            for key, case in clock.distinct(cases).items() if clock.needed else ():
                if (place, key) not in self._found:
                    with np.errstate(all="ignore"):
                        self._found[place, key] = find(clock, case).tolist()
                times.update(self._found[place, key])
        return sorted(times)


def bends(clock: Clock, found: dict) -> list:
    """Returns the times at which results bend or jump."""
    bent = (clock.bent(found, place) for place in clock.bends)
    return [pieces.edges[1:-1] for pieces in bent if pieces is not None]


def switch_times(clock: Clock, case: Case) -> np.ndarray:
    """Returns the times at which a rate bends or jumps by itself."""
    edges = np.unique(np.concatenate([[case.begin], *bends(clock, clock.pieces(case))]))
    return sharpened(clock, case, edges[edges > case.begin])


def changing(event: tuple) -> list:
    """Returns the places of an event and of the parts of its function that may decide on its sign."""
    parts = {place for name, operands, _ in event[0] if name in BENDING and name != "interp" for place in operands[:1]}
    parts |= {place for name, operands, _ in event[0] if name in ("maximum", "minimum") for place in operands}
    return sorted({*event[2], *parts})


def event_times(clock: Clock, case: Case) -> np.ndarray:
    """Returns times between those at which an event, or a part of its function, changes its sign because of the time alone.

    Steps that end there miss no such change.
    """
    found = clock.pieces(case)
    signs = [found[place] for place in clock.further if found[place] is not None]
    zeros = [pieces.reaching(np.zeros(1)) for pieces in signs]
    edges = np.unique(np.concatenate([[case.begin, case.end], *zeros, *bends(clock, found)]))
    middles = (edges[:-1] + 0.5 * np.diff(edges))[1:-1]
    return middles[middles > edges[1:-2]]


def drawn(cases: Sequence[Case], used: list) -> list:
    """Returns the cases with random numbers in place of estimates."""
    rng = np.random.default_rng(0)
    found = []
    for case in cases:
        for _ in range(2 if np.isnan(case.values[used]).any() else 1):
            values = np.where(np.isnan(case.values), rng.uniform(0.5, 2.0, len(case.values)), case.values)
            found.append(Case(values, case.begin, case.end))
    return found


def facing_forward(program: tuple, cases: Sequence[Case]) -> tuple:
    """Returns a program whose comparisons of the time hold, at the time of their change, what they hold just after it.

    A phase of an integration begins there, and must see its own rate.
    """
    clock = Clock(program)
    sides = [place for place in clock.bends if program[0][place][0] in COMPARISONS]
    falls, rises = dict.fromkeys(sides, True), dict.fromkeys(sides, True)
    with np.errstate(all="ignore"):
        for case in drawn(list(clock.distinct(cases).values()), clock.used) if sides else ():
            found = clock.pieces(case)
            for place in sides:
                pair = [found[each] for each in program[0][place][1][:2]]
                slopes = None if None in pair else difference(*pair).b
                falls[place] = falls[place] and slopes is not None and bool((slopes < 0.0).all())
                rises[place] = rises[place] and slopes is not None and bool((slopes > 0.0).all())
    operations, tables, outputs = program
    turned = []
    for place, (name, operands, number) in enumerate(operations):
        if name == "equal" and (falls.get(place) or rises.get(place)):
            # Equality for a moment has no effect.
            operands = [*operands[:2], operands[3], operands[3]]
        elif name in COMPARISONS and (falls.get(place) or rises.get(place)):
            # Of a < b and a ≤ b, the second holds from the time on at which a − b falls through 0, the first until it rises.
            name = "less_equal" if falls[place] else "less"
        turned.append((name, operands, number))
    return turned, tables, outputs


def warn_of_unknown(program: tuple, cases: Sequence[Case], breaks: bool) -> None:
    """Warns if a rate jumps or bends at times that are not found: where it compares the time with what is estimated, and elsewhere.

    Breaks that are given may be those of comparisons that are not piecewise linear in the time.
    """
    clock = Clock(program)
    if not clock.bends:
        return
    jumps = [place for place in clock.bends if program[0][place][0] in (*COMPARISONS, "floor", "interp")]
    estimated = curved = read = False
    with np.errstate(all="ignore"):
        for case in clock.distinct(cases).values():
            found = clock.pieces(case)
            for place in jumps:
                inputs = [found[each] for each in arguments_of(program, place)]
                unknown = None in inputs or clock.bent(found, place) is None
                curved = curved or unknown
                moving = not unknown and not all(pieces.is_known() for pieces in inputs)
                read = read or (moving and program[0][place][0] == "interp")
                estimated = estimated or (moving and program[0][place][0] != "interp")
    if estimated:
        warnings.warn(
            "the rate compares the time with a value that is estimated: if it jumps there, derivatives miss the change of the time "
            "of the jump. Give an event that sets a component, on which the rate then depends",
            stacklevel=4,
        )
    if read and not breaks:
        warnings.warn(
            "the rate reads a table at a time that depends on an estimate, so that steps do not end at its points and may pass "
            "over a short pulse. Give times near those of its changes as `breaks`, or a length of `step`",
            stacklevel=4,
        )
    if curved and not breaks:
        warnings.warn(
            "the rate compares a function of the time that is not piecewise linear, or has too many pieces: the times of its jumps "
            "are not found, and may be passed over. Give them as `breaks`",
            stacklevel=4,
        )


def warn_of_bends(program: tuple, cases: Sequence[Case]) -> None:
    """Warns if a rate takes a maximum, minimum or absolute value of the time that bends at times that are not found."""
    clock = Clock(program)
    places = [place for place in clock.bends if program[0][place][0] in ("absolute", "maximum", "minimum")]
    with np.errstate(all="ignore"):
        for case in clock.distinct(cases).values() if places else ():
            found = clock.pieces(case)
            read = [found[each] for place in places for each in (place, *arguments_of(program, place))]
            if not all(pieces is not None and pieces.is_known() for pieces in read):
                warnings.warn(
                    "the rate takes a maximum, minimum or absolute value of a function of the time that depends on an estimate or "
                    "is not piecewise linear, so that steps do not end where it bends and may pass over a short pulse. Give times "
                    "near its bends as `breaks`, or a length of `step` shorter than the pulse",
                    stacklevel=4,
                )
                return


def warn_of_short(events: Sequence[tuple], cases: Sequence[Case]) -> None:
    """Warns of events that the time alone decides on, at times that are not found: a step may pass over a short one."""
    for event in events:
        clock = Clock(event, changing(event))
        with np.errstate(all="ignore"):
            for case in clock.distinct(cases).values() if clock.needed else ():
                found = clock.pieces(case)
                bent = [clock.bent(found, place) for place in clock.bends]
                is_found = all(pieces is not None and pieces.is_known() for pieces in bent)
                if not is_found or None in [found[place] for place in clock.further]:
                    warnings.warn(
                        "the times of an event are not found, because its function is not piecewise linear in the time or "
                        "bends at an estimate: a step may pass over an event that is short. Give times between its changes of "
                        "sign as `breaks`, or a length of `step`",
                        stacklevel=4,
                    )
                    return
