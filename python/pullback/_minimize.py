"""Minimisation of an objective of a model's state."""

from __future__ import annotations

import os
from typing import Any, Callable, NamedTuple, Optional, Sequence

import numpy as np

from . import _arguments, _page, _posterior, _pullback, _result
from ._loss import as_loss, check_pairs, with_mass_of_state
from ._model import Explicit, as_model
from ._pullback import Loss, ModelError
from ._threads import threads

__all__ = ["minimize", "solve"]

#: Largest number of parameters for which a covariance is computed without being asked for.
FEW = 100

#: Tolerances by default, those of the library: of the decrease, the step, the loss and the gradient.
TOLERANCES = (1e-16, 1e-10, 1e-15, 0.0)


def settings(**given: Any) -> dict:
    """Returns settings of a descent, with defaults for those that are not given."""
    defaults: dict = {
        "metric": None,
        "direction": _arguments.Word("least_squares"),
        "step": None,
        "bounds": None,
        "transforms": None,
        "priors": [],
        "names": None,
        "tolerances": TOLERANCES,
        "target": None,
        "iterations": 1000,
        "uncertainty": False,
        "jacobian": False,
        "callback": None,
        "save": None,
        "resume": False,
    }
    return {**defaults, **given}


def tolerances(ftol: Optional[float], xtol: Optional[float], gtol: Optional[float]) -> tuple:
    """Returns the tolerances of a descent, with defaults for those that are None."""
    decrease, step, loss, gradient = TOLERANCES
    if ftol is not None:
        decrease = loss = _arguments.number("ftol", ftol)
    step = step if xtol is None else _arguments.number("xtol", xtol)
    return decrease, step, loss, gradient if gtol is None else _arguments.number("gtol", gtol)


