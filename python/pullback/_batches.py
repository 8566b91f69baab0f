"""Descents on batches of the data."""

from __future__ import annotations

import html
from typing import Any, Callable, Optional

import numpy as np

from . import _arguments, _posterior, _pullback, _result
from ._loss import as_loss, with_mass_of_state
from ._model import Explicit, as_model
from ._pullback import Loss, ReadyModel
from ._search import Table
from ._threads import threads

__all__ = ["minimize_in_batches"]


class Epochs(Table):
    """Result of `minimize_in_batches`, shown as its report."""

    def __repr__(self) -> str:
        return self["report"]

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self['report'])}</pre>"


def minimize_in_batches(
    model: Any,
    data: Any,
    theta0: Any,
    batch: int,
    *,
    epochs: int = 10,
    seed: int = 0,
    loss: Any = "l2",
    sigma: Any = None,
    metric: Any = None,
    direction: Any = "least_squares",
    step: Any = None,
    prior: Any = None,
    transforms: Any = None,
    bounds: Any = None,
    average: int = 0,
    evaluate: bool = False,
    callback: Optional[Callable] = None,
    n_jobs: Optional[int] = None,
) -> Any:
    """Minimises the objective of `minimize` by steps on batches of the data, drawn anew in every epoch.

    Where there are very many data, a batch of them costs a fraction of the whole, and its gradient is right on average. The loss of a batch
    is scaled to that of all data, so that priors, dampings and rates mean the same for every size of batch. An epoch takes one step on every
    batch, and every datum is in one of them.

    Parameters
    ----------
    model, data
        A `Network`, whose samples are drawn, a `Curve`, whose points are, or a list of any models with the same parameters, one for every
        experiment, with a list of their data. Points and samples without data are left out.
    theta0
        Start.
    batch
        Largest number of samples, points or experiments in a batch.
    epochs, seed
        Number of epochs, and seed of the batches. Results have the same bits for the same seed.
    loss, sigma
        As for `minimize`. Samples and points take "l2" with independent noise, "soft_l1" and its like, and "softmax". For experiments, sigma
        may be a list with one entry for each.
    metric, direction, prior, transforms, bounds
        As for `minimize`. Steps of a natural direction, such as the default, need batches of several times as many data as there are
        parameters. "kfac" remembers earlier batches and is for a `Network`. "lbfgs" and "nonlinear_cg" take differences of gradients, and
        need batches of all data.
    step
        As for `minimize`. None is that of the direction: "annealed", a trust region whose steps decay, so that a run settles on
        noisy data, or "trust_ratio" if a batch holds all data. "gradient", "momentum", "nesterov" and "adam" need a rate. Rules that judge a step
        see the batch of the step alone.
    average
        Number of last epochs over whose steps parameters are averaged. With steps of constant length they wander about the minimum,
        to which their average is closer.
    evaluate
        Whether to compute the objective of all data after every epoch.
    callback
        Called as ``callback(intermediate_result)`` after every epoch, with x, epoch, mean, objective, steps, rejected and seconds as in the
        history, and fun, the objective if it is computed and otherwise the mean. The run stops if it returns True or raises
        `StopIteration`.
    n_jobs
        Number of threads: None for as many as there are, and -1 for one per processor (see `threads`).

    Returns
    -------
    Epochs
        x, the parameters after the last step; fun, the objective of all data there; average, the mean of the parameters, or None;
        success, ending ("epochs", "converged" where x is a minimum for every batch, "rejected", "callback" or "interrupted") and message;
        nit, the number of epochs; steps and rejected, the numbers of batches with a step and without; history, a structured array with a
        row for every epoch: mean of the batches, each before its step, objective, steps, rejected, seconds and theta; counts, remarks and
        report. Ctrl-C ends the run with the last whole epoch, without an average, and with fun NaN unless ``evaluate``.

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 5.0, 10_000)
    >>> noise = 0.1 * np.random.default_rng(0).standard_normal(10_000)
    >>> decays = pb.Curve(lambda t, a, b, c, d: a * np.exp(-b * t) + c * np.exp(-d * t), t)
    >>> seen = decays.predict([1.0, 0.3, 2.0, 2.0]) + noise
    >>> found = pb.minimize_in_batches(decays, seen, [0.5, 0.1, 1.0, 1.0], 100, epochs=3, average=1, sigma=0.1, step=("decaying", 0.3))
    >>> found.ending, found.steps, bool(abs(found.average - [1.0, 0.3, 2.0, 2.0]).max() < 0.05)
    ('epochs', 300, True)
    """
    theta0 = _arguments.parameters("theta0", theta0)
    box = _arguments.intervals(bounds, theta0.size)
    _arguments.inside("theta0", theta0, box, bounds)
    compared = {"loss": loss, "sigma": sigma}
    problem = (
        _experiments(model, data, theta0, compared) if isinstance(model, (list, tuple)) else _samples(model, data, theta0, compared)
    )
    pairs = problem if isinstance(problem, list) else [problem]
    priors = _arguments.priors(prior)
    _warned(pairs, priors)
    for inner, _ in pairs:
        if isinstance(inner, Explicit):
            inner.derivative.bounds = box
    chosen = {
        "metric": _arguments.word("metric", metric),
        "direction": _arguments.word("direction", direction) or _arguments.Word("least_squares"),
        "step": _arguments.word("step", step),
        "bounds": box and tuple(end.tolist() for end in box),
        "transforms": _arguments.transforms(transforms, theta0.size),
        "priors": priors,
        "batch": _arguments.count("batch", batch),
        "epochs": _arguments.count("epochs", epochs),
        "seed": _arguments.count("seed", seed),
        "average": _arguments.count("average", average),
        "evaluate": bool(evaluate),
        "callback": None if callback is None else _reporting(_arguments.function("callback", callback)),
    }
    with threads(n_jobs):
        found = _pullback.descend_in_batches(problem, theta0, chosen)
    found["success"] = found["ending"] in ("epochs", "converged")
    found["history"] = _result.history(found["history"])
    return Epochs(found)


