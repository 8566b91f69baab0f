"""Inverse problems for models given by equations g(ρ, θ) = 0, solved by natural-gradient descent.

| task | names |
|---|---|
| fit a curve, or solve least squares, as with SciPy | `curve_fit`, `least_squares` |
| fit one formula to thousands of small sets of data | `fit_many` |
| fit a model of your own | `minimize` with a function, `Formula`, `Equations`, `Explicit` or `Implicit` |
| fit a model that moves | `Dynamics`, `Experiment`, `Measurements`, `likelihood` |
| fit a model written in JAX or PyTorch | `from_jax`, `from_torch` |
| read a problem in PEtab | `from_petab` |
| fit a network, and samples, points or experiments in batches | `Network`, `Curve`, `minimize_in_batches` |
| fit a distribution that is known by samples | `PushForward`, `Diffusion` |
| use a ready model | `GaussianMixture`, `InvariantMeasure`, `Darcy`, and dynamics such as `LotkaVolterra` |
| state prior knowledge | `gaussian`, `smoothness`, `matern` |
| find several optima, and intervals by profiles | `multistart`, `profile` |
| draw a band around a fit | `band` |
| tell the uncertainty of a field | `posterior` |
| fit a simulator, with an approximate model or without | `correct`, `replicates`, `Occupations`, `delay_measure` |
| look at the curvature of a fit | `curvature`, `combinations` |
| plan an experiment | `design`, `jacobian` |
| limit the number of threads | `threads`, `set_threads` |
| use models of other programs, and lend them yours | `Remote`, `serve` |
| check derivatives | `verify` |
| take steps one by one, save and resume | `Run` |
| read a result from a file | `load_result` |

>>> import numpy as np, pullback as pb
>>> years = np.arange(21.0)
>>> model = pb.LotkaVolterra(years, start=[30.0, 4.0])
>>> seen = model.predict([0.55, 0.028, 0.024, 0.8])
>>> result = pb.minimize(model, seen, [0.5, 0.03, 0.025, 0.75], sigma=1.0, transforms="log")
>>> result.success, result.x.round(6).tolist()
(True, [0.55, 0.028, 0.024, 0.8])
"""

from typing import Any

from ._autodiff import stencil
from ._band import band
from ._batches import minimize_in_batches
from ._combinations import Combinations, combinations
from ._correct import Occupations, correct, delay_measure, replicates
from ._curvature import Curvature, curvature
from ._curve import Curve
from ._curve_fit import curve_fit
from ._dynamics import Dynamics
from ._equations import Equations, Formula
from ._experiment import Experiment
from ._design import design, jacobian
from ._jax import from_jax
from ._files import load_result
from ._fit_many import fit_many
from ._least_squares import least_squares
from ._likelihood import Measurements, likelihood
from ._minimize import minimize, solve
from ._model import Explicit, Implicit, Products, verify
from ._network import Network
from ._operations import interp, maximum, minimum, where
from ._posterior import Posterior, posterior
from ._petab import from_petab
from ._prior import Prior, gaussian, matern, smoothness
from ._pullback import Grid, ModelError, Observation, Replicates, __version__
from ._samples import Diffusion, PushForward
from ._search import multistart, profile
from ._threads import set_threads, threads
from ._torch import from_torch
from ._umbridge import Remote, serve
from ._run import Run
from .models import (
    Darcy,
    Epidemic,
    FitzHughNagumo,
    GaussianMixture,
    Goodwin,
    InvariantMeasure,
    JakStat,
    Lorenz,
    LotkaVolterra,
    Pendulum,
    Robertson,
)

__all__ = [
    "Combinations",
    "Curvature",
    "Curve",
    "Darcy",
    "Diffusion",
    "Dynamics",
    "Epidemic",
    "Equations",
    "Experiment",
    "Explicit",
    "FitzHughNagumo",
    "Formula",
    "GaussianMixture",
    "Goodwin",
    "Grid",
    "Implicit",
    "InvariantMeasure",
    "JakStat",
    "Lorenz",
    "LotkaVolterra",
    "Measurements",
    "ModelError",
    "Network",
    "Observation",
    "Occupations",
    "Pendulum",
    "Posterior",
    "Prior",
    "Products",
    "PushForward",
    "Remote",
    "Replicates",
    "Robertson",
    "Run",
    "__version__",
    "band",
    "combinations",
    "correct",
    "curvature",
    "curve_fit",
    "delay_measure",
    "design",
    "fit_many",
    "from_jax",
    "from_petab",
    "from_torch",
    "gaussian",
    "interp",
    "jacobian",
    "least_squares",
    "likelihood",
    "load_result",
    "matern",
    "maximum",
    "minimize",
    "minimize_in_batches",
    "minimum",
    "multistart",
    "posterior",
    "profile",
    "replicates",
    "serve",
    "set_threads",
    "smoothness",
    "solve",
    "stencil",
    "threads",
    "verify",
    "where",
]


def __getattr__(name: str) -> Any:
    if name != "Result":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _result

    return _result.Result