def minimize(
    model: Any,
    data: Any,
    theta0: Any,
    *,
    loss: Any = "l2",
    sigma: Any = None,
    observe: Any = None,
    metric: Any = None,
    direction: Any = "least_squares",
    step: Any = None,
    prior: Any = None,
    transforms: Any = None,
    bounds: Any = None,
    names: Optional[Sequence[str]] = None,
    ftol: Optional[float] = None,
    xtol: Optional[float] = None,
    gtol: Optional[float] = None,
    target: Optional[float] = None,
    maxiter: int = 1000,
    uncertainty: Optional[bool] = None,
    posterior: Any = None,
    callback: Optional[Callable] = None,
    n_jobs: Optional[int] = None,
    save: Any = None,
    save_every: int = 0,
    resume: bool = False,
) -> Any:
    """Minimises f(rho(theta)) + R(theta) over theta by natural-gradient descent.

    Parameters
    ----------
    model
        A ready model such as `GaussianMixture`, an `Explicit` or `Implicit` model, or a function of theta.
    data
        Array of data, one for every entry of the state or of what is observed, NaN or masked where a datum is missing; or a
        `likelihood`; or points for losses between clouds, one in every row, and a sequence of such clouds for several snapshots.
    theta0
        Start.
    loss
        "l2", "kullback_leibler", "reverse_kullback_leibler", "hellinger", "chi_squared", "sobolev", "transport",
        "marginal_transport", "sliced_transport" or "unbalanced_transport" (densities on a grid), or "soft_l1", "huber", "cauchy" or "tukey" (data with
        outliers). A pair such as ("sobolev", -1) gives the order; ("kullback_leibler", N) the number of observations behind a
        density of mass 1, without which there are no errors, and fun is that of one observation; and ("huber", 2.0) the scale in
        units of sigma above which a datum counts less (by default 1.287, 1.345, 2.385 and 4.685). These losses need sigma.
        "transport" is ½W₂², exact on a line and entropic otherwise; ("transport", ε) gives the weight of the entropy, and
        ("transport", {"epsilon": ε, "extrapolate": True, "tolerance": 1e-10, "iterations": 2000}) all options.
        ("sliced_transport", frames) is the mean over as many rotated frames of the exact ½W₂² of the marginals (8 by default), for densities
        on a grid.
        ("unbalanced_transport", λ), with options {"lambda": λ, "epsilon": ε, …}, also makes mass, at a cost of λ a unit.
        "sliced_transport", "energy_distance", ("gaussian_discrepancy", width) and ("multiquadric_discrepancy", width) compare the points
        of a state, points × coordinates or snapshots × points × coordinates, with others that are not paired with them: see `PushForward`.
        ("sliced_transport", {"lines": 64, "seed": 1}) projects on so many lines. These distances are no log-likelihoods: beside one of
        them the weight of a prior is a choice, made by its deviations, and errors come from repeated fits.
        "softmax" is the negative log-likelihood of labels, whole numbers from 0 on, for a state of logits, samples × classes, as that of a
        `Network`: a sum over samples, as for all likelihoods. ("softmax", w) weighs every sample with w; 1/N of N samples makes the mean.
    sigma
        Noise of the data: a standard deviation, one per datum, or a covariance matrix. Without it, the residual
        estimates the noise, unless there is a prior: its weight depends on sigma.
    observe
        Linear observation of the state: an array, a `scipy.sparse` matrix, or what `Darcy.observe` returns.
    metric
        "l2", "sobolev", "fisher_rao", "wasserstein" or "hellinger_kantorovich"; of data of known noise, "fisher" (their
        information), ("sampled_fisher", draws) or "empirical_fisher"; of clouds of points, "sampled_wasserstein", with kernels if it has
        options {"kernels": number, "width": 3.0, "seed": 1}, "kwng" with such options, or "particles"; None for the metric of the loss,
        with which a step is Gauss-Newton's.
    direction
        "least_squares"; for thousands of parameters "auto", "conjugate_gradient", "data_space", "dual" or "sketched";
        "information", "newton" or "gradient". ("conjugate_gradient", iterations), ("newton", iterations) and ("sketched", probes) limit
        the work of a step, and ("least_squares", cutoff) leaves out singular values up to this fraction of the largest, those of the
        Jacobian with columns of unit length. Damping of "least_squares" and "information" is proportional to diag G, and to I with the
        option {"damping": "identity"}. Directions that
        learn from the run and need gradients only: "lbfgs" or ("lbfgs", memory), "nonlinear_cg", "momentum", "nesterov" and "adam".
        "kfac" or ("kfac", damping), for a `Network`, with the options {"damping": 1e-3, "memory": 0.95, "draws": 1, "seed": 0}. The
        option "inner" of momentum and of nonlinear_cg is a direction in place of the gradient, as in
        ("momentum", {"beta": 0.5, "inner": "least_squares"}).
    step
        Rule for the lengths of steps: "trust_ratio", which damps; "armijo", which shortens; "strong_wolfe", for "lbfgs" and
        "nonlinear_cg"; ("fixed", rate) and ("decaying", rate), for momentum and "adam"; "annealed", for batches; "grid", which tries several lengths. None for that
        of the direction. Options are given by name, as in ("armijo", {"first": 1.0, "growth": 2.0}).
    prior
        `gaussian`, `smoothness` or `matern`, or several of them.
    transforms
        "log", ("logit", lower, upper) or None for every parameter, or one word for all.
    bounds
        One pair (lower, upper) per parameter, with None for no bound, or `scipy.optimize.Bounds`.
    names
        Names of the parameters in tables and files, by default those of the model.
    ftol, xtol, gtol, target, maxiter
        Limits of the predicted relative decrease, of the relative step, of the gradient relative to that of the
        start, of the objective and of the number of steps.
    uncertainty
        Whether to compute the covariance. By default it is computed for up to 100 parameters.
    posterior
        Whether to compute the Gaussian posterior of many parameters at the minimum, a `Posterior`: True, its rank, or a
        dictionary with rank, oversampling, seed, exact and samples (see `posterior`).
    callback
        Called as ``callback(intermediate_result)`` with `x` and `fun` for every iterate. The run stops if it returns
        True or raises `StopIteration`.
    n_jobs
        Number of threads: None for as many as there are, and -1 for one per processor (see `threads`).
    save, save_every, resume
        File of the run, which is written after every `save_every` steps (0 for none) and at the end, and whether the run goes
        on from this file if it is there. See `Run`.

    Returns
    -------
    Result
        A `scipy.optimize.OptimizeResult` with x, fun, success, message, status, nit, nfev, njev, jac (the gradient),
        state, cov, stderr, correlation, intervals (95 %), undetermined (the parameters that the data do not
        determine), null_space, residuals, posterior, history (a structured array), counts and report. cov and stderr are None
        with the reason in cov_message if there are none. ``html("run.html")`` writes a page about the run. Ctrl-C ends the run
        with the best point so far, and success is False.

    >>> import pullback as pb
    >>> grid = pb.Grid([(-6.0, 8.0, 140)])
    >>> mixture = pb.GaussianMixture(grid, [(0.5, -1.0, 1.0), (0.5, 3.0, 1.0)], free=["weight 0", "mean 0", "mean 1"])
    >>> data = mixture.predict([0.3, -2.0, 2.0])
    >>> result = pb.minimize(mixture, data, mixture.start, loss="kullback_leibler", metric="wasserstein")
    >>> result.success, result.x.round(6).tolist()
    (True, [0.3, -2.0, 2.0])
    """
    problem = prepared(
        model,
        data,
        theta0,
        loss=loss,
        sigma=sigma,
        observe=observe,
        metric=metric,
        direction=direction,
        step=step,
        prior=prior,
        transforms=transforms,
        bounds=bounds,
        names=names,
        ftol=ftol,
        xtol=xtol,
        gtol=gtol,
        target=target,
        maxiter=maxiter,
        uncertainty=uncertainty,
        callback=callback,
        asked=posterior is not None and posterior is not False,
    )
    if save is not None:
        problem.settings["save"] = (os.path.abspath(save), _arguments.count("save_every", save_every))
        problem.settings["resume"] = bool(resume) and os.path.exists(save)
    elif save_every or resume:
        raise ValueError("save_every and resume need a file: give save")
    wanted = _posterior.options(posterior, problem.settings["priors"])
    with threads(n_jobs):
        found = problem.result(_pullback.descend(problem.model, problem.loss, problem.start, problem.settings))
        finished = wanted is not None and found["reason"] != "interrupted"
        found["posterior"] = _posterior.computed(problem, found["x"], wanted) if wanted and finished else None
    return found


