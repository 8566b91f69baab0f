"""Ready models."""

from __future__ import annotations

from typing import Any, Iterable, Optional, Sequence, Union

import numpy as np

from . import _pullback
from ._pullback import Grid, Observation, ReadyModel

__all__ = [
    "Darcy",
    "Epidemic",
    "FitzHughNagumo",
    "GaussianMixture",
    "Goodwin",
    "InvariantMeasure",
    "JakStat",
    "Lorenz",
    "LotkaVolterra",
    "Pendulum",
    "Robertson",
]

Numbers = Union[float, Sequence[float]]


class Ready:
    """Model that the library provides. It is pickled by the arguments that it was made with."""

    _model: ReadyModel
    #: Arguments of the constructor.
    _given: tuple
    #: Parameters at which the steps in time were chosen for good.
    _kept: Optional[list] = None

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        found = super().__new__(cls)
        found._given = kept(arguments), kept(named)
        return found

    def __reduce__(self) -> tuple:
        return _made, (type(self), *self._given, self._kept)

    def __copy__(self) -> Any:
        found = object.__new__(type(self))
        found.__dict__.update(self.__dict__)
        return found

    @property
    def state_dim(self) -> int:
        """Number of entries of the state."""
        return self._model.state_dim

    @property
    def param_dim(self) -> int:
        """Number of parameters."""
        return self._model.param_dim

    @property
    def shape(self) -> tuple:
        """Shape of the state."""
        return self._model.shape

    @property
    def grid(self) -> Optional[Grid]:
        """Grid of the state, if it is a density."""
        return self._model.grid

    def predict(self, theta: Any) -> np.ndarray:
        """Computes the state at these parameters."""
        return self._model.predict(theta)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: state {self.shape}, {self.param_dim} parameters>"


