"""Tables of measurements, and their likelihood."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Mapping, Optional

from . import _arguments, _pullback
from ._dynamics import Dynamics
from ._experiment import Experiment
from ._pullback import Loss

__all__ = ["Measurements", "likelihood"]


class Measurements:
    """Measured values in long format: one line for every value, with its observable, its time and, if there are several, its
    condition.

    ``table`` is the path of a CSV or TSV file, such text with several lines, a dictionary of columns or a pandas DataFrame. Columns
    are ``observable``, ``time``, ``value`` and, where they are needed, ``condition`` and ``noise``; the names of PEtab's measurement
    table are known as well. Values that are empty or NaN are missing.

    >>> import pullback as pb
    >>> data = pb.Measurements({"observable": ["drug"] * 3, "condition": ["weak", "weak", "strong"],
    ...                         "time": [1.0, 2.0, 1.0], "value": [0.62, 0.36, 3.07]})
    >>> data.conditions, data.times("weak")
    (['weak', 'strong'], [1.0, 2.0])
    """

    def __init__(self, table: Any):
        self._table = _pullback.MeasuredTable(text_of(table))
        self._times = {full: times for full, _, _, times in self._table.conditions}

    @property
    def conditions(self) -> list:
        """Names of the conditions, in order of appearance."""
        return list(self._times)

    @property
    def observables(self) -> list:
        """Names of the observables, in order of appearance."""
        return list(dict.fromkeys(name for name, *_ in self._table.rows))

    def times(self, condition: str = "") -> list:
        """Returns the times of the measurements in a condition."""
        if condition not in self._times:
            raise ValueError(f"condition: no {condition!r}; there are {', '.join(map(repr, self._times))}")
        return self._times[condition]

    def experiment(self, condition: str = "", **inputs: Any) -> Experiment:
        """Returns the experiment of a condition, with its name and times and these inputs of `Experiment`."""
        return Experiment(self.times(condition), name=condition, **inputs)

    def __repr__(self) -> str:
        return f"<Measurements: {len(self._table.rows)} of {', '.join(self.observables)} in {len(self.conditions)} condition(s)>"


def likelihood(model: Dynamics, table: Any, *, family: Any = "gaussian", sigma: Any = None) -> Loss:
    """Negative log-likelihood of measurements, for `minimize` and `Dynamics`.

    Experiments are found by the names of conditions, outputs by the names of observables. The metric of the loss is the Fisher
    information, so that errors of parameters, and of those of the noise, are those of the maximum of the likelihood.

    Parameters
    ----------
    model
        Dynamics with the observables of the table.
    table
        `Measurements`, or what these are made of.
    family
        "gaussian", "laplace", "log_normal", "log10_normal" or ("student", degrees of freedom), one for all observables or a
        dictionary.
    sigma
        Known noise level, one for all observables or a dictionary. Otherwise the noise level is that of the model's `noise` and, for
        observables without one, the column ``noise`` of the table.

    >>> import numpy as np, pullback as pb
    >>> data = pb.Measurements(\"\"\"observable, condition, time, value
    ... drug, weak, 1, 0.62
    ... drug, weak, 2, 0.36
    ... drug, strong, 1, 3.07
    ... drug, strong, 4, 0.66\"\"\")
    >>> dose = {"weak": 1.0, "strong": 5.0}
    >>> model = pb.Dynamics(
    ...     lambda t, x, p: [-p[0] * x[0]],
    ...     [data.experiment(name, given={"dose": dose[name]}) for name in data.conditions],
    ...     parameters=["clearance", "noise", "dose"],
    ...     start=["dose"],
    ...     observe=lambda t, x, p: {"drug": x[0]},
    ...     noise=lambda t, x, p: {"drug": p[1]},
    ... )
    >>> fit = pb.minimize(model, pb.likelihood(model, data, family="log_normal"), [1.0, 0.5])
    >>> model.parameters, fit.x.round(2).tolist(), bool(fit.success)
    (['clearance', 'noise'], [0.5, 0.02], True)
    """
    if not isinstance(model, Dynamics):
        raise TypeError(f"model must be a Dynamics, whose experiments and observables have names, not {type(model).__name__}")
    measured = table if isinstance(table, Measurements) else Measurements(table)
    count = len(model.outputs)

    def seen(name: str) -> tuple:
        kind = of(family, name, "family")
        level = None if sigma is None else of(sigma, name, "sigma", missing=None)
        output = count + model.noisy.index(name) if level is None and name in model.noisy else None
        return name, _arguments.named("family", kind), output, None if level is None else float(level)

    for argument, given in (("family", family), ("sigma", sigma)):
        unknown = [name for name in given if name not in model.outputs] if isinstance(given, Mapping) else []
        if unknown:
            raise ValueError(f"{argument}: no observable {unknown[0]!r}; there are {', '.join(model.outputs)}")
    return measured._table.likelihood(model.evolution, [seen(name) for name in model.outputs])


def of(given: Any, name: str, argument: str, missing: Any = "gaussian") -> Any:
    """Returns what is given for an observable, or for all of them."""
    return given.get(name, missing) if isinstance(given, Mapping) else given


def text_of(table: Any) -> str:
    """Returns a table as text."""
    if isinstance(table, os.PathLike) or (isinstance(table, str) and "\n" not in table):
        if Path(table).is_dir():
            raise ValueError(f"table: {str(table)!r} is a folder; give the path of a file")
        return Path(table).read_text(encoding="utf-8")
    if isinstance(table, str):
        return table
    columns = {str(name): list(table[name]) for name in (table.columns if hasattr(table, "columns") else columns_of(table))}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"table: the columns have different lengths: {lengths}")
    lines = ["\t".join(columns), *("\t".join(map(cell, row)) for row in zip(*columns.values()))]
    return "\n".join(lines)


def columns_of(table: Any) -> Mapping:
    """Returns a dictionary of columns, or an error."""
    if not isinstance(table, Mapping):
        raise TypeError(f"table must be a path, text, a dictionary of columns or a DataFrame, not {type(table).__name__}")
    return table


def cell(value: Any) -> str:
    """Returns the text of a cell, in quotes if it is a name."""
    if value is None:
        return ""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"' if any(c in value for c in '\t"#\n') else value
    number: Optional[float] = float(value)
    return "" if number is None or math.isnan(number) else repr(number)