class Problem(NamedTuple):
    """What the compiled part takes for a problem."""

    model: Any
    loss: Loss
    start: np.ndarray
    settings: dict
    #: What was told, as texts.
    described: dict
    #: Names of the parameters, if the model has them.
    names: Any
    #: Why there can be no errors, if this is so.
    without_errors: Optional[str]

    def result(self, found: dict) -> Any:
        """Returns the result of a descent."""
        completed = result(found, self.model)
        completed["names"], completed["settings"] = self.names, self.described
        if self.without_errors and completed["stderr"] is None:
            completed["cov_message"] = self.without_errors
        return completed


#: Options of a problem, those of `minimize`, with their defaults.
OPTIONS = {
    "loss": "l2",
    "sigma": None,
    "observe": None,
    "metric": None,
    "direction": "least_squares",
    "step": None,
    "prior": None,
    "transforms": None,
    "bounds": None,
    "names": None,
    "ftol": None,
    "xtol": None,
    "gtol": None,
    "target": None,
    "maxiter": 1000,
    "uncertainty": None,
    "callback": None,
}


def prepared(model: Any, data: Any, theta0: Any, asked: bool = False, **given: Any) -> Problem:
    """Checks the arguments of a problem, and returns it in the form of the compiled part. `asked` tells that errors are needed."""
    for name in given:
        if name not in OPTIONS:
            raise TypeError(f"unexpected keyword argument '{name}'")
    options = {**OPTIONS, **given}
    theta0 = _arguments.parameters("theta0", theta0)
    inner = as_model(model, theta0)
    check_pairs(model, data, options["loss"], options["observe"])
    compared = as_loss(inner, data, loss=options["loss"], sigma=options["sigma"], observe=options["observe"])
    if not isinstance(data, Loss):
        with_mass_of_state(inner, data, theta0, options["loss"])
    box = _arguments.intervals(options["bounds"], theta0.size)
    _arguments.inside("theta0", theta0, box, options["bounds"])
    names = _arguments.names(model, options["names"], theta0.size)
    if isinstance(inner, Explicit):
        inner.derivative.bounds = box
    callback, uncertainty = options["callback"], options["uncertainty"]
    chosen = settings(
        metric=_arguments.word("metric", options["metric"]),
        direction=_arguments.word("direction", options["direction"]) or _arguments.Word("least_squares"),
        step=_arguments.word("step", options["step"]),
        bounds=box and tuple(end.tolist() for end in box),
        transforms=_arguments.transforms(options["transforms"], theta0.size),
        priors=_arguments.priors(options["prior"]),
        names=names,
        tolerances=tolerances(options["ftol"], options["xtol"], options["gtol"]),
        target=_arguments.optional("target", options["target"]),
        iterations=_arguments.count("maxiter", options["maxiter"]),
        uncertainty=theta0.size <= FEW if uncertainty is None else bool(uncertainty),
        callback=None if callback is None else reporting(_arguments.function("callback", callback)),
    )
    without = _posterior.checked(compared, chosen["priors"], asked or uncertainty is True)
    chosen["uncertainty"] &= without is None
    told = {name: options[name] for name in ("loss", "sigma", "observe", "prior", "transforms", "bounds")}
    return Problem(inner, compared, theta0, chosen, _page.settings(model, chosen, **told), names, without)