def kept(value: Any) -> Any:
    """Returns a copy of arrays and containers, which their owner may change."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)(kept(entry) for entry in value)
    return {name: kept(entry) for name, entry in value.items()} if type(value) is dict else value


def _made(kind: type, arguments: tuple, named: dict, steps: Any) -> Any:
    """Returns the model of a pickle."""
    found = kind(*arguments, **named)
    return found if steps is None else found.keep_steps(steps)


class GaussianMixture(Ready):
    """Density of a Gaussian mixture on a grid.

    A component is ``(weight, mean, variance)``, with numbers for one axis and sequences for several. The words in
    ``free`` say which numbers are parameters: "weight 0" of component 0, "mean 0" or, with several axes, "mean 0 1",
    and "variance 0" or "variance 0 1". ``start`` holds their values in the components.

    >>> import pullback as pb
    >>> mixture = pb.GaussianMixture(pb.Grid([(-5.0, 5.0, 100)]), [(1.0, 0.5, 2.0)], free=["mean 0", "variance 0"])
    >>> mixture.start.tolist(), round(float(mixture.predict([0.0, 1.0]).max()), 3)
    ([0.5, 2.0], 0.398)
    """

    def __init__(self, grid: Grid, components: Iterable[tuple], *, free: Iterable[str]):
        if not isinstance(grid, Grid):
            raise TypeError(f"grid must be a Grid, not {type(grid).__name__}")
        axes = len(grid.shape)
        spread = [_component(component, axes) for component in components]
        self.names = list(free)
        words = [_free(word, axes) for word in self.names]
        self._model, start = _pullback.gaussian_mixture(grid, spread, words)
        self.start = np.array(start)


def _numbers(values: Numbers) -> list:
    return np.atleast_1d(np.asarray(values, dtype=float)).tolist()


def _component(component: tuple, axes: int) -> tuple:
    try:
        weight, mean, variance = component
    except (TypeError, ValueError) as cause:
        raise ValueError(f"components: give (weight, mean, variance), not {component!r}") from cause
    return float(weight), _numbers(mean), _numbers(variance) * (1 if np.ndim(variance) else axes)


def _free(word: str, axes: int) -> tuple:
    if not isinstance(word, str) or not word.strip():
        raise ValueError(f"free: give words such as 'mean 0', not {word!r}")
    kind, *places = word.split()
    try:
        numbers = [int(place) for place in places]
    except ValueError as cause:
        raise ValueError(f"free: '{word}' must be a word and numbers, such as 'mean 0'") from cause
    if kind == "mean" and len(numbers) == 1 and axes == 1:
        numbers.append(0)
    if not 1 <= len(numbers) <= 2:
        raise ValueError(f"free: '{word}' needs a component and at most one axis, such as 'mean 0 1'")
    return kind, numbers[0], numbers[1] if len(numbers) == 2 else None


class InvariantMeasure(Ready):
    """Stationary density of a flow on a grid: "lorenz", "rossler", "chen" or "van_der_pol".

    >>> import pullback as pb
    >>> grid = pb.Grid([(-25.0, 25.0, 8), (-35.0, 35.0, 8), (0.0, 60.0, 8)])
    >>> rho = pb.InvariantMeasure(grid, "lorenz").predict([10.0, 28.0, 8.0 / 3.0])
    >>> round(float(rho.sum() * grid.volume), 9)
    1.0
    """

    def __init__(self, grid: Grid, flow: str, *, diffusion: float = 0.0, teleportation: float = 0.0):
        self._model = _pullback.invariant_measure(grid, flow, float(diffusion), float(teleportation))


class Darcy(Ready):
    """Pressure of the flow through a porous medium, with the log-permeability of every cell as parameters.

    ``pressure`` and ``inflow`` give the conditions on sides, by axis and end: ``{(0, "lower"): 1.0}``. Other sides
    are closed. Every source in ``sources``, one value per cell, is an experiment of its own.

    >>> import numpy as np, pullback as pb
    >>> grid = pb.Grid([(0.0, 1.0, 16), (0.0, 1.0, 16)])
    >>> darcy = pb.Darcy(grid, pressure={(0, "lower"): 1.0, (0, "upper"): 0.0})
    >>> wells = darcy.observe([[0.25, 0.5], [0.9, 0.1]])
    >>> wells(darcy.predict(np.zeros(256))).round(9).tolist()
    [0.75, 0.1]
    """

    def __init__(
        self,
        grid: Grid,
        *,
        pressure: Optional[dict] = None,
        inflow: Optional[dict] = None,
        sources: Sequence[Any] = (),
    ):
        sides = _sides("pressure", pressure) + _sides("inflow", inflow)
        fields = [np.asarray(source, dtype=float).reshape(-1).tolist() for source in sources]
        self._model = _pullback.darcy(grid, sides, fields)
        self._parameters, self._experiments = grid, max(len(fields), 1)

    def observe(self, points: Any) -> Observation:
        """Returns the observation of the pressures at these points, in every experiment."""
        rows = np.atleast_2d(np.asarray(points, dtype=float)).tolist()
        return _pullback.interpolation(self._parameters, rows, self._experiments)


def _sides(kind: str, given: Optional[dict]) -> list:
    try:
        return [(int(axis), str(end), kind, float(value)) for (axis, end), value in (given or {}).items()]
    except (AttributeError, TypeError, ValueError) as cause:
        raise ValueError(f"{kind}: give the value on every side, such as {{(0, 'lower'): 1.0}}") from cause


class Dynamics(Ready):
    """Ready dynamics, observed at given times from t = 0 on.

    ``start`` is the initial value. Without it, the initial value is read from the last parameters. ``method`` is
    "explicit", or "implicit" or "implicit5" for stiff rates. ``rtol`` and ``atol`` are the accuracies of a step.
    """

    _name: str

    def __init__(
        self,
        times: Any,
        start: Optional[Sequence[float]] = None,
        *,
        method: str = "explicit",
        rtol: Optional[float] = None,
        atol: Optional[Numbers] = None,
    ):
        given = None if start is None else _numbers(start)
        self._model = _pullback.evolution(self._name, given, _plan(times, method, rtol, atol))


def _plan(times: Any, method: str, rtol: Optional[float], atol: Optional[Numbers]) -> dict:
    if (rtol is None) != (atol is None):
        raise ValueError("rtol and atol must be given together")
    accuracy = None if rtol is None or atol is None else (float(rtol), _numbers(atol))
    return {"times": np.asarray(times, dtype=float).reshape(-1).tolist(), "method": method, "accuracy": accuracy}


class LotkaVolterra(Dynamics):
    """Prey x and predators y: x' = αx − βxy, y' = γxy − δy, with theta = (α, β, γ, δ).

    >>> import pullback as pb
    >>> model = pb.LotkaVolterra(range(21), start=[30.0, 4.0])
    >>> model.predict([0.55, 0.028, 0.024, 0.8]).shape
    (21, 2)
    """

    _name = "lotka_volterra"


class FitzHughNagumo(Dynamics):
    """Spikes of a nerve cell, with two components and three parameters.

    >>> import pullback as pb
    >>> pb.FitzHughNagumo(range(10), start=[-1.0, 1.0]).predict([0.2, 0.2, 3.0]).shape
    (10, 2)
    """

    _name = "fitzhugh_nagumo"


class Goodwin(Dynamics):
    """A gene that represses itself, with three components and eight parameters.

    >>> import pullback as pb
    >>> pb.Goodwin(range(10), start=[0.1, 0.2, 2.5]).predict([1.0] * 8).shape
    (10, 3)
    """

    _name = "goodwin"


class Lorenz(Dynamics):
    """Trajectory of the Lorenz equations, with theta = (σ, ρ, β).

    >>> import pullback as pb
    >>> pb.Lorenz([0.0, 0.1], start=[1.0, 1.0, 1.0]).predict([10.0, 28.0, 8.0 / 3.0]).round(2).tolist()
    [[1.0, 1.0, 1.0], [2.13, 4.47, 1.11]]
    """

    _name = "lorenz"


class Pendulum(Dynamics):
    """A pendulum in Cartesian coordinates with an algebraic equation, with theta = (gravity, length). ``start`` holds the angle and
    the angular velocity, and ``method`` must be an implicit one.

    >>> import pullback as pb
    >>> pb.Pendulum([0.0, 1.0], start=[0.5, 0.0]).param_dim
    2
    """

    _name = "pendulum"

    def __init__(self, times: Any, start: Optional[Sequence[float]] = None, *, method: str = "implicit", **accuracy: Any):
        super().__init__(times, start, method=method, **accuracy)


class Robertson(Dynamics):
    """Three reactions with three rates, stiff.

    >>> import pullback as pb
    >>> pb.Robertson([40.0], start=[1.0, 0.0, 0.0]).predict([0.04, 1e4, 3e7]).round(4).tolist()
    [[0.7158, 0.0, 0.2842]]
    """

    _name = "robertson"

    def __init__(self, times: Any, start: Optional[Sequence[float]] = None, *, method: str = "implicit", **accuracy: Any):
        super().__init__(times, start, method=method, **accuracy)


class JakStat(Dynamics):
    """Phosphorylation of STAT5, stiff, with nine parameters and six observables.

    >>> import pullback as pb
    >>> pb.JakStat([0.0, 60.0])
    <JakStat: state (2, 6), 9 parameters>
    """

    _name = "jak_stat"

    def __init__(self, times: Any, *, method: str = "implicit", **accuracy: Any):
        super().__init__(times, method=method, **accuracy)


class Epidemic(Dynamics):
    """SIR or, with ``latent=True``, SEIR epidemic in a population, with theta = (β, γ) or (β, γ, σ).

    ``infectious`` is the number of infectious people at the start, by default the last parameter. ``observe`` is
    "compartments", "prevalence" or "incidence".

    >>> import pullback as pb
    >>> pb.Epidemic([10.0, 200.0], population=1e6, infectious=10.0).predict([1.5, 1.0])[1].round(-3).tolist()
    [417000.0, 0.0, 583000.0]
    """

    def __init__(
        self,
        times: Any,
        *,
        population: float,
        infectious: Optional[float] = None,
        latent: bool = False,
        observe: str = "compartments",
        method: str = "explicit",
        rtol: Optional[float] = None,
        atol: Optional[Numbers] = None,
    ):
        plan = _plan(times, method, rtol, atol)
        self._model = _pullback.epidemic(float(population), infectious, latent, observe, plan)
