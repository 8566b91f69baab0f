"""Models of distributions by clouds of points: maps of random draws, and stochastic differential equations."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Mapping, Optional

import numpy as np

from . import _arguments, _pullback, _trace
from ._dynamics import Names, Tracer, _names, _start
from .models import Ready

__all__ = ["Diffusion", "PushForward"]


class PushForward(Ready):
    """Distribution of x = f(z, theta), with random draws z: a cloud with one point for every draw.

    You write ``f`` with NumPy, for one draw. It is called once, with arguments that note the operations, so that no Python runs during a
    fit; see `Dynamics` for what it may do. The draws are seeded and stay what they are while theta changes, so that the points are a
    smooth function of theta. The state has the shape points × coordinates.

    Losses between clouds compare it with data: "sliced_transport", "energy_distance", ("gaussian_discrepancy", width) and
    ("multiquadric_discrepancy", width) in `minimize`. No datum belongs to a point, and numbers may differ.

    Parameters
    ----------
    f
        ``f(z, theta)`` returns the coordinates of a point.
    draws
        Number of draws, or the draws themselves in rows, such as those of another distribution.
    parameters
        Number or names of the parameters theta.
    latent
        Length of a draw z of normal numbers.
    seed, antithetic, whitened
        Seed of the draws; whether they come in pairs z and −z, which removes the sampling error of all that is odd in z; and whether they
        have exactly the mean 0 and the covariance I, which removes that of all that is linear or quadratic in z.

    >>> import numpy as np, pullback as pb
    >>> normal = pb.PushForward(lambda z, theta: theta[0] + np.exp(theta[1]) * z[0], 500, latent=1, parameters=["mean", "log deviation"])
    >>> data = np.random.default_rng(0).normal(3.0, 0.5, 300)
    >>> found = pb.minimize(normal, data, [0.0, 0.0], loss="sliced_transport")
    >>> bool(abs(found.x[0] - data.mean()) < 1e-3 and abs(np.exp(found.x[1]) - 0.5) < 0.05)
    True
    """

    unpaired = True

    def __init__(
        self,
        f: Callable,
        draws: Any = 1000,
        *,
        parameters: Names,
        latent: Optional[int] = None,
        seed: int = 1,
        antithetic: bool = False,
        whitened: bool = True,
    ):
        self.parameters = _names("parameters", parameters, "p")
        given = None if np.ndim(draws) == 0 else _rows(draws)
        if given is not None and (antithetic or not whitened):
            raise ValueError("antithetic and whitened have no effect on draws that are given")
        if given is None and latent is None:
            raise ValueError("latent: give the length of a draw z, or the draws themselves in rows")
        length = _arguments.count("latent", latent) if given is None else given.shape[1]
        if latent not in (None, length):
            raise ValueError(f"latent is {latent}, but the draws that are given have {length} numbers each")
        graph = _trace.Graph()
        z, theta = _trace.vector(graph, "state", length), _trace.vector(graph, "parameter", len(self.parameters))
        called = _trace.called("f", _bound("f", f, ("z", "theta")), z, theta)
        point, _ = _trace.flattened("f", called)
        drawing = _drawing(len(given) if given is not None else draws, seed, antithetic, whitened)
        drawing["given"] = None if given is None else given.reshape(-1).tolist()
        self._model = _pullback.push_forward((length, len(self.parameters)), graph.program(point), drawing)


class Diffusion(Ready):
    """Ensemble of paths of dx = drift(t, x, p) dt + noise(t, x, p) dW in the sense of Itô, seen at given times.

    You write the functions with NumPy, for one path. They are called once, as those of `Dynamics` are. Every path has random numbers that
    stay what they are while p changes. The state has the shape times × paths × components: a cloud of points at every time, for the
    losses between clouds (see `PushForward`). Their data are one cloud for every time, of as many points as there are.

    Parameters
    ----------
    drift
        ``drift(t, x, p)`` returns one rate for every component.
    noise
        ``noise(t, x, p)`` returns one number for every component, each with a noise of its own, or a matrix with a row for every component
        and a column for every noise.
    times
        Increasing times of observation from t = 0 on.
    start
        Initial value: numbers, in which the name of a parameter stands for this parameter, or a function ``start(p)``. With
        ``random``, a function ``start(z, p)`` of so many normal numbers z. An array with two axes holds the start of every path in a row,
        such as points that were seen at t = 0.
    parameters, states
        Numbers or names of the parameters p and of the components of x. The latter may be left out if `start` is given.
    step
        Largest length of a step. The error in distribution is proportional to it: halve it to see its effect.
    paths, seed
        Number of paths (1000 unless their starts are given), and the seed of their random numbers.
    random
        Number of normal numbers of a random start.
    scheme
        "euler_maruyama", or "milstein" for paths of order 1 with noises that commute: one, or one for each component that depends on this
        component alone.
    antithetic, whitened
        As in `PushForward`.

    >>> import numpy as np, pullback as pb
    >>> relaxation = pb.Diffusion(
    ...     lambda t, x, p: [-p[0] * x[0]], lambda t, x, p: [p[1]], [1.0, 2.0], start=[1.0], parameters=["rate", "noise"], step=0.05
    ... )
    >>> relaxation.shape
    (2, 1000, 1)
    >>> clouds = relaxation.predict([0.7, 0.3])
    >>> clouds.mean(axis=(1, 2)).round(2).tolist(), clouds.std(axis=(1, 2)).round(2).tolist()
    ([0.49, 0.24], [0.22, 0.25])
    """

    unpaired = True

    def __init__(
        self,
        drift: Callable,
        noise: Callable,
        times: Any,
        *,
        parameters: Names,
        step: float,
        start: Any = None,
        states: Optional[Names] = None,
        paths: Optional[int] = None,
        seed: int = 1,
        random: int = 0,
        scheme: str = "euler_maruyama",
        antithetic: bool = False,
        whitened: bool = True,
    ):
        self.parameters = _names("parameters", parameters, "p")
        components = None if states is None else _names("states", states, "x")
        if components is None and isinstance(start, Mapping):
            components = _names("start", list(start), "x")
        points = None if start is None or callable(start) or np.ndim(start) != 2 else _arguments.array("start", start)
        normals = _arguments.count("random", random)
        if points is not None:
            _without(points, {"paths": paths, "random": random or None, "antithetic": antithetic or None})
            start, normals, paths = (lambda z, p: z), points.shape[1], len(points)
        initial = _initial(start, self.parameters, components, normals)
        self.states = components or _names("states", len(initial[2]), "x")
        d = len(self.states)
        tracer = Tracer(d, len(self.parameters))
        columns = _columns(tracer, noise)
        equation = {
            "dims": (d, len(columns[2]) // d, len(self.parameters)),
            "random": normals,
            "start": initial,
            "drift": tracer.program("drift", drift, d),
            "noise": columns,
        }
        moments = _arguments.array("times", times).reshape(-1).tolist()
        observed = moments, _arguments.number("step", step), str(scheme)
        drawing = _drawing(1000 if paths is None else paths, seed, antithetic, whitened)
        drawing["given"] = None if points is None else points.reshape(-1).tolist()
        self._model = _pullback.diffusion(equation, observed, drawing)


def _without(points: np.ndarray, given: dict) -> None:
    """Checks that options that have no effect on starts that are given are not given."""
    for name, option in given.items():
        if option is not None and not (name == "paths" and option == len(points)):
            raise ValueError(f"{name} has no effect, since start holds the starts of {len(points)} paths")


def _rows(draws: Any) -> np.ndarray:
    """Returns draws that are given, one in every row."""
    found = _arguments.array("draws", draws)
    if found.ndim > 2:
        raise ValueError(f"draws has {found.ndim} axes, but must have one row for every draw")
    return found[:, None] if found.ndim == 1 else found


def _drawing(count: Any, seed: int, antithetic: bool, whitened: bool) -> dict:
    """Returns how draws are made."""
    if antithetic and not whitened:
        raise ValueError("antithetic draws are always whitened: leave one of antithetic=True and whitened=False out")
    return {
        "count": _arguments.count("draws", count),
        "seed": _arguments.count("seed", seed),
        "antithetic": bool(antithetic),
        "whitened": bool(whitened),
        "given": None,
    }


def _bound(name: str, function: Any, arguments: tuple) -> Callable:
    """Returns a function that takes these arguments, or an error that names them."""
    _arguments.function(name, function)
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as cause:
        raise TypeError(f"{name} must be a function {name}({', '.join(arguments)}): {cause}") from cause
    except ValueError:  # A function without a signature.
        pass
    return function


def _initial(start: Any, entries: list, components: Optional[list], normals: int) -> tuple:
    """Returns the program of the initial value, a function of normal numbers and of the parameters."""
    graph = _trace.Graph()
    p = _trace.vector(graph, "parameter", len(entries))
    if normals:
        z = _trace.vector(graph, "state", normals)
        found = _trace.called("start", _bound("start", start, ("z", "p")), z, p)
    else:
        function, _ = _start(start, entries, components)
        found = _trace.called("start", _bound("start", function, ("p",)), p)
    values, _ = _trace.flattened("start", found)
    if components is not None and len(values) != len(components):
        raise ValueError(f"start returned {len(values)} values, but {len(components)} are needed")
    return graph.program(values)


def _columns(tracer: Tracer, noise: Callable) -> tuple:
    """Returns the program of the matrix of noises, one column after the other."""
    graph, d = _trace.Graph(), tracer.dims[0]
    values, shape = _trace.flattened("noise", tracer.values("noise", noise, graph))
    if len(shape) < 2 and len(values) == d:
        matrix = np.full((d, d), 0.0, dtype=object)
        matrix[np.arange(d), np.arange(d)] = values
    elif len(shape) == 2 and shape[0] == d and shape[1] > 0:
        matrix = np.array(values, dtype=object).reshape(shape)
    else:
        raise ValueError(
            f"noise returned values of the shape {shape}, but must return one number for each of {d} components, or a matrix with a row for "
            "each and a column for every noise"
        )
    return graph.program(matrix.T.reshape(-1).tolist())
