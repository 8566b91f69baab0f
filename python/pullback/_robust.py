"""Robust losses of SciPy's `least_squares`, and the derivatives that its results hold."""

from __future__ import annotations

import numpy as np

__all__ = ["LOSSES", "rescaled"]

#: Names of the library for the losses of SciPy, and Tukey's.
LOSSES = {"linear": "l2", "soft_l1": "soft_l1", "huber": "huber", "cauchy": "cauchy", "tukey": "tukey"}

#: φ′(z) + 2zφ″(z), the curvature of ½φ(r²) by r, of the loss φ of a squared residual z = r².
CURVATURES = {
    "soft_l1": lambda z: (1.0 + z) ** -1.5,
    "huber": lambda z: np.where(z <= 1.0, 1.0, 0.0),
    "cauchy": lambda z: (1.0 - z) / (1.0 + z) ** 2,
    "tukey": lambda z: np.where(z <= 1.0, (1.0 - z) * (1.0 - 5.0 * z), 0.0),
}


def rescaled(loss: str, f_scale: float, residual: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """Returns √c J with the curvatures c of the loss, so that its square is the curvature of the objective (Gauss-Newton).

    As in SciPy, curvatures are at least the rounding unit: those of outliers vanish or are negative.
    """
    if loss == "linear":
        return jacobian
    curvature = CURVATURES[loss]((residual / f_scale) ** 2)
    return np.sqrt(np.maximum(curvature, np.finfo(float).eps))[:, None] * jacobian
