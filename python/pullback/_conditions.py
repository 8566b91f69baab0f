"""Conditions of a problem in the format PEtab as experiments."""

from __future__ import annotations

import math
from typing import Any, Mapping

import numpy as np

from ._experiment import Experiment
from ._formula import Unsupported
from ._operations import add, multiply, subtract
from ._sbml import Network

__all__ = ["Conditions"]

#: Entry of the parameters that is 1 before the start, while the state settles, and 0 afterwards.
RESTS = "is before the start"


class Conditions:
    """Pairs of conditions, before the start and after it, each of which is an experiment.

    The entries of the parameters of the dynamics are the estimated parameters of the problem, and the columns of the condition
    table. A column that is empty in some conditions, where the model's own value counts, has an entry that says where it is given. A
    column that is one parameter before the start and another one afterwards has an entry for either.
    """

    def __init__(self, tables: Any, free: list, fixed: Mapping, network: Network):
        self.table = tables.condition_df
        self.free, self.fixed, self.network = free, dict(fixed), network
        columns = [str(c) for c in self.table.columns if c != "conditionName"]
        rows = [self._pair(row) for _, row in tables.measurement_df.iterrows()]
        self.pairs = list(dict.fromkeys(rows))
        self.times: list = [[] for _ in self.pairs]
        for pair, t in zip(rows, tables.measurement_df["time"]):
            self.times[self.pairs.index(pair)].append(float(t))
        self.times = [sorted(set(times)) for times in self.times]
        used = [name for pair in self.pairs for name in pair if name]
        self.values = {name: {c: self._value(name, c) for c in columns} for name in dict.fromkeys(used)}
        self.optional = [c for c in columns if any(self.values[name][c] is None for name in self.values)]
        self.split = [c for c in columns if any(self._splits(pair, c) for pair in self.pairs)]
        self.columns = columns
        self.entries = list(free) + [c for c in columns if c not in free]
        self.entries += [is_given(c) for c in self.optional] + [at_rest(c) for c in self.split]
        if self.split:
            self.entries.append(RESTS)

    def _pair(self, row: Any) -> tuple:
        before = row.get("preequilibrationConditionId")
        missing = before is None or (isinstance(before, float) and math.isnan(before)) or not str(before)
        return None if missing else str(before), str(row["simulationConditionId"])

    def _value(self, condition: str, column: str) -> Any:
        """Returns a number, the name of an estimated parameter, or None if the cell is empty."""
        cell = self.table[column][condition]
        try:
            value = float(cell)
        except (TypeError, ValueError):
            name = str(cell).strip()
            if name in self.free:
                return name
            if name in self.fixed:
                return self.fixed[name]
            raise Unsupported(
                f"the condition {condition!r} sets {column!r} to {name!r}, which is no parameter of the problem"
            ) from None
        return None if math.isnan(value) else value

    def _splits(self, pair: tuple, column: str) -> bool:
        before, after = (self.values[name][column] if name else None for name in pair)
        return isinstance(before, str) and before != after

    def place(self, row: Any) -> tuple:
        """Returns the experiment of a measurement, and the index of its time."""
        index = self.pairs.index(self._pair(row))
        return index, self.times[index].index(float(row["time"]))

    def firsts(self, outputs: int) -> list:
        """Returns the first entry of the state for every experiment and time."""
        counts = [len(times) for times in self.times]
        begins = np.cumsum([0, *counts[:-1]])
        return [[outputs * (int(begin) + k) for k in range(count)] for begin, count in zip(begins, counts)]

    def experiments(self) -> list:
        """Returns the experiments."""
        return [self._experiment(i, pair) for i, pair in enumerate(self.pairs)]

    def _experiment(self, index: int, pair: tuple) -> Experiment:
        before, after = pair
        given: dict = {RESTS: 0.0} if self.split else {}
        own: dict = {}
        for column, value in self.values[after].items():
            self._set(given, own, column, value)
        for column in self.split:
            value = self.values[before][column] if before else None
            if isinstance(value, str):
                own[at_rest(column)] = value
            else:
                given[at_rest(column)] = 0.0 if value is None else value
        name = after if before is None else f"{after} after {before}"
        rested = None if before is None else self._rested(before, after)
        return Experiment(self.times[index], name=name, given=given, own=own, rested=rested)

    def _set(self, given: dict, own: dict, column: str, value: Any) -> None:
        if isinstance(value, str):
            if value != column:
                own[column] = value
        elif value is not None or column not in self.free:
            given[column] = 0.0 if value is None else value
        if column in self.optional:
            given[is_given(column)] = float(value is not None)

    def _rested(self, before: str, after: str) -> dict:
        """Returns the inputs before the start."""
        rested: dict = {RESTS: 1.0} if self.split else {}
        for column, value in self.values[before].items():
            later = self.values[after][column]
            if column in self.network.states and later is not None:
                raise Unsupported(f"the condition {after!r} sets {column!r} after the state has settled in {before!r}")
            if column in self.optional:
                rested[is_given(column)] = float(value is not None)
            if column in self.split and not isinstance(value, str):
                rested[at_rest(column)] = 0.0 if value is None else value
            elif isinstance(value, float):
                rested[column] = value
        return rested

    def direct(self, name: str) -> int:
        """Returns an experiment whose entry of this name is the parameter itself."""
        for index, (_, after) in enumerate(self.pairs):
            if self.values[after].get(name, name) in (name, None):
                return index
        raise Unsupported(f"the parameter {name!r} has a prior, but is set by every condition")

    def given(self, p: Any) -> dict:
        """Returns the values of all names that the problem gives, for traced entries of the parameters."""
        entries = dict(zip(self.entries, p))
        found: dict = {**self.fixed, **{name: entries[name] for name in self.free}}
        for column in self.columns:
            value = entries[column]
            if column in self.split:
                value = add(value, multiply(entries[RESTS], subtract(entries[at_rest(column)], value)))
            found[column] = value
            if column in self.optional and column not in self.free:
                otherwise = self.fixed.get(column)
                found[column] = optional(column, value, entries[is_given(column)], otherwise)
        return found


def optional(column: str, value: Any, share: Any, otherwise: Any) -> Any:
    """Returns a function that takes the default of the model and returns the value, where it is given, or the default."""

    def choose(default: Any) -> Any:
        usual = default(column) if otherwise is None else otherwise
        return add(usual, multiply(share, subtract(value, usual)))

    return choose


def is_given(column: str) -> str:
    """Returns the name of the entry that is 1 where a column is given, and otherwise 0."""
    return f"{column} is given"


def at_rest(column: str) -> str:
    """Returns the name of the entry that holds a column before the start."""
    return f"{column} before the start"
