"""Gaussian posteriors of many parameters."""

from __future__ import annotations

import warnings
from typing import Any, Optional

import numpy as np

from . import _arguments, _pullback

__all__ = ["Posterior", "posterior"]

DEFAULTS = {"rank": 50, "oversampling": 10, "seed": 0, "exact": False, "samples": 0}


class Posterior:
    """Gaussian approximation of a posterior: the prior with a low-rank update from the data.

    Attributes
    ----------
    mean, std, prior_std
        Mean, and standard deviations of every parameter with and without the data.
    eigenvalues, eigenvectors
        Information of the data along directions (columns), relative to that of the prior.
    samples
        One sample in every row, as many as were asked for.
    information_gain, left_out
        Decrease of entropy by the data in nats, and an estimate of what neglected eigenvalues would add.
    divergence
        Kullback-Leibler divergence of the posterior from the prior.
    message
        The same in words, with warnings where the rank is too small.

    >>> import pullback as pb
    >>> prior = pb.gaussian([0.0, 0.0], 1.0)
    >>> found = pb.minimize(lambda theta: theta, [1.0, 2.0], [0.0, 0.0], sigma=1.0, prior=prior, posterior=True).posterior
    >>> found.intervals(0.95).round(2).tolist()
    [[-0.89, 1.89], [-0.39, 2.39]]
    """

    def __init__(self, mean: np.ndarray, found: dict):
        self.mean = mean
        self.std: np.ndarray = found["std"]
        self.prior_std: np.ndarray = found["prior_std"]
        self.eigenvalues: np.ndarray = found["eigenvalues"]
        self.eigenvectors: np.ndarray = found["eigenvectors"]
        self.samples: np.ndarray = found["samples"]
        self.information_gain: float = found["information_gain"]
        self.left_out: float = found["left_out"]
        self.divergence: float = found["divergence"]
        self.solves: int = found["solves"]
        self.message: str = found["message"]

    @property
    def rank(self) -> int:
        """Number of eigenpairs."""
        return self.eigenvalues.size

    def intervals(self, level: float = 0.95) -> np.ndarray:
        """Returns the interval of every parameter, one row each."""
        if not 0.0 < level < 1.0:
            raise ValueError(f"level is {level}, but must be between 0 and 1")
        # The module takes longer to import than all others of the package.
        from statistics import NormalDist

        half = NormalDist().inv_cdf(0.5 + 0.5 * level) * self.std
        return np.stack([self.mean - half, self.mean + half], axis=1)

    def __repr__(self) -> str:
        return f"<Posterior of {self.mean.size} parameters: {self.message}>"


def options(given: Any, priors: list) -> Optional[dict]:
    """Returns the options of a posterior from None, True, a rank or a dictionary."""
    if given is None or given is False:
        return None
    if not priors:
        raise ValueError("posterior needs a prior; without one, see `cov` of the result")
    if given is True:
        given = {}
    elif not isinstance(given, dict):
        given = {"rank": given}
    for name in given:
        if name not in DEFAULTS:
            raise ValueError(f"posterior: no option {name!r}; choose {', '.join(DEFAULTS)}")
    found = {**DEFAULTS, **given}
    whole = {name: _arguments.count(name, found[name]) for name in ("rank", "oversampling", "seed", "samples")}
    return {**found, **whole, "exact": bool(found["exact"])}


def checked(loss: Any, priors: list, asked: bool) -> Optional[str]:
    """Returns why there can be no errors, if this is so: an error if they are asked for, and otherwise a warning if there is a prior."""
    reason = loss.no_errors(bool(priors))
    if reason and asked:
        raise ValueError(f"errors: {reason}")
    if reason and loss.no_errors(False) is None:
        # The optimum itself depends on the weight of the prior.
        warnings.warn(f"{reason}; sigma=1 is taken", stacklevel=4)
    return reason


def computed(problem: Any, theta: np.ndarray, chosen: dict) -> Posterior:
    """Computes the posterior of a prepared problem."""
    found = _pullback.posterior(problem.model, (problem.loss, problem.settings), theta, chosen)
    return Posterior(theta, found)


def posterior(
    model: Any,
    data: Any,
    theta: Any,
    *,
    rank: int = 50,
    oversampling: int = 10,
    seed: int = 0,
    exact: bool = False,
    samples: int = 0,
    n_jobs: Optional[int] = None,
    **settings: Any,
) -> Posterior:
    """Computes the Gaussian posterior at ``theta``, as a rule a minimum found by `minimize`.

    ``settings`` are those of `minimize`, and must include a ``prior``. The covariance is (G + C)⁻¹, with the precision C of the
    prior and the curvature G of the loss, of which the ``rank`` largest eigenvalues relative to C are computed. ``exact`` takes
    second derivatives of the model instead of the Gauss-Newton approximation. Bounds and transforms are ignored.

    >>> import numpy as np, pullback as pb
    >>> grid = pb.Grid([(0.0, 1.0, 32)])
    >>> model = pb.Explicit(lambda theta: theta[[4, 20]], jac=lambda theta: np.eye(32)[[4, 20]])
    >>> found = pb.posterior(model, [1.0, -1.0], np.zeros(32), sigma=0.1, prior=pb.matern(grid, 1.0, 0.2), samples=3)
    >>> found.rank, found.samples.shape, bool(found.std[4] < 0.1 < found.std[12])
    (2, (3, 32), True)
    """
    from ._minimize import prepared
    from ._threads import threads

    problem = prepared(model, data, theta, asked=True, **{"uncertainty": False, **settings})
    given = {"rank": rank, "oversampling": oversampling, "seed": seed, "exact": exact, "samples": samples}
    with threads(n_jobs):
        return computed(problem, problem.start, options(given, problem.settings["priors"]) or {})