def _samples(model: Any, data: Any, theta0: np.ndarray, compared: dict) -> tuple:
    """Returns a model that is made of samples, with its loss."""
    inner = getattr(model, "_model", model)
    if not (isinstance(inner, ReadyModel) and inner.sampled):
        raise TypeError(
            f"model must be a Network, a Curve, or a list of models, one for every experiment, not {type(model).__name__}: batches need "
            "samples that can be computed one without the others"
        )
    found = as_loss(as_model(model, theta0), data, observe=None, **compared)
    if found.separable:
        return inner, found
    if np.ndim(compared["sigma"]) > 1:
        raise ValueError(
            "sigma is a covariance, but batches need data with independent noise: give one deviation, or one per datum"
        )
    raise ValueError("the loss is no sum over samples, of which batches could consist: take 'l2', 'softmax' or a robust loss")


def _experiments(models: Any, data: Any, theta0: np.ndarray, compared: dict) -> list:
    """Returns the models of experiments, each with its loss."""
    if not len(models):
        raise ValueError("model is an empty list: give the model of at least one experiment")
    if isinstance(data, str) or not hasattr(data, "__len__") or len(data) != len(models):
        raise ValueError(f"data must be a list with the data of every experiment, of which there are {len(models)}")
    sigma = compared["sigma"]
    sigmas = list(sigma) if isinstance(sigma, (list, tuple)) else [sigma] * len(models)
    if len(sigmas) != len(models):
        raise ValueError(
            f"sigma has {len(sigmas)} entries, but there are {len(models)} experiments: give one for all, or one for each"
        )
    found = []
    for model, own, noise in zip(models, data, sigmas):
        inner = as_model(model, theta0)
        found.append((inner, as_loss(inner, own, loss=compared["loss"], sigma=noise, observe=None)))
        if not isinstance(own, Loss):
            with_mass_of_state(inner, own, theta0, compared["loss"])
    return found


def _warned(pairs: list, priors: list) -> None:
    """Warns if there is a prior whose weight depends on a noise that is not known."""
    for _, compared in pairs:
        if _posterior.checked(compared, priors, False):
            return


def _reporting(callback: Callable) -> Callable:
    """Returns a callback that takes an epoch in the way of SciPy."""

    def report(x: np.ndarray, numbers: tuple, counts: tuple) -> bool:
        (mean, objective, seconds), (epoch, steps, rejected) = numbers, counts
        fun = mean if objective is None else objective
        named = {"mean": mean, "objective": objective, "seconds": seconds, "epoch": epoch, "steps": steps, "rejected": rejected}
        answer = callback(_result.plain()(x=x, fun=fun, **named))
        return isinstance(answer, (bool, np.bool_)) and bool(answer)

    return report
