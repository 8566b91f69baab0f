"""Curvatures to look at: spectra, diagonals and blocks."""

from __future__ import annotations

from typing import Any, Mapping, Optional

import numpy as np

from . import _arguments, _pullback
from ._combinations import point
from ._search import Table

__all__ = ["Average", "Curvature", "Spectrum", "curvature"]


class Average:
    """Mean over random probes with its error, or several of them.

    Attributes
    ----------
    value, stderr
        Mean and its standard error, 0 where it is exact.
    truncation
        Error by too few steps of a Lanczos process, infinite where they do not resolve the answer.
    freedom
        Degrees of freedom of the standard error, one less than the number of probes, or 0 where it is exact.
    """

    def __init__(self, found: list, alone: bool = False):
        self._found = found
        columns = [np.array(column, dtype=float) for column in zip(*found)] or [np.zeros(0)] * 4
        self.value, self.stderr, self.truncation = (column[0] if alone else column for column in columns[:3])
        self.freedom: int = found[0][3] if found else 0

    def interval(self, level: float = 0.95) -> np.ndarray:
        """Returns the interval of Student's distribution, wider by the truncation; one row for every mean, if there are several."""
        ends = np.array(_pullback.intervals(self._found, _arguments.number("level", level)))
        return ends[0] if np.ndim(self.value) == 0 else ends

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        if np.ndim(self.value) == 0:
            return _pullback.shown(self._found[0])
        return f"<Average: {len(self._found)} values, {self.freedom + 1 if self.freedom else 'no'} probes>"


class Spectrum:
    """Spectrum of a curvature: all eigenvalues, or what random probes tell of them.

    Attributes
    ----------
    eigenvalues
        All eigenvalues in decreasing order, or None if there are only probes.
    range
        Smallest and largest eigenvalue that was found.
    products
        Number of products with the curvature that it took.
    """

    def __init__(self, compiled: Any):
        self._compiled = compiled
        self.eigenvalues: Optional[np.ndarray] = compiled.eigenvalues
        self.range: tuple = compiled.range
        self.products: int = compiled.products

    def trace(self) -> Average:
        """Returns the trace."""
        return Average([self._compiled.trace()], alone=True)

    def effective_dimension(self, alpha: float) -> Average:
        """Returns Σ λ/(λ + α), the number of directions whose curvature exceeds ``alpha``, with soft edges."""
        return Average([self._compiled.effective_dimension(_arguments.number("alpha", alpha))], alone=True)

    def density(self, points: Any, width: float) -> Average:
        """Returns the density of the eigenvalues at these points, smoothed by a normal distribution of this width."""
        return self._density(points, width, False)

    def density_of_decades(self, points: Any, width: float) -> Average:
        """Returns the density of the decimal logarithm of the positive eigenvalues, smoothed by a width in decades."""
        return self._density(points, width, True)

    def _density(self, points: Any, width: float, decades: bool) -> Average:
        where = np.atleast_1d(_arguments.array("points", points)).reshape(-1).tolist()
        return Average(self._compiled.density(where, _arguments.number("width", width), decades))

    def __repr__(self) -> str:
        return repr(self._compiled)


