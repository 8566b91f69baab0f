"""Cross entropy of labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _arguments, _pullback
from ._pullback import Loss

__all__ = ["loss"]


def loss(model: Any, data: Any, word: _arguments.Word, given: dict) -> Loss:
    """Returns the negative log-likelihood of labels for a model whose state is the logits of all classes at every sample."""
    for name in ("sigma", "observe"):
        if given[name] is not None:
            raise ValueError(f"{name} has no effect with the loss 'softmax', whose data are labels")
    shape = tuple(getattr(model, "shape", ()))
    if len(shape) != 2 or shape[1] < 2:
        raise ValueError(
            f"the state has the shape {shape}, but the loss 'softmax' compares logits with labels: samples × classes, at least two"
        )
    return _pullback.labels_loss(word, shape[1], labels(data, *shape))


def labels(data: Any, samples: int, classes: int) -> list:
    """Returns one label for every sample, a whole number below the number of classes."""
    found = _arguments.array("data", data)
    if found.shape != (samples,):
        advice = "; give data.argmax(axis=1)" if found.shape == (samples, classes) else ""
        raise ValueError(
            f"data has the shape {found.shape}, but the loss 'softmax' needs one label for each of {samples} samples{advice}"
        )
    wrong = np.flatnonzero(~((found >= 0) & (found < classes) & (found == np.floor(found))))
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(f"data is {found[i]:g} at index {i}, but a label must be a whole number from 0 to {classes - 1}")
    return found.astype(int).tolist()
