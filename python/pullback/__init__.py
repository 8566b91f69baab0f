"""Inverse problems for models given by equations g(ρ, θ) = 0, solved by natural-gradient descent.

| task | names |
|---|---|
| fit a curve, or solve least squares, as with SciPy | `curve_fit`, `least_squares` |
| fit a model of your own | `minimize` with a function, `Explicit` or `Implicit` |
| use a ready model | `GaussianMixture`, `InvariantMeasure`, `Darcy`, and dynamics such as `LotkaVolterra` |
| state prior knowledge | `gaussian`, `smoothness`, `matern` |
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

from ._curve_fit import curve_fit
from ._files import load_result
from ._least_squares import least_squares
from ._minimize import minimize, solve
from ._model import Explicit, Implicit, Products, verify
from ._pullback import Grid, ModelError, Observation, Prior, __version__, gaussian, matern, smoothness
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
    "Darcy",
    "Epidemic",
    "Explicit",
    "FitzHughNagumo",
    "GaussianMixture",
    "Goodwin",
    "Grid",
    "Implicit",
    "InvariantMeasure",
    "JakStat",
    "Lorenz",
    "LotkaVolterra",
    "ModelError",
    "Observation",
    "Pendulum",
    "Prior",
    "Products",
    "Robertson",
    "Run",
    "__version__",
    "curve_fit",
    "gaussian",
    "least_squares",
    "load_result",
    "matern",
    "minimize",
    "smoothness",
    "solve",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name != "Result":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _result

    return _result.Result