class Curvature:
    """Curvature of an objective at a point, made by `curvature`: a symmetric matrix on the parameters, known by its products.

    Every method computes anew what it needs, and forms no matrix unless it says so.

    >>> import numpy as np, pullback as pb
    >>> t = 0.1 * np.arange(30)
    >>> decays = lambda rates: np.exp(-np.outer(t, rates)).sum(axis=1)
    >>> found = pb.curvature(decays, np.zeros(30), [0.5, 1.0, 2.0])
    >>> print(found.extremes())
    eigenvalues from 1.1416e-2 to 1.3585e1, condition number 1.190e3 (3 Lanczos steps)
    >>> found.spectrum(dense=True).effective_dimension(1e-2 * found.extremes().largest["value"])
    1.79406
    """

    def __init__(self, problem: Any, kind: str, n_jobs: Optional[int]):
        self._place = problem.model, problem.loss, problem.settings, problem.start
        self._names, self._jobs = problem.names, n_jobs
        self.kind, self.dim = kind, problem.start.size

    def _ask(self, look: Any, *arguments: Any) -> Any:
        from ._threads import threads

        with threads(self._jobs):
            return look(self._place, self.kind, *arguments)

    def extremes(self, *, tolerance: float = 1e-6, steps: int = 200, seed: int = 0) -> Table:
        """Computes the largest and the smallest eigenvalue by at most so many steps of a Lanczos process.

        Returns a table with the entries ``largest`` and ``smallest``, each with value, error, vector, and whether it has settled to the
        relative ``tolerance``; ``condition``, the condition number, which is infinite for a matrix that is singular up to rounding and
        NaN for one with a negative eigenvalue; ``at_least``, whether it is only a lower bound; and ``steps``.
        """
        whole = _arguments.count("steps", steps), _arguments.count("seed", seed)
        return Table(self._ask(_pullback.extremes, (_arguments.number("tolerance", tolerance), *whole)))

    def spectrum(self, *, dense: bool = False, probes: int = 32, steps: int = 40, seed: int = 0) -> Spectrum:
        """Estimates the spectrum from random probes, at least 16, by ``probes`` times ``steps`` products, or computes all eigenvalues of
        the matrix if ``dense``."""
        chosen = tuple(_arguments.count(name, n) for name, n in (("probes", probes), ("steps", steps), ("seed", seed)))
        return Spectrum(self._ask(_pullback.Spectrum, None if dense else chosen))

    def diagonal(self, *, probes: Optional[int] = None, seed: int = 0) -> Average:
        """Computes the diagonal by one product per parameter, or estimates it by one per probe, at least 16."""
        chosen = None if probes is None else (_arguments.count("probes", probes), _arguments.count("seed", seed))
        return Average(self._ask(_pullback.diagonal, chosen))

    def blocks(self, groups: Mapping) -> dict:
        """Computes the diagonal blocks of groups of parameters, given by indices or by names: a matrix for every name of a group."""
        if not isinstance(groups, Mapping):
            raise TypeError(f"groups must be a dictionary from names to indices of parameters, not {type(groups).__name__}")
        chosen = [(str(name), [self._index(member) for member in members]) for name, members in groups.items()]
        return dict(zip((name for name, _ in chosen), self._ask(_pullback.blocks, chosen)))

    def _index(self, member: Any) -> int:
        """Returns the index of a parameter."""
        if not isinstance(member, str):
            return _arguments.count("the index of a parameter", member)
        if self._names is None or member not in self._names:
            raise ValueError(f"groups: no parameter {member!r}; there are {', '.join(self._names or ['no names'])}")
        return self._names.index(member)

    def product(self, v: Any) -> np.ndarray:
        """Computes the product with a vector, or with the columns of a matrix."""
        columns = _arguments.array("v", v)
        if columns.ndim not in (1, 2) or columns.shape[0] != self.dim:
            raise ValueError(f"v has the shape {columns.shape}, but must have {self.dim} rows")
        if not np.isfinite(columns).all():
            raise ValueError(f"v has an entry that is {columns[~np.isfinite(columns)][0]}, but all must be finite")
        return self._ask(_pullback.product, columns.reshape(self.dim, -1)).reshape(columns.shape)

    def matrix(self) -> np.ndarray:
        """Computes the whole matrix, by one product per parameter."""
        return self._ask(_pullback.product, None)

    def __repr__(self) -> str:
        return f"<Curvature: {self.kind}, {self.dim} parameters>"


def curvature(
    model: Any,
    data: Any,
    theta: Any,
    *,
    kind: str = "information",
    n_jobs: Optional[int] = None,
    **settings: Any,
) -> Curvature:
    """Returns the curvature of a problem at ``theta``, to look at its eigenvalues, its diagonal and its blocks.

    It refers to all parameters, also those at a bound, in the coordinates of the ``transforms``: with "log" it is the curvature over the
    logarithm of a parameter.

    Parameters
    ----------
    theta
        Parameters, or a result of `minimize`.
    kind
        "information" (ZᵀMZ, the ``metric`` pulled back by the model, without priors), "gauss_newton" (with the metric of the loss, and the
        precision of the priors), or "exact" (the second derivative of the objective, of models and losses that have it).
    settings
        As for `minimize`.

    >>> import pullback as pb
    >>> grid = pb.Grid([(-8.0, 8.0, 200)])
    >>> bump = pb.GaussianMixture(grid, [(1.0, 0.0, 1.0)], free=["mean 0"])
    >>> far = lambda kind: pb.curvature(bump, bump.predict([0.0]), [3.0], kind=kind).diagonal().value[0]
    >>> bool(far("gauss_newton") > 0.0 > far("exact"))  # far from the data the objective is concave
    True
    """
    from ._minimize import prepared

    if kind not in ("information", "gauss_newton", "exact"):
        raise ValueError(f"kind: no {kind!r}; choose information, gauss_newton or exact")
    problem = prepared(model, data, point(theta), **{"uncertainty": False, **settings})
    return Curvature(problem, kind, n_jobs)
