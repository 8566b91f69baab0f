"""Priors on the parameters."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

from . import _pullback
from ._pullback import Grid
from .models import kept

__all__ = ["Prior", "gaussian", "matern", "smoothness"]


class Prior:
    """Prior on the parameters, made by `gaussian`, `smoothness` or `matern`.

    >>> import pullback as pb
    >>> isinstance(pb.gaussian([0.0, 1.0], 2.0), pb.Prior)
    True
    """

    def __init__(self, maker: Callable, *arguments: Any):
        self._made = maker, kept(arguments)
        self.compiled = getattr(_pullback, maker.__name__)(*arguments)

    def __repr__(self) -> str:
        return repr(self.compiled)

    def __reduce__(self) -> tuple:
        return self._made


def gaussian(mean: Any, sigma: Any) -> Prior:
    """Normal prior with this mean. ``sigma`` is a standard deviation, one per parameter, or a covariance matrix.

    >>> import pullback as pb
    >>> prior = pb.gaussian([1.0, 0.0], 0.5)
    """
    return Prior(gaussian, mean, sigma)


def smoothness(grid: Grid, weight: float, range: Optional[float] = None) -> Prior:
    """Penalty on the gradient of a field on a grid, ½ weight² ∫|∇θ|² + θ²/range² dx. Without a range the second term is absent.

    >>> import pullback as pb
    >>> pb.smoothness(pb.Grid([(0.0, 1.0, 32)]), 0.5)
    <smoothness prior of 32 cells, weight 0.5>
    """
    return Prior(smoothness, grid, weight, range)


def matern(grid: Grid, sigma: float, range: float, mean: Optional[Sequence[float]] = None) -> Prior:
    """Gaussian random field on a grid with this standard deviation and range of correlations.

    The deviation holds away from the boundary, through which there is no flux. Within about a range of it the deviation grows: up
    to √2 sigma on a side, 2 sigma in a corner of a square, and 2.8 sigma in a corner of a cube (a little less in the cells there).

    >>> import pullback as pb
    >>> pb.matern(pb.Grid([(0.0, 1.0, 32)]), sigma=1.0, range=0.2)
    <matern prior of 32 cells, sigma 1, range 0.2>
    """
    return Prior(matern, grid, sigma, range, mean)
