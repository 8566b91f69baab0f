"""Simulators: corrections of approximate models by them, and fits and noise without a model."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence, Union

import numpy as np

from . import _arguments, _pullback, _result
from ._model import as_model
from ._pullback import Grid
from ._threads import threads

__all__ = ["Occupations", "correct", "delay_measure", "replicates"]


def correct(
    model: Any,
    simulate: Callable,
    data: Any,
    starts: Any,
    *,
    metric: Any = None,
    sigma: Any = None,
    grid: Optional[Grid] = None,
    displacement: Optional[float] = None,
    memory: Optional[int] = None,
    direction: Any = "least_squares",
    bounds: Any = None,
    cap: float = 0.3,
    scale: Any = None,
    xtol: float = 1e-8,
    maxiter: int = 60,
    average: int = 12,
    restarts: int = 20,
    scatter: float = 0.4,
    seed: int = 1,
    n_jobs: Optional[int] = None,
) -> Any:
    """Fits a simulator to data, with the derivatives of an approximate model, or without a model.

    A fit of the model inherits its errors. Here the residual is that of the simulator, and the model supplies the derivatives
    only: its errors change how fast the iteration converges, but not where.

    Parameters
    ----------
    model
        A model of the data that is roughly right, or None. Without a model, derivatives are those of a smoothing spline through the
        simulations of the run. Simulations without noise are interpolated, and those with noise averaged.
    simulate
        ``simulate(theta, seed)`` returns data, equal ones for equal seeds, or a text with the reason why these parameters cannot be
        simulated. It may be random, and needs no derivatives. Seeds are whole numbers from 0 to 2³¹ − 1, which every generator of
        random numbers takes, and differ from simulation to simulation. A simulator that ignores them is recognised by a repeated
        simulation, and nothing is averaged then.
    data
        Data without gaps: a NaN is an error. Leave missing values out, here and in what ``simulate`` returns.
    starts
        A start, or several in rows, which are tried one after the other: as a rule a fit of the model.
    metric
        As in `minimize`, by default "l2". Its covector is that of the distance from the data.
    sigma
        Noise of the data in place of a metric: a standard deviation, one per datum, or a covariance matrix, such as that of
        `replicates`.
    grid
        Grid of the data for metrics of densities, if there is no model that has one.
    displacement, memory
        Without a model: displacement of a parameter in the first simulations, relative to its size (0.1), as large as the simulator is
        smooth, since the effect of noise falls in proportion; and the largest number of simulations that are remembered (100).
    cap, scale
        Largest change of a parameter in a step, relative to its size; and typical sizes of the parameters.
    xtol, maxiter
        Relative step at which the iteration has converged, and the largest number of steps.
    average
        Number of iterates to average where they only fluctuate with the simulator.
    restarts, scatter, seed
        Number of random starts if those given are rejected, how far they are from the first, and the seed.

    Returns
    -------
    OptimizeResult
        x, success, message, nit, nfev (simulations), averaged, history (the iterates in rows), rejected_starts, report, and

        - distance: that of the simulator from the data in the metric, of the mean of the averaged simulations or of the last one. With
          ``sigma`` it is in standard deviations, about √k for k data that are met.
        - noise_distance: the distance that noise alone would give if the data were as random as the simulator, or None.
        - stderr: standard errors of x **for data as random as the simulator**, from the fluctuation of averaged iterates, otherwise
          None. Data with less noise than the simulator have smaller errors, and exact data those of averaging_stderr.
        - averaging_stderr: standard errors for the data as they are: how far x is from the fit by the exact mean of the simulator.
        - data_stderr: with ``sigma`` and without a model, standard errors for data of this noise by the derivatives of the regression,
          with or without averaging. They do not contain averaging_stderr.
        - undetermined, null_space: parameters that have no effect on the simulations or none that exceeds their noise, with infinite
          standard errors, and the combinations of these, in columns. Without a model.
        - held: parameters held by their bounds, with standard errors of 0.
        - remarks: what else there is to know, such as data that the simulator does not meet.

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 3.0, 30)
    >>> truth = lambda theta, seed: theta[0] * np.exp(-theta[1] * t) + 0.1 * theta[0] * np.sin(t)
    >>> rough = lambda theta: theta[0] * np.exp(-theta[1] * t)
    >>> pb.correct(rough, truth, truth([2.0, 0.7], 0), [1.0, 1.0]).x.round(6).tolist()
    [2.0, 0.7]

    Without a model it takes a few more simulations:

    >>> alone = pb.correct(None, truth, truth([2.0, 0.7], 0), [1.0, 1.0])
    >>> alone.x.round(6).tolist(), alone.nfev < 20
    ([2.0, 0.7], True)
    """
    points = np.atleast_2d(_arguments.array("starts", starts))
    first = _arguments.parameters("starts", points[0] if points.size else points)
    values = _whole(_arguments.array("data", data))
    inner = None if model is None else as_model(model, first)
    if inner is not None and values.size != inner.state_dim:
        raise ValueError(f"data has {values.size} entries, but there are {inner.state_dim} values of the model")
    weighing = _weighing(inner, values, {"metric": metric, "sigma": sigma, "grid": grid})
    box = _arguments.intervals(bounds, first.size)
    given = {
        **weighing,
        "regression": _regression(inner, displacement, memory),
        "direction": _arguments.word("direction", direction) or _arguments.Word("least_squares"),
        "bounds": box and tuple(end.tolist() for end in box),
        "cap": _arguments.number("cap", cap),
        "scale": [] if scale is None else np.broadcast_to(_arguments.array("scale", scale), first.shape).tolist(),
        "tolerance": _arguments.number("xtol", xtol),
        "iterations": _arguments.count("maxiter", maxiter),
        "average": _arguments.count("average", average),
        "restarts": _arguments.count("restarts", restarts),
        "scatter": _arguments.number("scatter", scatter),
        "seed": _arguments.count("seed", seed),
    }
    function = _simulator(simulate)
    with threads(n_jobs):
        found = _pullback.correct(inner, function, values.reshape(-1), points.tolist(), given)
    if sigma is None:
        found["data_stderr"] = None
    return _result.plain()(found)


def _whole(data: np.ndarray) -> np.ndarray:
    """Returns data without gaps."""
    missing = np.flatnonzero(np.isnan(data))
    if missing.size:
        raise ValueError(
            f"data is nan at index {missing[0]}, but a simulator is fitted to whole data: leave missing values out of data and out of "
            "what simulate returns"
        )
    return data


def _weighing(model: Any, data: np.ndarray, given: dict) -> dict:
    """Returns the metric, the noise and the grid of a correction."""
    metric, sigma, grid = given["metric"], given["sigma"], given["grid"]
    if metric is not None and sigma is not None:
        raise ValueError("metric has no effect beside sigma, which is the metric of data of this noise: give one of them")
    if grid is not None and model is not None:
        raise ValueError("grid has no effect with a model, which has its own: leave it out")
    if grid is not None and not isinstance(grid, Grid):
        raise TypeError(f"grid must be a Grid, not {type(grid).__name__}")
    if grid is not None and grid.cells != data.size:
        raise ValueError(f"data has {data.size} entries, but the grid has {grid.cells} cells")
    word = _arguments.word("metric", metric) or _arguments.Word("l2")
    return {"metric": word, "sigma": _arguments.noise(sigma, data), "grid": grid}


def _regression(model: Any, displacement: Optional[float], memory: Optional[int]) -> tuple:
    """Returns the displacement and the memory of the regression that takes the place of a model."""
    for name, option in {"displacement": displacement, "memory": memory}.items():
        if option is not None and model is not None:
            raise ValueError(
                f"{name} has no effect with a model, whose derivatives are taken: leave it out, or give None for the model"
            )
    return (
        _arguments.number("displacement", 0.1 if displacement is None else displacement),
        _arguments.count("memory", 100 if memory is None else memory),
    )


def replicates(simulate: Callable, theta: Any, runs: int, *, seed: int = 1) -> Any:
    """Repeats a simulation, and returns the mean and the covariance of its noise.

    The data of a simulator may hang together such that some of their combinations vary far less than they do. The covariance then
    decides: fit once without it, simulate several times per datum at the result, and fit again with its noise as ``sigma``.

    Parameters
    ----------
    simulate
        ``simulate(theta, seed)``, as in `correct`. A text in place of data is an error.
    theta
        Parameters of all simulations.
    runs
        Number of simulations, better several times that of the data.
    seed
        Number from which the seeds of the simulations are derived.

    Returns
    -------
    Replicates
        With `mean`, `covariance`, and ``sigma(shrinkage=0.01)``, the noise as a covariance that is regular.

    >>> import numpy as np, pullback as pb
    >>> def readings(theta, seed):
    ...     common, *single = np.random.default_rng(seed).standard_normal(3)
    ...     return np.array([1.0, 2.0]) * theta[0] + 0.1 * common + 0.001 * np.array(single)
    >>> noise = pb.replicates(readings, [1.2], 400).sigma(1e-4)
    >>> found = pb.correct(None, readings, readings([1.0], 7), [1.2], sigma=noise)
    >>> bool(abs(found.x[0] - 1.0) < 0.01)  # with independent errors of 0.1 it would be about 0.05
    True
    """
    theta = _arguments.parameters("theta", theta)
    counts = _arguments.count("runs", runs), _arguments.count("seed", seed)
    return _pullback.repeated(_simulator(simulate), theta, *counts)


def _simulator(simulate: Any) -> Any:
    """Returns a simulator for the compiled part."""
    return simulate._simulator if isinstance(simulate, Occupations) else _arguments.function("simulate", simulate)


class Occupations:
    """Simulator of the fraction of time that a trajectory of a flow spends in every cell of a grid: ``simulate(theta, seed)`` for `correct`.

    It simulates without Python. `correct` also rejects simulations that are far less chaotic than the data.

    Parameters
    ----------
    grid
        Grid of the coordinates, or of delay coordinates.
    flow
        "lorenz", "rossler", "chen" or "van_der_pol".
    duration, interval, burn_in
        Time of a trajectory, between its samples, and before the first sample.
    lag, coordinate
        Delay in sampling intervals, and the coordinate that is seen, for the measure in delay coordinates (see `delay_measure`), which is
        symmetrised if the flow has the symmetry.
    start, noise, tolerance
        Initial point, which the seed perturbs; standard deviation of the noise of every sample; and tolerance of a step.

    >>> import pullback as pb
    >>> grid = pb.Grid([(-25.0, 25.0, 8), (-35.0, 35.0, 8), (0.0, 60.0, 8)])
    >>> lorenz = pb.Occupations(grid, "lorenz", duration=200.0)
    >>> seen = lorenz([10.0, 28.0, 8.0 / 3.0], seed=7)
    >>> seen.shape, round(float(seen.sum() * grid.volume), 9)
    ((8, 8, 8), 1.0)
    >>> model = pb.InvariantMeasure(grid, "lorenz")
    >>> found = pb.correct(model, lorenz, seen, [9.0, 26.0, 2.5], metric=("fisher_rao", 1e-11))
    >>> bool(found.success and abs(found.x[1] / 28.0 - 1.0) < 0.02)
    True
    """

    def __init__(
        self,
        grid: Grid,
        flow: str,
        *,
        duration: float = 2000.0,
        interval: float = 0.005,
        burn_in: float = 50.0,
        lag: Optional[int] = None,
        coordinate: int = 0,
        start: Optional[Sequence[float]] = None,
        noise: float = 0.0,
        tolerance: float = 1e-8,
    ):
        if not isinstance(grid, Grid):
            raise TypeError(f"grid must be a Grid, not {type(grid).__name__}")
        given = {
            "duration": _arguments.number("duration", duration),
            "interval": _arguments.number("interval", interval),
            "burn_in": _arguments.number("burn_in", burn_in),
            "start": None if start is None else _point(start),
            "noise": _arguments.number("noise", noise),
            "tolerance": _arguments.number("tolerance", tolerance),
            "delay": None if lag is None else (_arguments.count("coordinate", coordinate), _arguments.count("lag", lag)),
        }
        self.grid, self.flow = grid, str(flow)
        self._simulator = _pullback.Trajectories(grid, self.flow, given)

    def __call__(self, theta: Any, seed: int) -> Union[np.ndarray, str]:
        """Returns the density of a simulation, or the reason why these parameters cannot be simulated."""
        return self._simulator.simulate(_arguments.parameters("theta", theta), _arguments.count("seed", seed))

    def __repr__(self) -> str:
        return f"<Occupations of {self.flow} on {self.grid.shape} cells>"


def _point(start: Any) -> list:
    """Returns an initial point with three entries."""
    found = _arguments.parameters("start", start).tolist()
    if len(found) not in (2, 3):
        raise ValueError(f"start has {len(found)} entries, but must have two or three")
    return (found + [0.0])[:3]


def delay_measure(series: Any, grid: Grid, lag: int, *, symmetric: bool = False) -> np.ndarray:
    """Returns the fraction of time that a series x spends in every cell of a grid in delay coordinates, as a density of mass 1.

    The coordinates are (x(t), x(t − τ)) or (x(t), x(t − τ), x(t − 2τ)), as many as the grid has axes, with the delay ``lag`` in intervals
    of the series. One coordinate of a chaotic system tells of the others by its past, so that this measure determines its parameters
    about as well as that of all coordinates.

    Parameters
    ----------
    series
        Values of one coordinate at equal intervals.
    symmetric
        Whether −x is as likely as x, as for x and y of the Lorenz equations. The measure is then averaged over both.

    >>> import numpy as np, pullback as pb
    >>> t = 0.01 * np.arange(100_000)
    >>> circle = pb.delay_measure(np.sin(t), pb.Grid([(-1.5, 1.5, 3), (-1.5, 1.5, 3)]), 157)
    >>> circle.round(2).tolist()  # (sin t, −cos t): no time in the middle
    [[0.08, 0.17, 0.08], [0.17, 0.0, 0.17], [0.08, 0.17, 0.08]]
    """
    values = _arguments.array("series", series)
    if values.ndim != 1:
        raise ValueError(f"series has {values.ndim} axes, but must have one: give one coordinate of the trajectory")
    if not isinstance(grid, Grid):
        raise TypeError(f"grid must be a Grid, not {type(grid).__name__}")
    return _pullback.delay_measure(values, grid, _arguments.count("lag", lag), bool(symmetric))[0]
