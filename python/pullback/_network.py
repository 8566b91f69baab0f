"""Networks."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Union

import numpy as np

from . import _arguments, _pullback
from .models import Ready

__all__ = ["Network"]


class Network(Ready):
    """Multilayer perceptron in double precision: the state is its outputs at all samples, with the shape samples × outputs.

    Every layer maps a to s(W a + b), with the activation s, and the last one to W a + b alone. theta holds, layer by layer, the columns
    of W and then b, so that ``theta[network.layers["layer 1"]].reshape(inputs + 1, units).T`` is the matrix [W b] of the first layer.
    Outputs are numbers for a regression, or logits of classes for the loss "softmax", whose data are labels. Derivatives are exact, by
    passes over all samples.

    Parameters
    ----------
    inputs
        One sample in every row, or one number for every sample.
    widths
        Number of units of every layer, outputs last.
    activation
        "tanh", "relu" or "softplus".
    output_scales
        Factor of every output.

    >>> import numpy as np, pullback as pb
    >>> x = np.linspace(-2.0, 2.0, 50)
    >>> network = pb.Network(x, [8, 1])
    >>> found = pb.minimize(network, np.sin(2.0 * x)[:, None], network.initial(1), sigma=0.1, maxiter=200)
    >>> bool(abs(network.predict(found.x, [[0.3]]) - np.sin(0.6)).max() < 0.01)
    True
    """

    def __init__(
        self,
        inputs: Any,
        widths: Union[int, Sequence[int]],
        activation: str = "tanh",
        output_scales: Optional[Sequence[float]] = None,
    ):
        samples = _rows(inputs)
        units = [widths] if np.ndim(widths) == 0 else list(widths)  # type: ignore[arg-type, list-item]
        self._widths = [_arguments.count("widths", width) for width in units]
        self._inputs = samples.shape[1]
        scales = None if output_scales is None else _arguments.array("output_scales", output_scales).reshape(-1).tolist()
        self._network = _pullback.CompiledNetwork(samples.T, self._widths, str(activation), scales)
        self._model = self._network.model()

    @property
    def layers(self) -> dict:
        """Places of the parameters of every layer, ranges by their names, also for the groups of `Curvature.blocks`."""
        return {name: range(start, end) for name, start, end in self._network.layers()}

    @property
    def parameters(self) -> list:
        """Names of the parameters: ``W1[i, j]`` is the weight of input j of unit i in the first layer, and ``b1[i]`` the bias."""
        found = []
        for layer, (inputs, units) in enumerate(zip([self._inputs, *self._widths], self._widths), start=1):
            found += [f"W{layer}[{i}, {j}]" for j in range(inputs) for i in range(units)]
            found += [f"b{layer}[{i}]" for i in range(units)]
        return found

    def initial(self, seed: int = 1) -> np.ndarray:
        """Returns random weights, with the variance of Glorot and Bengio (2010), or for "relu" that of He et al. (2015), and biases of
        zero."""
        return self._network.initial(_arguments.count("seed", seed))

    def predict(self, theta: Any, inputs: Any = None) -> np.ndarray:
        """Computes the outputs at the samples, or for other ``inputs``, one row for every sample."""
        if inputs is None:
            return self._model.predict(theta)
        samples = _rows(inputs)
        if samples.shape[1] != self._inputs:
            raise ValueError(f"inputs has {samples.shape[1]} columns, but the network has {self._inputs} inputs")
        return self._network.predict(theta, samples.T)


def _rows(inputs: Any) -> np.ndarray:
    """Returns inputs, one sample in every row."""
    found = _arguments.array("inputs", inputs)
    if found.ndim not in (1, 2):
        raise ValueError(f"inputs has {found.ndim} axes, but must have one row for every sample")
    return found[:, None] if found.ndim == 1 else found
