"""Jacobians of functions written with NumPy, without derivatives from the user.

A complex step gives derivatives to rounding: for an analytic f, Im f(x + ih)/h = f'(x) + O(h²), and nothing cancels,
so that h may be as small as 1e-20 (Squire and Trapp 1998). Functions that are not analytic, such as ``abs``, or that
do not take complex numbers, are differentiated by central differences. `Derivative` finds out which by a comparison
with differences.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Callable, Optional

import numpy as np

#: Step of the imaginary part, relative to the parameter.
TINY = 1e-20
#: Step of central differences, relative to the parameter: the cube root of the rounding error balances both errors.
STEP = 6e-6
#: Relative error of a directional derivative that differences cannot explain.
WRONG = 1e-6
#: Largest number of entries of a batch of evaluations.
LARGEST = 1 << 14

Function = Callable[[Any], np.ndarray]


class NotAnalytic(Exception):
    """A complex evaluation failed or does not have the values of the real one."""


def sizes(theta: np.ndarray) -> np.ndarray:
    """Returns the sizes of the parameters, 1 for those that are zero."""
    return np.where(theta == 0.0, 1.0, np.abs(theta))


def norm(x: np.ndarray) -> float:
    """Returns the Euclidean norm of a vector."""
    return math.sqrt(x @ x) if x.size else 0.0


class Derivative:
    """Jacobian of a function of a vector.

    ``function`` maps a vector to a vector of values, an array of its own. ``batch``, if given, maps an array with a
    vector in every row to an array with the values in every row. ``mode`` is "batch", "complex" or "differences".
    """

    def __init__(self, function: Function, batch: Optional[Function] = None, mode: Optional[str] = None):
        self.function = function
        self.batch: Any = batch
        self.mode = mode or ("batch" if batch is not None else "complex")
        self.chosen = mode is not None
        self.checked = self.chosen
        self.bounds: Optional[tuple] = None
        self.evaluations = 0
        self.groups: Any = None
        self.sparsity: Any = None

    def jacobian(self, theta: np.ndarray, value: np.ndarray) -> Any:
        """Returns the Jacobian at theta, where the function has this value."""
        while self.mode != "differences":
            try:
                found = self._analytic(theta, value) if self.checked else self._first(theta, value)
                if self.checked or self.agrees(theta, found):
                    self.checked = True
                    return found
            except Exception as failure:
                if self.chosen and not isinstance(failure, NotAnalytic):
                    raise
            self.mode = "complex" if self.mode == "batch" else "differences"
        return self._assembled(theta, value, self._difference)

    def agrees(self, theta: np.ndarray, jacobian: Any) -> bool:
        """Returns whether the Jacobian agrees with differences along a direction that moves all parameters, up to their errors.

        The parameters move by irrational multiples of their sizes, so that wrong columns do not cancel by chance.
        """
        direction = np.cos(np.arange(1.0, theta.size + 1.0)) * sizes(theta)
        lengths = abs(jacobian).power(2).sum(axis=0) if hasattr(jacobian, "tocsc") else (jacobian * jacobian).sum(axis=0)
        size = float(np.sqrt(np.asarray(lengths).reshape(-1)) @ abs(direction))
        if not np.isfinite(size):
            return False
        with np.errstate(all="ignore"):
            return any(self._matches(theta, jacobian, direction, (h, size)) for h in (1e-5, 1e-7, 1e-4))

    def _matches(self, theta: np.ndarray, jacobian: Any, direction: np.ndarray, scales: tuple) -> bool:
        h, size = scales
        ends = [theta + h * direction, theta - h * direction]
        if self.bounds is not None:
            ends = [np.clip(end, *self.bounds) for end in ends]
        plus, minus = self._evaluate(ends[0]), self._evaluate(ends[1])
        # A bound may have shortened the step along some axes.
        error = norm(plus - minus - jacobian @ (ends[0] - ends[1]))
        # Where the values are not finite, nothing can be compared.
        return not np.isfinite(error) or error <= 2.0 * h * WRONG * size + 1e-14 * (norm(plus) + norm(minus))

    def _evaluate(self, theta: np.ndarray) -> np.ndarray:
        self.evaluations += 1
        return self.function(theta)

    def _first(self, theta: np.ndarray, value: np.ndarray) -> Any:
        """Returns the Jacobian by a mode that has not been compared with differences yet."""
        with warnings.catch_warnings():
            # A function that writes to an array of real numbers loses the imaginary parts, with a warning.
            warnings.simplefilter("error")
            return self._analytic(theta, value)

    def _analytic(self, theta: np.ndarray, value: np.ndarray) -> Any:
        with np.errstate(all="ignore"):
            if self.mode == "batch":
                if theta.size * value.size > LARGEST:
                    raise NotAnalytic
                return self._batched(theta, value)
            return self._assembled(theta, value, self._complex)

    def _batched(self, theta: np.ndarray, value: np.ndarray) -> np.ndarray:
        h = TINY * sizes(theta)
        self.evaluations += 1
        rows = np.empty((theta.size, theta.size), dtype=complex)
        rows[:] = theta
        rows.reshape(-1)[:: theta.size + 1] += 1j * h
        found = np.asarray(self.batch(rows))
        if found.shape != (theta.size, value.size):
            raise NotAnalytic
        same_values(found, value)
        return found.imag.T / h

    def _complex(self, theta: np.ndarray, value: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Returns the derivative along the axes where ``step`` is not zero, times their steps."""
        found = self._evaluate(theta + 1j * TINY * step)
        same_values(found, value)
        return found.imag / TINY

    def _difference(self, theta: np.ndarray, value: np.ndarray, step: np.ndarray) -> np.ndarray:
        h = STEP * step
        lower, upper = self.bounds if self.bounds is not None else (-np.inf, np.inf)
        if np.all((theta + h <= upper) & (theta - h >= lower)):
            return (self._evaluate(theta + h) - self._evaluate(theta - h)) / (2.0 * STEP)
        # At a bound, a formula of the same order takes two steps to the inside.
        h = np.where(theta + 2.0 * h <= upper, h, -h)
        near, far = self._evaluate(theta + h), self._evaluate(theta + 2.0 * h)
        return np.sign(h[step != 0.0][0]) * (4.0 * near - far - 3.0 * value) / (2.0 * STEP)

    def _assembled(self, theta: np.ndarray, value: np.ndarray, along: Callable) -> Any:
        """Assembles the Jacobian from derivatives along one axis after the other, or along groups of them."""
        size = sizes(theta)
        if self.groups is not None:
            return self._grouped(theta, value, along, size)
        jacobian = np.empty((value.size, theta.size))
        for j in range(theta.size):
            step = np.zeros_like(theta)
            step[j] = size[j]
            jacobian[:, j] = along(theta, value, step) / size[j]
        return jacobian

    def _grouped(self, theta: np.ndarray, value: np.ndarray, along: Callable, size: np.ndarray) -> Any:
        rows, columns = self.sparsity.indices, np.repeat(np.arange(theta.size), np.diff(self.sparsity.indptr))
        data = np.zeros(rows.size)
        for group in range(self.groups.max(initial=-1) + 1):
            change = along(theta, value, np.where(self.groups == group, size, 0.0))
            of_group = self.groups[columns] == group
            data[of_group] = change[rows[of_group]] / size[columns[of_group]]
        return type(self.sparsity)((data, rows, self.sparsity.indptr), shape=self.sparsity.shape)

    def use_sparsity(self, pattern: Any) -> None:
        """Uses the pattern of a sparse Jacobian, whose columns without common rows are found together."""
        from scipy.sparse import csc_matrix

        self.sparsity = csc_matrix(pattern)
        self.sparsity.sort_indices()
        self.groups = groups(self.sparsity)
        self.mode = "complex" if self.mode == "batch" else self.mode


def same_values(found: np.ndarray, value: np.ndarray) -> None:
    """Checks that a complex evaluation is complex and has the real values.

    They differ where a comparison or a maximum took another branch, and in a batch where rows depend on each other.
    """
    if found.dtype.kind != "c" or found.shape[-1:] != value.shape:
        raise NotAnalytic
    if found.size and not abs(found.real - value).max() <= 1e-9 * abs(value).max():
        raise NotAnalytic


def groups(pattern: Any) -> np.ndarray:
    """Returns a colour for every column, such that columns of a colour have no common row (Curtis, Powell and Reid 1974)."""
    colours = np.full(pattern.shape[1], -1)
    by_row: list = [set() for _ in range(pattern.shape[0])]
    for j in range(pattern.shape[1]):
        rows = pattern.indices[pattern.indptr[j] : pattern.indptr[j + 1]]
        taken = set().union(*(by_row[i] for i in rows))
        colour = next(c for c in range(len(taken) + 1) if c not in taken)
        colours[j] = colour
        for i in rows:
            by_row[i].add(colour)
    return colours
