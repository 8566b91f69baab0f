"""Models written with PyTorch."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

import numpy as np

from . import _autodiff
from ._autodiff import by_batches

__all__ = ["from_torch"]

#: Forward differentiation in PyTorch has a state that all threads share.
LOCK = threading.Lock()

#: Number of vectors that are differentiated together.
BATCH = 16


def imported() -> Any:
    """Returns PyTorch."""
    try:
        import torch
    except ImportError as cause:
        raise ImportError("from_torch needs PyTorch: install it by `pip install torch`") from cause
    return torch


class Traced(_autodiff.Calls):
    """Calls of a function of PyTorch, in double precision."""

    def __init__(self, f: Callable, shape: Optional[tuple] = None, batch: int = BATCH):
        super().__init__(f, shape)
        self.batch = batch
        self.torch = imported()

    def shaped(self, *points: Any) -> Any:
        """Evaluates the function, the first point in its shape, and checks that it computes in double precision."""
        if self.shape is not None:
            points = (points[0].reshape(self.shape), *points[1:])
        found = self.f(*points)
        if not isinstance(found, self.torch.Tensor):
            raise TypeError(f"the function must return a tensor, not {type(found).__name__}")
        if found.dtype != self.torch.float64:
            raise TypeError(
                f"the function returns {found.dtype}, but torch.float64 is needed: it gets tensors of float64, and its constants "
                "must have this type"
            )
        return found

    def tensors(self, points: tuple) -> tuple:
        """Returns copies of arrays as tensors."""
        return tuple(self.torch.tensor(np.asarray(point)) for point in points)

    def along(self, index: int, points: tuple) -> Callable:
        """Returns the flat function of one argument, with the other at its point."""
        return lambda x: self.shaped(*points[:index], x, *points[index + 1 :]).reshape(-1)

    def each(self, one: Callable, rows: np.ndarray) -> np.ndarray:
        """Calls a function for every row."""

        def several(part: np.ndarray) -> np.ndarray:
            vectors = self.torch.tensor(part)
            found = one(vectors[0])[None] if part.shape[0] == 1 else self.torch.func.vmap(one)(vectors)
            return found.detach().numpy()

        return by_batches(several, rows, self.batch)

    def value(self, *points: np.ndarray) -> np.ndarray:
        with self.torch.no_grad():
            return self.shaped(*self.tensors(points)).detach().numpy()

    def push(self, index: int, points: tuple, rows: np.ndarray) -> np.ndarray:
        points = self.tensors(points)
        along = self.along(index, points)
        with LOCK:
            return self.each(lambda v: self.torch.func.jvp(along, (points[index],), (v,))[1], rows)

    def pull(self, index: int, points: tuple, rows: np.ndarray) -> np.ndarray:
        points = self.tensors(points)
        _, pull = self.torch.func.vjp(self.along(index, points), points[index])
        return self.each(lambda w: pull(w)[0], rows)

    def inverse(self, solver: Callable, transposed: bool, points: tuple, rows: np.ndarray) -> np.ndarray:
        points = self.tensors(points)
        along = self.along(0, points)
        _, pull = self.torch.func.vjp(along, points[0])

        def product(x: Any) -> Any:
            v = x.reshape(-1)
            found = pull(v)[0] if transposed else self.torch.func.jvp(along, (points[0],), (v,))[1]
            return found.reshape(self.shape)

        # Solvers of PyTorch's users have loops that depend on values, which cannot be batched.
        with LOCK:
            solved = [solver(product, self.torch.tensor(row).reshape(self.shape)).detach().numpy().reshape(-1) for row in rows]
        return np.array(solved).reshape(rows.shape)


def from_torch(
    f: Callable,
    state: Any = None,
    *,
    jacobian: str = "auto",
    sparsity: Any = None,
    param_sparsity: Any = None,
    guess: Optional[Callable] = None,
    solve: Optional[Callable] = None,
    linear_solver: Optional[Callable] = None,
    batch: int = BATCH,
) -> Any:
    """Makes a model of a function written with PyTorch, with derivatives by `torch.func`.

    Arguments are those of `from_jax`. ``f`` gets tensors of float64, and its constants must have this type. Several vectors
    are differentiated together by `torch.func.vmap`; with ``batch=1`` the function need not suit it. ``linear_solver`` gets one
    vector at a time.

    >>> import numpy as np, pullback as pb, torch
    >>> t = torch.linspace(0.0, 3.0, 20, dtype=torch.float64)
    >>> decay = pb.from_torch(lambda theta: theta[0] * torch.exp(-theta[1] * t))
    >>> pb.minimize(decay, 2.0 * np.exp(-0.7 * t.numpy()), [1.0, 1.0]).x.round(8).tolist()
    [2.0, 0.7]
    """
    width = _autodiff.width(batch)
    options = {
        "jacobian": jacobian,
        "sparsity": sparsity,
        "param_sparsity": param_sparsity,
        "guess": guess,
        "solve": solve,
        "linear_solver": linear_solver,
    }
    return _autodiff.model(lambda f, shape: Traced(f, shape, width), f, state, options)