def reporting(callback: Callable) -> Callable:
    """Returns a callback that takes a point in the way of SciPy."""

    def report(x: np.ndarray, fun: float) -> bool:
        answer = callback(_result.plain()(x=x, fun=fun))
        return isinstance(answer, (bool, np.bool_)) and bool(answer)

    return report


def result(found: dict, model: Any) -> Any:
    """Returns the result of a descent."""
    found.pop("state_jac")
    errors = found.pop("uncertainty") or {"reason": "it was not asked for (uncertainty=True)"}
    if found.pop("interrupted"):
        ending = {"message": "interrupted: this is the best point so far", "reason": "interrupted", "success": False}
        found.update(ending)
    stderr = errors.get("stderr")
    found["status"] = 0 if found["success"] else 1
    found["nfev"] = getattr(model, "nfev", found["counts"]["model_solves"])
    found["njev"] = getattr(model, "njev", None)
    found["history"] = _result.history(found["history"])
    shape = getattr(model, "shape", ())
    found["state"] = found["state"].reshape(shape) if shape else found["state"]
    found["cov"], found["stderr"] = errors.get("cov"), stderr
    found["correlation"] = None if stderr is None else _result.correlation(errors["cov"])
    found["intervals"] = None if stderr is None else np.array(errors["intervals"])
    found["undetermined"] = [] if stderr is None else np.flatnonzero(np.isinf(stderr)).tolist()
    found["null_space"], found["held"] = errors.get("null_space"), errors.get("held", [])
    found["cov_message"], found["table"] = errors.get("reason"), errors.get("table")
    found["variance"], found["notes"] = errors.get("variance"), errors.get("notes", [])
    return _result.Result(**found)


def solve(model: Any, theta: Any) -> np.ndarray:
    """Computes the state of a model.

    >>> import numpy as np, pullback as pb
    >>> root = pb.Implicit(
    ...     1,
    ...     lambda rho, theta: rho**2 - theta,
    ...     lambda rho, theta: 2.0 * rho,
    ...     lambda rho, theta: np.array([[-1.0]]),
    ...     guess=lambda theta: np.ones(1),
    ... )
    >>> pb.solve(root, [9.0]).round(12).tolist()
    [3.0]
    """
    theta = _arguments.parameters("theta", theta)
    inner = as_model(model, theta)
    state = _pullback.solve(inner, theta)
    if not np.isfinite(state).all():
        raise ModelError(f"the state at theta has an entry that is {state[~np.isfinite(state)][0]}")
    shape = getattr(inner, "shape", ())
    return state.reshape(shape) if shape else state
