"""Losses by words, between the states of a model and data."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _arguments, _clouds, _labels, _pullback
from ._pullback import Loss

__all__ = ["as_loss", "check_pairs", "with_mass_of_state"]

#: Losses of whole densities.
DIVERGENCES = ("kullback_leibler", "reverse_kullback_leibler", "hellinger", "chi_squared")
DENSITIES = (*DIVERGENCES, "sobolev", "transport", "marginal_transport", "sliced_transport", "unbalanced_transport")

#: Largest relative difference of the masses of data and state, if errors are wanted.
MASS = 0.01


def as_loss(model: Any, data: Any, **given: Any) -> Loss:
    """Returns the loss of data for a model."""
    if isinstance(data, Loss):
        superfluous = [name for name in ("sigma", "observe") if given[name] is not None]
        if superfluous or given["loss"] != "l2":
            raise ValueError(f"{(superfluous or ['loss'])[0]} has no effect, since the data are a likelihood")
        return data
    word = _arguments.word("loss", given["loss"]) or _arguments.Word("l2")
    if _clouds.compares(word.name, model):
        return _clouds.loss(model, data, word, given)
    if word.name == "softmax":
        return _labels.loss(model, data, word, given)
    values, observe = _arguments.array("data", _arguments.present(data)), given["observe"]
    if observe is not None and not hasattr(observe, "shape"):
        observe = _arguments.array("observe", observe)
    if observe is not None and len(observe.shape) != 2:
        raise ValueError(f"observe has {len(observe.shape)} axes, but must have two: observations, and entries of the state")
    expected = model.state_dim if observe is None else observe.shape[0]
    if values.size != expected:
        what = "values of the model" if observe is None else "observations"
        raise ValueError(f"data has {values.size} entries, but there are {expected} {what}")
    if observe is None:
        _arguments.same_shape(values, getattr(model, "shape", ()))
    for name in ("sigma", "observe"):
        if given[name] is not None and word.name in DENSITIES:
            raise ValueError(f"{name} has no effect with the loss '{word.name}', which compares whole densities")
    sigma = _arguments.noise(given["sigma"], values)
    values = values.reshape(-1)
    if observe is not None and np.isnan(values).any():
        values, observe, sigma = _arguments.observed(values, observe, sigma)
    chosen = {
        "grid": getattr(model, "grid", None),
        "sigma": sigma,
        "observe": observe,
        "f_scale": given.get("f_scale"),
    }
    return _pullback.loss(word, values, chosen)


def check_pairs(model: Any, data: Any, loss: Any, observe: Any) -> None:
    """Checks that points which belong to no datum are not paired with data by their places."""
    word = _arguments.word("loss", loss) or _arguments.Word("l2")
    if not getattr(model, "unpaired", False) or isinstance(data, Loss) or observe is not None or word.name in _clouds.LOSSES:
        return
    raise ValueError(
        f"loss='{word.name}' pairs every point of the model with a datum by its place, but points belong to none: give a loss between "
        "clouds, such as loss='sliced_transport' or 'energy_distance'; or observe, for observations of the whole cloud such as its mean"
    )


def with_mass_of_state(model: Any, data: Any, theta0: np.ndarray, loss: Any) -> None:
    """Checks that data of a number of observations are a density of mass 1, or of the mass of the state at the start.

    Errors are right only if data and state have the same mass.
    """
    from ._minimize import solve

    word = _arguments.word("loss", loss)
    if word is None or word.name not in DIVERGENCES or word.value("observations") is None:
        return
    volume = model.grid.volume
    mass = volume * float(np.sum(data))
    if abs(mass - 1.0) <= MASS or abs(mass - volume * solve(model, theta0).sum()) <= MASS * mass:
        return
    raise ValueError(
        f"data has the mass {mass:.6g} (grid.volume times its sum), but loss=('{word.name}', N) compares densities of mass 1: "
        "give data / (data.sum() * grid.volume)"
    )
