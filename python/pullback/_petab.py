"""Parameter estimation problems in the format PEtab, with a model in SBML."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import numpy as np

from . import _minimize, _pullback
from ._conditions import Conditions
from ._dynamics import Dynamics
from ._formula import Unsupported, evaluate, parse
from ._operations import FUNCTIONS, divide
from ._pullback import Loss
from ._sbml import Event, Network, Values
from ._trace import known

__all__ = ["Problem", "from_petab"]

#: Family by the transformation of an observable and the distribution of its noise.
FAMILIES = {
    ("lin", "normal"): "gaussian",
    ("log", "normal"): "log_normal",
    ("log10", "normal"): "log10_normal",
    ("lin", "laplace"): "laplace",
}

#: Family, and whether the prior is one of the parameter on its scale.
PRIORS = {
    "normal": ("gaussian", False),
    "laplace": ("laplace", False),
    "parameterScaleNormal": ("gaussian", True),
    "parameterScaleLaplace": ("laplace", True),
}

#: Priors that are constant within the bounds.
FLAT = ("uniform", "parameterScaleUniform", "nan", "")


class Problem:
    """Problem in the format PEtab: model, data, and what is known of the parameters.

    ``model`` is a `Dynamics`; ``likelihood`` is the negative log-likelihood of the measurements, and ``posterior`` has the priors
    added. ``parameters`` are the names of what is estimated, ``nominal`` their values in the problem, ``lower`` and ``upper`` their
    bounds, and ``scales`` "lin", "log" or "log10".
    """

    model: Dynamics
    likelihood: Loss
    posterior: Loss
    parameters: list
    nominal: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    scales: list

    @property
    def transforms(self) -> list:
        """Transforms of the parameters for `minimize`: logarithms for the scales log and log10."""
        return ["identity" if scale == "lin" else "log" for scale in self.scales]

    @property
    def bounds(self) -> list:
        """Pairs of bounds for `minimize`."""
        return list(zip(self.lower.tolist(), self.upper.tolist()))

    def objective(self, theta: Any = None, *, prior: bool = False) -> float:
        """Computes the negative log-likelihood, or with priors that of the posterior, by default at the nominal parameters."""
        state = self.model.predict(self.nominal if theta is None else theta)
        return (self.posterior if prior else self.likelihood).value(state.reshape(-1))

    def minimize(self, theta0: Any = None, *, prior: bool = True, **settings: Any) -> Any:
        """Fits the parameters by `pullback.minimize`, on their scales and within their bounds, from the nominal ones by default."""
        start = np.clip(self.nominal if theta0 is None else np.asarray(theta0, dtype=float), self.lower, self.upper)
        chosen = {"transforms": self.transforms, "bounds": self.bounds, **settings}
        return _minimize.minimize(self.model, self.posterior if prior else self.likelihood, start, **chosen)

    def __repr__(self) -> str:
        return f"<Problem: {len(self.parameters)} parameters, {len(self.model.states)} components, {len(self.model.experiments)} experiments>"


class Row(NamedTuple):
    """Measurement: experiment, index of its time, observable with its replacements, and value."""

    experiment: int
    time: int
    observable: str
    scales: tuple
    noise: tuple
    value: float


def from_petab(
    path: Union[str, Path], *, method: str = "implicit", rtol: float = 1e-8, atol: float = 1e-12, **steps: Any
) -> Problem:
    """Reads a problem in the format PEtab (version 1, Schmiester et al. 2021), whose model is in SBML.

    Needs the packages `petab` and `python-libsbml`. What a problem contains and this package does not know is an error that names it.
    ``method``, ``rtol``, ``atol`` and ``steps`` are those of `Dynamics`.

    >>> import pullback as pb
    >>> problem = pb.from_petab("problem.yaml")  # doctest: +SKIP
    >>> problem.objective(), problem.minimize().x  # doctest: +SKIP
    """
    return Reader(read(path)).problem(method=method, rtol=rtol, atol=atol, **steps)


def read(path: Union[str, Path]) -> Any:
    """Returns the tables of a problem."""
    try:
        import petab.v1 as petab
    except ImportError as cause:
        raise ImportError("problems in PEtab need the package petab: pip install petab python-libsbml") from cause
    found = petab.Problem.from_yaml(str(path))
    kind = getattr(found.model, "type_id", "none")
    if kind != "sbml":
        raise Unsupported(f"models of the kind {kind!r} are not supported; there is sbml")
    if found.mapping_df is not None and len(found.mapping_df):
        raise Unsupported("mapping tables are not supported")
    return found


class Reader:
    """Makes dynamics and a likelihood of the tables of a problem."""

    def __init__(self, tables: Any):
        self.tables = tables
        self.network = Network(tables.model.sbml_model)
        rows = tables.parameter_df
        estimated = rows["estimate"].astype(int) == 1
        nominal = rows["nominalValue"] if "nominalValue" in rows else rows["lowerBound"]
        self.free = [str(name) for name in rows.index[estimated]]
        self.fixed = {str(name): float(nominal[name]) for name in rows.index[~estimated]}
        self.conditions = Conditions(tables, self.free, self.fixed, self.network)
        self.rows = [self._row(row) for _, row in tables.measurement_df.iterrows()]
        self.changing = 0
        self.outputs: dict = {}
        self.noise: dict = {}

    def _row(self, row: Any) -> Row:
        experiment, time = self.conditions.place(row)
        replaced = (replacements(row.get("observableParameters")), replacements(row.get("noiseParameters")))
        return Row(experiment, time, str(row["observableId"]), *replaced, float(row["measurement"]))

    def problem(self, **steps: Any) -> Problem:
        """Returns the problem."""
        network, conditions = self.network, self.conditions
        priors = self._priors()
        experiments = conditions.experiments()

        def rate(t: Any, x: Any, p: Any) -> list:
            return network.rates(network.at(t, x, conditions.given(p)))

        def observe(t: Any, x: Any, p: Any) -> list:
            values = network.at(t, x, conditions.given(p))
            return self._observe(values) + [prior.at(p) for prior in priors]

        def event(event: Event) -> tuple:
            def fires(t: Any, x: Any, p: Any) -> Any:
                return event.margin(network.at(t, x, conditions.given(p)))

            return fires, lambda t, x, p: network.jump(event, network.at(t, x, conditions.given(p)))

        # A model may have no components, if all that is observed is a formula of the time.
        still = not network.states
        model = Dynamics(
            (lambda t, x, p: [0.0]) if still else rate,
            experiments,
            parameters=conditions.entries,
            states=["none"] if still else network.states,
            start=(lambda p: [0.0]) if still else (lambda p: network.start(conditions.given(p))),
            observe=observe,
            events=[event(each) for each in network.events],
            **steps,
        )
        places = [self.free.index(name) for name in model.parameters]
        problem = Problem()
        problem.model, problem.parameters = model, list(model.parameters)
        self._describe(problem, places)
        data = self._data(model)
        firsts = conditions.firsts(len(model.outputs))
        beliefs = [prior.datum(firsts, len(self.outputs) + self.changing + k) for k, prior in enumerate(priors)]
        families = [(name, None) for name in dict.fromkeys([*FAMILIES.values()])]
        entries = int(np.prod(model.shape))
        problem.likelihood = _pullback.likelihood_of(entries, families, data)
        problem.posterior = _pullback.likelihood_of(entries, families, data + beliefs) if beliefs else problem.likelihood
        return problem

    def _describe(self, problem: Problem, places: list) -> None:
        rows = self.tables.parameter_df.loc[[self.free[place] for place in places]]
        nominal = rows["nominalValue"] if "nominalValue" in rows else 0.5 * (rows["lowerBound"] + rows["upperBound"])
        problem.nominal = np.array(nominal, dtype=float)
        problem.lower, problem.upper = (np.array(rows[name], dtype=float) for name in ("lowerBound", "upperBound"))
        problem.scales = [str(scale) for scale in rows["parameterScale"]]

    def _observe(self, values: Values) -> list:
        """Returns the means of all observables with their replacements, and then their noise levels that are not constant."""
        table = self.tables.observable_df
        means: dict = {}
        levels: dict = {}
        for row in self.rows:
            key = (row.observable, row.scales)
            if key not in means:
                means[key] = self._formula(values, table["observableFormula"][row.observable], row)
            noise = (*key, row.noise)
            if noise not in levels:
                levels[noise] = self._formula(values, table["noiseFormula"][row.observable], row, means[key])
        self.outputs = {key: place for place, key in enumerate(means)}
        self.noise = {}
        changing: list = []
        for noise, level in levels.items():
            constant = known(level)
            self.noise[noise] = (None, constant) if constant is not None else (len(means) + len(changing), 1.0)
            changing += [level] if constant is None else []
        self.changing = len(changing)
        return list(means.values()) + changing

    def _formula(self, values: Values, text: Any, row: Row, mean: Any = None) -> Any:
        """Evaluates the formula of an observable or its noise."""
        replaced = {f"observableParameter{k}_{row.observable}": token for k, token in enumerate(row.scales, 1)}
        replaced |= {f"noiseParameter{k}_{row.observable}": token for k, token in enumerate(row.noise, 1)}

        def value_of(name: str) -> Any:
            if name in replaced:
                token = replaced[name]
                return token if isinstance(token, float) else values(token)
            if name == row.observable and mean is not None and not self.network.is_known(name):
                return mean
            if "Parameter" in name and name.endswith(f"_{row.observable}"):
                raise ValueError(f"the measurement table has no value for {name!r}")
            return values(name)

        if isinstance(text, (int, float)):
            return float(text)
        return evaluate(parse(text), value_of, self.network.definitions)

    def _data(self, model: Dynamics) -> list:
        table = self.tables.observable_df
        firsts = self.conditions.firsts(len(model.outputs))
        kinds = list(dict.fromkeys(FAMILIES.values()))
        data = []
        for row in self.rows:
            first = firsts[row.experiment][row.time]
            family = kinds.index(family_of(table, row.observable))
            place, sigma = self.noise[(row.observable, row.scales, row.noise)]
            entry = None if place is None else first + place
            data.append((first + self.outputs[(row.observable, row.scales)], entry, sigma, row.value, family))
        return data

    def _priors(self) -> list:
        rows = self.tables.parameter_df
        if "objectivePriorType" not in rows:
            return []
        found = []
        for name in self.free:
            kind = str(rows["objectivePriorType"][name])
            if kind in FLAT:
                continue
            if kind not in PRIORS:
                raise Unsupported(f"the prior {kind!r} of {name!r} is not supported; there are {', '.join(PRIORS)}")
            family, on_scale = PRIORS[kind]
            mean, scale = (float(part) for part in str(rows["objectivePriorParameters"][name]).split(";"))
            coordinate = str(rows["parameterScale"][name]) if on_scale else "lin"
            found.append(Belief(self.conditions.entries.index(name), self.conditions.direct(name), coordinate, family, mean, scale))
        return found


class Belief(NamedTuple):
    """Prior of a parameter, as a measurement of the parameter on its scale."""

    entry: int
    experiment: int
    scale: str
    family: str
    mean: float
    sigma: float

    def at(self, p: Any) -> Any:
        """Returns the parameter on its scale."""
        if self.scale == "lin":
            return p[self.entry]
        return divide(FUNCTIONS["log"](p[self.entry]), 1.0 if self.scale == "log" else math.log(10.0))

    def datum(self, firsts: list, place: int) -> tuple:
        """Returns the datum of the likelihood, given the first entry of the state at every time, and the place of the output."""
        kinds = list(dict.fromkeys(FAMILIES.values()))
        return firsts[self.experiment][0] + place, None, self.sigma, self.mean, kinds.index(self.family)


def replacements(cell: Any) -> tuple:
    """Returns the numbers and names in a cell that replace the placeholders of a formula."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ()
    parts = [part.strip() for part in str(cell).split(";")]
    return tuple(number(part) for part in parts if part)


def number(token: str) -> Any:
    """Returns a number if the token is one."""
    try:
        return float(token)
    except ValueError:
        return token


def family_of(table: Any, observable: str) -> str:
    """Returns the family of the noise of an observable."""

    def word(column: str, default: str) -> str:
        cell: Optional[Any] = table[column][observable] if column in table else None
        return default if cell is None or str(cell) in ("nan", "") else str(cell)

    key = word("observableTransformation", "lin"), word("noiseDistribution", "normal")
    if key not in FAMILIES:
        raise Unsupported(f"the noise {key[1]!r} of {observable!r} on the scale {key[0]!r} is not supported")
    return FAMILIES[key]
