"""Experiments: when a system is observed, and under which inputs."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Mapping, Optional, Sequence, Union

import numpy as np

from ._switches import Case

__all__ = ["Experiment", "Layout"]

#: Parameter by its name or index.
Entry = Union[int, str]


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Experiment on `Dynamics`: times of observation, inputs, and what is known of the parameters.

    Parameters
    ----------
    times
        Times of the observations. ``inf`` as the last time is the steady state.
    name
        Name by which a table of measurements knows its condition.
    start
        Time of the initial value.
    given
        Values of parameters in this experiment, such as a dose, by name or index.
    own
        Parameters that this experiment has for itself: ``{"baseline": "baseline of B"}`` takes the entry "baseline" of the dynamics
        from another parameter of the model.
    changes
        Times from which on parameters have other values: ``{3.0: {"infusion": 0.0}}``. A step ends there.
    rested
        Values of parameters before the start, until the state has settled. ``{}`` for those of the experiment.

    >>> import pullback as pb
    >>> def rate(t, x, p):
    ...     clearance, infusion = p
    ...     return [infusion - clearance * x[0]]
    >>> weak, strong = (pb.Experiment([1.0, 2.0], given={"infusion": dose}, changes={1.0: {"infusion": 0.0}}) for dose in (1.0, 5.0))
    >>> model = pb.Dynamics(rate, [weak, strong], start=[0.0], parameters=["clearance", "infusion"])
    >>> model.parameters, (model.predict([0.5]).ravel() / model.predict([0.5])[0]).round(6).tolist()
    (['clearance'], [1.0, 0.606531, 5.0, 3.032653])
    """

    times: Any
    name: str = ""
    start: float = 0.0
    given: Mapping[Entry, float] = dataclasses.field(default_factory=dict)
    own: Mapping[Entry, str] = dataclasses.field(default_factory=dict)
    changes: Mapping[float, Mapping[Entry, float]] = dataclasses.field(default_factory=dict)
    rested: Optional[Mapping[Entry, float]] = None

    def __post_init__(self) -> None:
        times = np.array(self.times, dtype=float).reshape(-1).tolist()
        object.__setattr__(self, "times", times)


class Layout:
    """Experiments, and which parameter of the model every entry of the parameters of the dynamics is."""

    def __init__(self, times: Any, entries: Sequence[str]):
        self.entries = list(entries)
        self.experiments = experiments(times)
        own = [self._own(experiment) for experiment in self.experiments]
        given = [self._inputs(experiment.given) for experiment in self.experiments]
        # Entries that no experiment takes from θ under their own name are no parameters of the model.
        used = [i for i in range(len(self.entries)) if any(i not in o and i not in g for o, g in zip(own, given))]
        self.parameters = [self.entries[i] for i in used]
        for name in (name for names in own for name in names.values()):
            if name not in self.parameters:
                self.parameters.append(name)
        places = {name: place for place, name in enumerate(self.parameters)}
        self._own_places = [
            [(i, places[o.get(i, entry)]) for i, entry in enumerate(self.entries) if i not in g] for o, g in zip(own, given)
        ]
        self._given = given

    def cases(self) -> list:
        """Returns the values of the entries, NaN where they are unknown, from every change of inputs to the next in all experiments."""
        return [case for pair in zip(self.experiments, self._given) for case in self._cases(*pair)]

    def described(self, breaks: Callable) -> list:
        """Returns the experiments in the form that the compiled part reads.

        ``breaks`` returns the times at which the rate jumps by itself in some cases.
        """
        return [
            {
                "name": experiment.name,
                "start": float(experiment.start),
                "times": experiment.times,
                "given": list(given.items()),
                "own": own,
                "changes": self._changes(experiment, given, breaks),
                "rested": None if experiment.rested is None else list(self._inputs(experiment.rested).items()),
            }
            for experiment, given, own in zip(self.experiments, self._given, self._own_places)
        ]

    def _cases(self, experiment: Experiment, given: dict) -> list:
        changes = sorted((float(t), self._inputs(inputs)) for t, inputs in experiment.changes.items())
        last = experiment.times[-1] if experiment.times else float(experiment.start)
        # The rate may jump at the last time, too.
        last += 1e-6 * (last - float(experiment.start))
        values = np.full(len(self.entries), np.nan)
        found = []
        for i, (t, inputs) in enumerate([(-np.inf, given), *changes]):
            values[list(inputs)] = list(inputs.values())
            begin, end = max(t, float(experiment.start)), min([last, *(time for time, _ in changes[i : i + 1])])
            if begin < end:
                found.append(Case(values.copy(), begin, end))
        return found

    def _changes(self, experiment: Experiment, given: dict, breaks: Callable) -> list:
        changes = {float(t): self._inputs(inputs) for t, inputs in experiment.changes.items()}
        for t in breaks(self._cases(experiment, given)):
            if experiment.start < t < np.inf:
                changes.setdefault(t, {})
        return sorted((t, list(inputs.items())) for t, inputs in changes.items())

    def _place(self, entry: Entry) -> int:
        if isinstance(entry, str):
            if entry not in self.entries:
                raise ValueError(f"no parameter {entry!r}; there are {', '.join(self.entries)}")
            return self.entries.index(entry)
        if not 0 <= entry < len(self.entries):
            raise ValueError(f"no parameter {entry!r} among {len(self.entries)}")
        return int(entry)

    def _inputs(self, inputs: Mapping[Entry, float]) -> dict:
        return {self._place(entry): float(value) for entry, value in inputs.items()}

    def _own(self, experiment: Experiment) -> dict:
        return {self._place(entry): str(name) for entry, name in experiment.own.items()}


def experiments(times: Any) -> list:
    """Returns one experiment at these times, or those that are given."""
    if isinstance(times, Experiment):
        return [times]
    found = list(times)
    if found and all(isinstance(entry, Experiment) for entry in found):
        return found
    if any(isinstance(entry, Experiment) for entry in found):
        raise TypeError("times must be numbers, or experiments, not both")
    return [Experiment(found)]
