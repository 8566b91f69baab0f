"""Models that move, whose rate is written in Python."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence, Union

import numpy as np

from . import _arguments, _pullback, _trace
from ._experiment import Layout
from ._switches import Switches, facing_forward, warn_of_bends, warn_of_short, warn_of_unknown
from .models import Numbers, Ready

__all__ = ["Dynamics"]

#: Count, or names.
Names = Union[int, Sequence[str]]


class Dynamics(Ready):
    """Dynamics x' = rate(t, x, p) that you write with NumPy, observed at given times.

    The functions are called once, with arguments that note the operations. The compiled part integrates these, and
    differentiates them exactly: no Python runs during a fit. Use NumPy's functions, `where`, `maximum`, `minimum` and `interp`,
    and no `if` on the arguments.

    Parameters
    ----------
    rate
        ``rate(t, x, p)`` returns one rate for every component of the state x.
    times
        Times of the observations from t = 0 on, or one `Experiment` or several. ``inf`` as the last time is the steady state.
    start
        Initial value: numbers, in which the name of a parameter stands for this parameter, or a function ``start(p)``. Without it
        the initial value is read from the last parameters.
    parameters
        Number or names of the parameters p.
    states
        Number or names of the components of x. It may be left out if `start` is given.
    observe
        ``observe(t, x, p)`` returns what is observed, by default x itself: a sequence, or a dictionary with names.
    noise
        ``noise(t, x, p)`` returns the noise level of every observable, as a sequence or by name, for a `likelihood`. Noise levels
        are further outputs.
    events
        Pairs ``(event, jump)``. When ``event(t, x, p)`` changes from negative to positive, ``jump(t, x, p)`` returns the new state.
    algebraic
        Components i whose equation is 0 = rate[i]. Their initial values are guesses.
    breaks
        Times at which the rate jumps by itself. Those of comparisons such as ``where(t % 24.0 < 3.0, a, b)``, of tables read by
        `interp`, and of t with numbers that an experiment gives, are found.
    method
        "explicit", "implicit" or "implicit5" for stiff rates, or "auto": implicit where algebraic equations or steady states need
        it, and otherwise explicit.
    rtol, atol
        Accuracy of a step, the second for all components or for each.
    max_steps, step, memory
        Largest number of steps, length of equal steps, and bytes for the record of the steps.

    >>> import numpy as np, pullback as pb
    >>> def rate(t, x, p):
    ...     prey, predators = x
    ...     growth, hunting, profit, death = p
    ...     return [growth * prey - hunting * prey * predators, profit * prey * predators - death * predators]
    >>> hunt = pb.Dynamics(rate, np.arange(21.0), start=[30.0, 4.0], parameters=["growth", "hunting", "profit", "death"])
    >>> seen = hunt.predict([0.55, 0.028, 0.024, 0.8])
    >>> pb.minimize(hunt, seen, [0.5, 0.03, 0.025, 0.75], sigma=1.0, transforms="log").x.round(6).tolist()
    [0.55, 0.028, 0.024, 0.8]
    """

    def __init__(
        self,
        rate: Callable,
        times: Any,
        *,
        parameters: Names,
        start: Any = None,
        states: Optional[Names] = None,
        observe: Optional[Callable] = None,
        noise: Optional[Callable] = None,
        events: Iterable[tuple] = (),
        algebraic: Iterable[Any] = (),
        breaks: Sequence[float] = (),
        method: str = "auto",
        rtol: Optional[float] = None,
        atol: Optional[Numbers] = None,
        max_steps: Optional[int] = None,
        step: Optional[float] = None,
        memory: Optional[int] = None,
    ):
        entries, components = _names("parameters", parameters, "p"), None if states is None else _names("states", states, "x")
        if components is None and isinstance(start, Mapping):
            components = _names("start", list(start), "x")
        start_of, count = _start(start, entries, components)
        self.states = components or _names("states", count, "x")
        tracer = Tracer(len(self.states), len(entries))
        outputs, self.outputs, self.noisy = tracer.outputs(observe, noise, self.states)
        layout = Layout(times, entries)
        self._dynamics = {
            "dims": (len(self.states), len(entries)),
            "rate": facing_forward(tracer.program("rate", rate, len(self.states)), layout.cases()),
            "initial": tracer.program("start", start_of, len(self.states)),
            "observe": outputs,
            "events": [tracer.event(pair) for pair in events],
            "algebraic": _chosen(algebraic, self.states),
        }
        self.parameters, self.experiments = layout.parameters, layout.experiments
        moments = [event for event, _ in self._dynamics["events"]]
        switches = Switches(self._dynamics["rate"], moments)
        self._described = layout.described(lambda cases: [*map(float, breaks), *switches(cases)])
        warn_of_unknown(self._dynamics["rate"], layout.cases(), bool(len(breaks)))
        if not len(breaks) and step is None:
            warn_of_bends(self._dynamics["rate"], layout.cases())
            warn_of_short(moments, layout.cases())
        if (rtol is None) != (atol is None):
            raise ValueError("rtol and atol must be given together")
        self._steps = {
            "method": self._method(method),
            "accuracy": None if rtol is None else (float(rtol), np.atleast_1d(np.asarray(atol, dtype=float)).tolist()),
            "most": None if max_steps is None else _arguments.count("max_steps", max_steps),
            "every": None if step is None else float(step),
            "memory": None if memory is None else _arguments.count("memory", memory),
            "kept": None,
        }
        self._create()

    def _create(self) -> None:
        self.evolution = _pullback.TracedEvolution(self._dynamics, self._described, self._steps)
        lengths = [len(experiment.times) for experiment in self.experiments]
        outputs = len(self.outputs) + len(self.noisy)
        shape = [lengths[0], outputs] if len(lengths) == 1 else [sum(lengths), outputs]
        self._model = self.evolution.model(shape)

    def _method(self, method: str) -> str:
        if method != "auto":
            return str(method)
        rests = any(described["rested"] is not None or np.inf in described["times"][-1:] for described in self._described)
        return "implicit" if rests or any(self._dynamics["algebraic"]) else "explicit"

    def keep_steps(self, theta: Any) -> Dynamics:
        """Returns the model with the steps that are chosen at theta, whose states are a smooth function nearby.

        Use it for `verify`, or for the last digits of a fit.
        """
        kept = _arguments.parameters("theta", theta).tolist()
        found = object.__new__(type(self))
        found.__dict__.update(self.__dict__)
        found._steps, found._kept = {**self._steps, "kept": kept}, kept
        found._create()
        return found

    def split(self, state: Any) -> dict:
        """Returns the outputs of a state, times × outputs, of every experiment by its name."""
        names = [experiment.name or str(i) for i, experiment in enumerate(self.experiments)]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"more than one experiment has the name {min(twice)!r}; give them names that differ")
        rows = np.asarray(state, dtype=float).reshape(-1, len(self.outputs) + len(self.noisy))
        ends = np.cumsum([len(experiment.times) for experiment in self.experiments])
        parts = np.split(rows, ends[:-1])
        return dict(zip(names, parts))


def _names(argument: str, given: Names, letter: str) -> list:
    if isinstance(given, str):
        raise TypeError(f"{argument} must be a number or a sequence of names, not the single name {given!r}")
    if isinstance(given, (int, np.integer)):
        return [f"{letter}{i}" for i in range(_arguments.count(argument, given))]
    names = [str(name) for name in given]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{argument}: the name {min(twice)!r} occurs more than once")
    return names


def _chosen(algebraic: Iterable[Any], states: list) -> list:
    chosen, algebraic = [False] * len(states), list(algebraic)
    if algebraic and all(isinstance(which, (bool, np.bool_)) for which in algebraic):
        if len(algebraic) != len(states):
            raise ValueError(f"algebraic has {len(algebraic)} truth values, but there are {len(states)} components")
        return [bool(which) for which in algebraic]
    for which in algebraic:
        try:
            chosen[states.index(which) if isinstance(which, str) else which] = True
        except (ValueError, IndexError, TypeError) as cause:
            raise ValueError(f"algebraic: no component {which!r} among {len(states)}") from cause
    return chosen


def _start(start: Any, entries: list, components: Optional[list]) -> tuple:
    """Returns the initial value as a function of the parameters, and its length."""
    if start is None:
        if components is None:
            raise ValueError("states: give the number of components, since the start is to be estimated")
        count = len(components)
        if count > len(entries):
            raise ValueError(
                f"the initial value of {count} components is read from the last parameters, of which there are {len(entries)}"
            )
        return lambda p: p[len(entries) - count :], count
    if callable(start):
        if components is not None:
            return start, len(components)
        graph = _trace.Graph()
        return start, len(_trace.flattened("start", start(_trace.vector(graph, "parameter", len(entries))))[0])
    values = _ordered(start, components) if isinstance(start, Mapping) else list(start)
    unknown = [value for value in values if isinstance(value, str) and value not in entries]
    if unknown:
        raise ValueError(f"start: no parameter {unknown[0]!r}; there are {', '.join(entries)}")
    return lambda p: [p[entries.index(v)] if isinstance(v, str) else float(v) for v in values], len(values)


def _ordered(start: Mapping, components: Optional[list]) -> list:
    """Returns the initial values by name in the order of the components."""
    names = components or []
    missing = [name for name in names if name not in start]
    if missing:
        raise ValueError(f"start: the component {missing[0]!r} has no value")
    unknown = [name for name in start if name not in names]
    if unknown:
        raise ValueError(f"start: no component {unknown[0]!r}; there are {', '.join(names)}")
    return [start[name] for name in names]


class Tracer:
    """Traces functions of dynamics with these numbers of components and parameters."""

    def __init__(self, states: int, parameters: int):
        self.dims = states, parameters

    def values(self, name: str, function: Callable, graph: _trace.Graph) -> Any:
        """Calls a function with traced arguments: (t, x, p), or p alone for a start."""
        _arguments.function(name, function)
        x, p = (_trace.vector(graph, kind, count) for kind, count in zip(("state", "parameter"), self.dims))
        arguments = (p,) if name == "start" else (graph.node("time"), x, p)
        try:
            inspect.signature(function).bind(*arguments)
        except TypeError as cause:
            shown = "p" if name == "start" else "t, x, p"
            raise TypeError(f"{name} must be a function {name}({shown}): {cause}") from cause
        except ValueError:  # A function without a signature.
            pass
        return _trace.called(name, function, *arguments)

    def program(self, name: str, function: Callable, count: int) -> tuple:
        """Returns the program of a function that must return this number of values."""
        graph = _trace.Graph()
        values, _ = _trace.flattened(name, self.values(name, function, graph))
        if len(values) != count:
            raise ValueError(f"{name} returned {len(values)} values, but {count} are needed")
        return graph.program(values)

    def event(self, pair: Any) -> tuple:
        """Returns the programs of an event and its jump."""
        try:
            event, jump = pair
        except (TypeError, ValueError) as cause:
            raise ValueError("events must be pairs (event, jump) of functions") from cause
        return self.program("event", event, 1), self.program("jump", jump or (lambda t, x, p: x), self.dims[0])

    def outputs(self, observe: Optional[Callable], noise: Optional[Callable], states: list) -> tuple:
        """Returns the program of all outputs, the names of the observables, and those with a noise level."""
        if observe is None and noise is None:
            return None, list(states), []
        graph = _trace.Graph()
        seen = self.values("observe", observe or (lambda t, x, p: x), graph)
        names, values = named("observe", seen, None if observe else states)
        noisy, levels = ([], []) if noise is None else named("noise", self.values("noise", noise, graph), names)
        unknown = [name for name in noisy if name not in names]
        if unknown:
            raise ValueError(f"noise: no observable {unknown[0]!r}; there are {', '.join(names)}")
        return graph.program(values + levels), names, noisy


def named(argument: str, values: Any, names: Optional[list]) -> tuple:
    """Returns names and values of a dictionary, or of a sequence with given or numbered names."""
    if isinstance(values, Mapping):
        pairs = [(str(name), _trace.flattened(argument, value)[0]) for name, value in values.items()]
        for name, value in pairs:
            if len(value) != 1:
                raise ValueError(f"{argument}: {name!r} has {len(value)} values; give each of them a name, or one value")
        return [name for name, _ in pairs], [value[0] for _, value in pairs]
    found, _ = _trace.flattened(argument, values)
    if names is None:
        names = [f"y{i}" for i in range(len(found))]
    if len(found) == 1 < len(names):
        found = found * len(names)
    if len(found) != len(names):
        raise ValueError(f"{argument} returned {len(found)} values, but {len(names)} are needed")
    return list(names), found
