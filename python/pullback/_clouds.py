"""Losses between clouds of points that are not paired."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _arguments, _pullback
from ._pullback import Loss

__all__ = ["LOSSES", "compares", "loss"]

#: Losses between clouds.
LOSSES = ("sliced_transport", "energy_distance", "gaussian_discrepancy", "multiquadric_discrepancy")


def compares(name: str, model: Any) -> bool:
    """Returns whether a loss compares clouds: densities on a grid have a sliced loss of their own."""
    return name in LOSSES and (name != "sliced_transport" or getattr(model, "grid", None) is None)


def loss(model: Any, data: Any, word: _arguments.Word, given: dict) -> Loss:
    """Returns the loss between the clouds of a model and those of the data."""
    for name in ("sigma", "observe"):
        if given[name] is not None:
            raise ValueError(f"{name} has no effect with the loss '{word.name}', which compares whole clouds of points")
    count, space = layout(word.name, getattr(model, "shape", ()) or (model.state_dim,))
    clouds = [data] if count is None else snapshots(data, count)
    return _pullback.cloud_loss(word, space, [points(cloud, space) for cloud in clouds])


def layout(name: str, shape: tuple) -> tuple:
    """Returns the number of snapshots of a state, None without an axis of snapshots, and the dimension of space."""
    if len(shape) == 1:
        return None, 1
    if len(shape) == 2:
        return None, shape[1]
    if len(shape) == 3:
        return shape[0], shape[2]
    raise ValueError(
        f"the state has the shape {tuple(shape)}, but the loss '{name}' compares clouds: points × coordinates, or snapshots × points × "
        "coordinates"
    )


def snapshots(data: Any, count: int) -> list:
    """Returns one cloud for every snapshot."""
    try:
        clouds = list(data)
    except TypeError as cause:
        raise TypeError(f"data must be a sequence of {count} clouds of points, not {type(data).__name__}") from cause
    if len(clouds) != count:
        raise ValueError(f"data has {len(clouds)} entries, but the model has {count} snapshots: give one cloud of points for each")
    return clouds


def points(data: Any, space: int) -> np.ndarray:
    """Returns the coordinates of a cloud, one point after the other."""
    found = _arguments.array("data", data)
    if found.ndim == 2 and found.shape[1] == space or found.ndim == 1 and space == 1:
        return found.reshape(-1)
    dimension = f"{space} coordinates" if space > 1 else "one coordinate"
    advice = "; transpose the data" if found.shape[::-1][1:] == (space,) else ""
    raise ValueError(f"data has a cloud of the shape {found.shape}, but must have one row with {dimension} for every point{advice}")
