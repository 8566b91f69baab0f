"""Networks beside NumPy, SciPy and scikit-learn, and descents on batches beside descents on all data."""

import copy
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest
import scipy.optimize
import scipy.special

import pullback as pb

RNG = np.random.default_rng(4)
INPUTS = RNG.standard_normal((30, 3))
WIDTHS = [5, 4, 3]
LABELS = (INPUTS[:, 0] > 0.3).astype(int) + (INPUTS[:, 1] ** 2 > 1.0)
ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda z: z * (z.real > 0.0),
    "softplus": lambda z: np.log1p(np.exp(z)),
}


def outputs(theta, inputs=INPUTS, widths=WIDTHS, activation="tanh"):
    """Outputs of a network, written by hand."""
    a, at = inputs.T, 0
    for layer, units in enumerate(widths):
        count = units * (len(a) + 1)
        w = theta[at : at + count].reshape(len(a) + 1, units).T
        z = w[:, :-1] @ a + w[:, -1:]
        a, at = z if layer == len(widths) - 1 else ACTIVATIONS[activation](z), at + count
    assert at == theta.size
    return a.T


def surprise(theta, labels=LABELS, **given):
    """Negative log-likelihood of labels."""
    logits = outputs(theta, **given)
    logits = logits - logits.real.max(axis=1, keepdims=True)
    return (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]).sum()


def complex_steps(f, theta):
    """Derivative of a function, exact to rounding, one row per parameter."""
    return np.array([f(theta + 1e-30j * unit).imag / 1e-30 for unit in np.eye(theta.size)])


def network(activation="tanh"):
    return pb.Network(INPUTS, WIDTHS, activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_outputs_and_derivatives_are_those_of_numpy(activation):
    model = network(activation)
    theta = model.initial(3)
    assert model.shape == (30, 3) and theta.size == model.param_dim == 5 * 4 + 4 * 6 + 3 * 5
    assert np.allclose(model.predict(theta), outputs(theta, activation=activation), rtol=1e-13, atol=1e-14)
    others = RNG.standard_normal((7, 3))
    assert np.allclose(model.predict(theta, others), outputs(theta, others, activation=activation), rtol=1e-13, atol=1e-14)
    expected = complex_steps(lambda t: outputs(t, activation=activation).reshape(-1), theta).T
    assert np.allclose(pb.jacobian(model, theta), expected, rtol=1e-11, atol=1e-13)
    assert "relu" == activation or pb.verify(model, theta)


def test_scales_of_outputs_and_initial_weights():
    scales = np.array([1e-3, 1.0, -5.0])
    scaled = pb.Network(INPUTS, WIDTHS, output_scales=scales)
    theta = scaled.initial(2)
    assert np.array_equal(theta, network().initial(2)) and not np.array_equal(theta, scaled.initial(3))
    assert np.allclose(scaled.predict(theta), scales * outputs(theta), rtol=1e-13)
    wide = pb.Network(np.zeros((1, 300)), [200, 10])
    weights = wide.initial(1)[wide.layers["layer 1"]].reshape(301, 200)
    assert np.isclose(weights[:-1].var(), 2.0 / 500, rtol=0.05) and not weights[-1].any()


def test_layers_and_names_lie_where_the_parameters_do():
    model = network()
    assert model.layers == {"layer 1": range(0, 20), "layer 2": range(20, 44), "layer 3": range(44, 59)}
    theta = np.zeros(59)
    theta[model.parameters.index("W1[2, 1]")] = 1.0
    theta[model.parameters.index("W2[3, 2]")] = 1.0
    theta[model.parameters.index("W3[1, 3]")] = 2.0
    theta[model.parameters.index("b3[0]")] = 0.5
    expected = 2.0 * np.tanh(np.tanh(INPUTS[:, 1]))
    found = model.predict(theta)
    assert np.allclose(found[:, 1], expected, rtol=1e-14) and np.all(found[:, 0] == 0.5) and not found[:, 2].any()
    line = pb.Network(np.arange(4.0), 1)
    assert line.parameters == ["W1[0, 0]", "b1[0]"] and line.predict([2.0, 1.0])[:, 0].tolist() == [1.0, 3.0, 5.0, 7.0]


def test_networks_are_copied_and_pickled():
    model = network("softplus")
    for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(again.predict(model.initial(1)), model.predict(model.initial(1)))


def test_the_loss_of_labels_and_its_derivatives_are_those_of_numpy():
    model, loss = network(), "softmax"
    theta = model.initial(3)
    found = pb.minimize(model, LABELS, theta, loss=loss, maxiter=0)
    assert np.isclose(found.fun, surprise(theta), rtol=1e-13)
    gradient = complex_steps(surprise, theta)
    assert np.allclose(found.jac, gradient, rtol=1e-10, atol=1e-12)
    mean = pb.minimize(model, LABELS, theta, loss=("softmax", 1.0 / 30), maxiter=0)
    assert np.isclose(mean.fun, surprise(theta) / 30, rtol=1e-13) and "weight other than 1" in mean.cov_message
    with pytest.raises(ValueError, match="weight other than 1"):
        pb.minimize(model, LABELS, theta, loss=("softmax", 0.5), uncertainty=True)
    p = scipy.special.softmax(outputs(theta), axis=1)
    z = complex_steps(lambda t: outputs(t).reshape(-1), theta).reshape(59, 30, 3)
    fisher = np.einsum("inc,nc,jnc->ij", z, p, z) - np.einsum("inc,nc,nd,jnd->ij", z, p, p, z)
    h = pb.curvature(model, LABELS, theta, loss=loss, kind="gauss_newton")
    assert np.allclose(h.matrix(), fisher, rtol=1e-9, atol=1e-11)
    blocks = h.blocks(model.layers)
    assert np.allclose(blocks["layer 2"], fisher[20:44, 20:44], rtol=1e-9, atol=1e-11)
    exact = pb.curvature(model, LABELS, theta, loss=loss, kind="exact").matrix()
    along = RNG.standard_normal(59)
    change = complex_steps(surprise, theta + 1e-5 * along) - complex_steps(surprise, theta - 1e-5 * along)
    assert np.allclose(exact @ along, change / 2e-5, rtol=1e-6, atol=1e-6)


def ridge(classes=3, rows=200):
    """Data of a logistic regression, with the prior of scikit-learn's penalty."""
    rng = np.random.default_rng(12)
    x = rng.standard_normal((rows, 4))
    logits = x @ rng.standard_normal((4, classes))
    labels = np.array([rng.choice(classes, p=p) for p in scipy.special.softmax(logits, axis=1)])
    model = pb.Network(x, [classes])
    # The intercepts have no penalty but a tiny one, which fixes their common shift.
    sigma = np.concatenate([np.ones(4 * classes), np.full(classes, 1e3)])
    return x, labels, model, pb.gaussian(np.zeros(5 * classes), sigma)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_is_that_of_scikit_learn(classes):
    linear = pytest.importorskip("sklearn.linear_model")
    x, labels, model, prior = ridge(classes)
    found = pb.minimize(model, labels, np.zeros(5 * classes), loss="softmax", prior=prior)
    theirs = linear.LogisticRegression(C=1.0, tol=1e-12, max_iter=10_000)
    if classes == 2:
        # With two classes scikit-learn has one weight w for both, where ½|w₁|² + ½|w₂|² is least at ±w/2: |w|²/4.
        theirs = linear.LogisticRegression(C=2.0, tol=1e-12, max_iter=10_000)
    theirs.fit(x, labels)
    chances = scipy.special.softmax(found.state, axis=1)
    assert found.success and np.allclose(chances, theirs.predict_proba(x), atol=1e-5)


def test_logistic_regression_and_its_errors_are_those_of_scipy():
    x, labels, model, prior = ridge()
    sigma = np.concatenate([np.ones(12), np.full(3, 1e3)])

    def objective(theta):
        return surprise(theta, labels, inputs=x, widths=[3]) + 0.5 * (theta**2 / sigma**2).sum()

    found = pb.minimize(model, labels, np.zeros(15), loss="softmax", prior=prior)
    best = scipy.optimize.minimize(
        objective, np.zeros(15), jac=lambda t: complex_steps(objective, t), method="BFGS", options={"gtol": 1e-9}
    )
    assert np.allclose(found.x, best.x, atol=1e-6) and np.isclose(found.fun, best.fun, rtol=1e-10)
    columns = [complex_steps(objective, found.x + h) - complex_steps(objective, found.x - h) for h in 1e-4 * np.eye(15)]
    hessian = np.array(columns) / 2e-4
    assert np.allclose(found.stderr[:12], np.sqrt(np.diag(np.linalg.inv(hessian)))[:12], rtol=1e-4)


@pytest.mark.parametrize("size", [20, 50])
def test_logistic_regression_in_batches_comes_close(size):
    x, labels, model, prior = ridge()
    whole = pb.minimize(model, labels, np.zeros(15), loss="softmax", prior=prior)
    given = {"loss": "softmax", "prior": prior, "epochs": 100, "average": 50, "step": ("fixed", 0.05)}
    found = pb.minimize_in_batches(model, labels, np.zeros(15), size, **given)
    assert found.success and found.ending == "epochs" and found.nit == 100 and found.steps == 100 * (200 // size)
    deviations = abs(found.average - whole.x)[:12] / whole.stderr[:12]
    assert deviations.max() < 0.3, deviations


T = np.linspace(0.0, 4.0, 400)


def decay(t, size, rate):
    return size * np.exp(-rate * t)


TRUTH = np.array([2.0, 0.7])
SEEN = decay(T, *TRUTH) + 0.1 * np.random.default_rng(8).standard_normal(400)


def test_curves_know_their_parameters_and_points():
    curve = pb.Curve(decay, T)
    assert curve.parameters == ["size", "rate"] and curve.shape == (400,)
    assert np.allclose(curve.predict(TRUTH), decay(T, *TRUTH), rtol=1e-14)
    assert np.allclose(curve.predict(TRUTH, [10.0]), decay(10.0, *TRUTH), rtol=1e-14)
    again = pickle.loads(pickle.dumps(curve))
    assert np.array_equal(again.predict(TRUTH), curve.predict(TRUTH)) and again.parameters == curve.parameters
    plane = pb.Curve(lambda x, *p: p[0] * x[0] + p[1] * x[1], np.stack([T, T**2]), parameters=2)
    assert plane.parameters == ["p0", "p1"] and np.allclose(plane.predict([1.0, 2.0]), T + 2.0 * T**2)
    fit = pb.minimize(curve, SEEN, [1.0, 1.0], sigma=0.1)
    popt, pcov = scipy.optimize.curve_fit(decay, T, SEEN, [1.0, 1.0], np.full(400, 0.1), True)
    assert fit.names == ["size", "rate"] and np.allclose(fit.x, popt, rtol=1e-6) and np.allclose(fit.cov, pcov, rtol=1e-4)


def test_many_points_are_computed_by_blocks_with_the_same_bits():
    t = np.linspace(0.0, 4.0, 100_003)
    curve = pb.Curve(decay, t)
    one, two = (pb.minimize(curve, decay(t, 2.0, 0.7), [1.0, 1.0], n_jobs=n) for n in (1, 2))
    assert np.array_equal(one.x, two.x) and np.allclose(one.x, TRUTH, rtol=1e-10)


@pytest.mark.parametrize(
    "f, given, text",
    [
        (lambda x, a: a * x / x.mean(), {}, "cannot be noted"),
        (lambda x, a: a * x / np.mean(x), {}, "in view of the others"),
        (lambda x, a: a * (x - np.min(x)), {}, "in view of the others"),
        (lambda x, a: scipy.special.erf(a * x), {}, "cannot be noted"),
        (lambda x, a: a * np.log(-1.0 - x**2), {}, "not finite at any point for parameters near near"),
        (lambda x, a: a * x, {"xdata": [0.0, np.nan]}, "finite numbers"),
        (lambda x, a: a * x, {"xdata": []}, "finite numbers"),
        (lambda x, a: a * x, {"near": [1.0, 2.0]}, "near has 2 entries"),
        (lambda *a: a[0] * a[1], {}, "parameters is needed"),
        (lambda x: x, {}, "parameters is needed"),
        (max, {}, "parameters is needed"),
    ],
)
def test_formulas_that_are_no_curves_are_refused(f, given, text):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=text):
        pb.Curve(f, **{"xdata": T, **given})


def problems():
    """Models with data, starts and options of every kind."""
    model = network()
    numbers = outputs(network().initial(9)) + 0.1 * np.random.default_rng(1).standard_normal((30, 3))
    return {
        "points": (pb.Curve(decay, T), SEEN, [1.0, 1.0], {"sigma": np.linspace(0.05, 0.2, 400)}),
        "outliers": (pb.Curve(decay, T), SEEN + 5.0 * (np.arange(400) % 50 == 3), [1.5, 1.0], {"sigma": 0.1, "loss": "huber"}),
        "regression": (model, numbers, model.initial(1), {"sigma": 0.1, "prior": pb.gaussian(np.zeros(59), 1.0)}),
        "unknown noise": (model, numbers, model.initial(1), {}),
        "labels": (model, LABELS, model.initial(1), {"loss": "softmax", "direction": ("kfac", 0.1)}),
    }


@pytest.mark.parametrize("name", problems())
def test_a_batch_of_all_data_makes_the_steps_of_minimize(name):
    model, data, start, given = problems()[name]
    whole = pb.minimize(model, data, start, maxiter=3, uncertainty=False, **given)
    found = pb.minimize_in_batches(model, data, start, model.shape[0], epochs=3, evaluate=True, **given)
    assert np.allclose(found.x, whole.x, rtol=1e-9, atol=1e-12) and np.isclose(found.fun, whole.fun, rtol=1e-9)
    assert np.allclose(found.history["objective"], np.append(whole.history["loss"], whole.fun)[1:4], rtol=1e-9)


@pytest.mark.parametrize("name", problems())
@pytest.mark.parametrize("size", [1, 10])
def test_an_epoch_of_tiny_steps_goes_along_the_gradient_of_all_data(name, size):
    model, data, start, given = problems()[name]
    given = {name: option for name, option in given.items() if name != "prior"}
    given["direction"] = "gradient"
    whole = pb.minimize(model, data, start, maxiter=0, uncertainty=False, **given)
    rate = 1e-7 * size / model.shape[0] / abs(whole.jac).max()
    found = pb.minimize_in_batches(model, data, start, size, epochs=1, step=("fixed", rate), **given)
    # Every batch has the whole gradient on average: the sum over the batches is so many times that.
    expected = -rate * (model.shape[0] / size) * whole.jac
    assert np.allclose(found.x - start, expected, rtol=1e-4, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize("name", problems())
def test_runs_have_the_bits_of_their_seed_on_any_number_of_threads(name):
    model, data, start, given = problems()[name]
    run = lambda seed, jobs: pb.minimize_in_batches(model, data, start, 10, epochs=2, seed=seed, n_jobs=jobs, average=1, **given)  # noqa: E731
    first, again, other = run(5, 1), run(5, 2), run(6, None)
    assert np.array_equal(first.x, again.x) and np.array_equal(first.average, again.average)
    assert np.array_equal(first.history["theta"], again.history["theta"]) and not np.array_equal(first.x, other.x)


def test_points_in_batches_settle_where_all_data_do():
    curve = pb.Curve(decay, T)
    whole = pb.minimize(curve, SEEN, [1.0, 1.0], sigma=0.1)
    found = pb.minimize_in_batches(curve, SEEN, [1.0, 1.0], 40, epochs=80, sigma=0.1)
    assert np.all(abs(found.x - whole.x) < 0.5 * whole.stderr)
    within = pb.minimize_in_batches(
        curve, SEEN, [1.0, 0.5], 40, epochs=20, sigma=0.1, bounds=[(None, None), (0.0, 0.6)], transforms=["log", None]
    )
    assert within.x[1] == 0.6


def test_missing_data_are_left_out():
    holed = SEEN.copy()
    holed[::7] = np.nan
    kept = np.isfinite(holed)
    given = {"epochs": 3, "sigma": 0.1}
    found = pb.minimize_in_batches(pb.Curve(decay, T), holed, [1.0, 1.0], 20, **given)
    same = pb.minimize_in_batches(pb.Curve(decay, T[kept]), SEEN[kept], [1.0, 1.0], 20, **given)
    assert np.array_equal(found.x, same.x)
    numbers = outputs(network().initial(9)).copy()
    numbers[3], numbers[5, 1] = np.nan, np.nan
    kept = np.arange(30) != 3
    given = {"epochs": 2, "direction": "gradient", "step": ("fixed", 1e-3)}
    found = pb.minimize_in_batches(network(), numbers, network().initial(1), 5, **given)
    same = pb.minimize_in_batches(pb.Network(INPUTS[kept], WIDTHS), numbers[kept], network().initial(1), 5, **given)
    assert np.array_equal(found.x, same.x)


def test_outliers_in_batches():
    model, data, _, given = problems()["outliers"]
    start = pb.minimize(model, data, [1.5, 1.0], sigma=0.1).x
    found = pb.minimize_in_batches(model, data, start, 50, epochs=60, average=30, step=("decaying", 0.3), **given)
    scale = 1.345
    residual = lambda theta: (decay(T, *theta) - data) / 0.1  # noqa: E731
    best = scipy.optimize.least_squares(residual, start, loss="huber", f_scale=scale)
    assert np.allclose(found.average, best.x, atol=0.01) and np.isclose(found.fun, best.cost, rtol=1e-3)


@pytest.mark.parametrize("kind", ["functions", "dynamics"])
def test_experiments_in_batches(kind):
    sizes = np.linspace(1.0, 3.0, 6)
    t = np.array([0.5, 1.0, 2.0, 4.0])
    if kind == "functions":
        models = [lambda theta, size=size: size * np.exp(-theta[0] * t) + theta[1] for size in sizes]
    else:
        rate = lambda t, x, p: [-p[0] * (x[0] - p[1])]  # noqa: E731
        models = [pb.Dynamics(rate, t, start=[size], parameters=["rate", "level"]) for size in sizes]
    truth, start = [0.8, 0.2], [0.5, 0.0]
    noise = 0.01 * np.random.default_rng(2).standard_normal((6, 4))
    data = [pb.solve(model, truth).reshape(-1) + own for model, own in zip(models, noise)]
    found = pb.minimize_in_batches(models, data, start, 2, epochs=40, average=20, sigma=0.01)
    together = lambda theta: np.concatenate([pb.solve(model, theta).reshape(-1) for model in models])  # noqa: E731
    whole = pb.minimize(together, np.concatenate(data), start, sigma=0.01)
    assert np.all(abs(found.average - whole.x) < 0.7 * whole.stderr) and found.steps == 120
    assert np.isclose(found.fun, whole.fun, rtol=0.2)
    # Experiments with noise of their own, and all of them at once.
    sigmas = [0.01 * size for size in sizes]
    at_once = pb.minimize_in_batches(models, data, start, 6, epochs=10, sigma=sigmas)
    whole = pb.minimize(together, np.concatenate(data), start, sigma=np.repeat(sigmas, 4))
    assert np.allclose(at_once.x, whole.x, rtol=1e-5)


def test_densities_as_experiments_with_a_metric_of_densities():
    grid = pb.Grid([(-6.0, 8.0, 70)])
    free = ["mean 0", "mean 1"]
    models = [pb.GaussianMixture(grid, [(w, -1.0, 1.0), (1.0 - w, 3.0, 1.0)], free=free) for w in (0.3, 0.5, 0.7)]
    data = [model.predict([-2.0, 2.0]) for model in models]
    given = {"loss": "kullback_leibler", "epochs": 30}
    found = pb.minimize_in_batches(models, data, [-1.0, 3.0], 1, metric="wasserstein", **given)
    assert found.ending == "converged" and np.allclose(found.x, [-2.0, 2.0], atol=1e-6)
    plain = pb.minimize_in_batches(models, data, [-1.0, 3.0], 1, **given)
    assert found.counts["metric_solves"] > 0 and plain.counts["metric_solves"] == 0
    with pytest.raises(ValueError, match="compares densities of mass 1"):
        pb.minimize_in_batches(models, [2.0 * q for q in data], [-1.0, 3.0], 1, loss=("kullback_leibler", 100))


def test_an_exception_of_an_experiment_is_raised():
    def broken(theta):
        if theta[0] != 1.0:
            raise KeyError("no such table")
        return theta

    with pytest.raises(pb.ModelError, match="no such table") as caught:
        pb.minimize_in_batches([broken, broken], [[2.0], [2.0]], [1.0], 1)
    assert isinstance(caught.value.__cause__, KeyError)


def test_callbacks_see_every_epoch_and_end_a_run():
    curve, seen = pb.Curve(decay, T), []
    found = pb.minimize_in_batches(
        curve, SEEN, [1.0, 1.0], 40, epochs=4, callback=lambda intermediate_result: seen.append(intermediate_result)
    )
    assert [point.epoch for point in seen] == [1, 2, 3, 4] and [point.steps for point in seen] == [10, 20, 30, 40]
    assert np.array_equal(seen[-1].x, found.x) and seen[0].fun == seen[0].mean == found.history["mean"][0]
    assert seen[0].objective is None and np.isnan(found.history["objective"]).all()
    evaluated = pb.minimize_in_batches(curve, SEEN, [1.0, 1.0], 40, epochs=4, evaluate=True, callback=lambda point: point.fun < 2.5)
    residual = decay(T, *evaluated.x) - SEEN
    assert np.isclose(evaluated.fun, 0.5 * residual @ residual, rtol=1e-12) and np.array_equal(
        evaluated.history["theta"][-1], evaluated.x
    )

    def ending(point):
        raise StopIteration

    stopped = pb.minimize_in_batches(curve, SEEN, [1.0, 1.0], 40, callback=ending)
    assert stopped.nit == 1 and stopped.ending == "callback" and not stopped.success and "callback" in stopped.message

    def failing(point):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        pb.minimize_in_batches(curve, SEEN, [1.0, 1.0], 40, callback=failing)


def test_an_interrupt_ends_a_run_with_its_last_epoch():
    curve = pb.Curve(decay, T)

    def interrupting(point):
        if point.epoch == 2:
            raise KeyboardInterrupt

    found = pb.minimize_in_batches(curve, SEEN, [1.0, 1.0], 40, epochs=5, callback=interrupting)
    two = pb.minimize_in_batches(curve, SEEN, [1.0, 1.0], 40, epochs=2)
    assert found.ending == "interrupted" and not found.success and found.nit == 2 and np.array_equal(found.x, two.x)
    assert found.counts == two.counts and "interrupted" in repr(found)


def test_ctrl_c_ends_a_run_within_a_second():
    x, labels = spirals(4000)
    model = pb.Network(x, [64, 64, 2])
    given = {"loss": ("softmax", 1.0 / 4000), "direction": "gradient", "step": ("fixed", 0.1), "evaluate": True}
    sent = []

    def send():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(0.5, send).start()
    found = pb.minimize_in_batches(model, labels, model.initial(1), 1000, epochs=10**6, **given)
    assert time.perf_counter() - sent[0] < 1.0
    assert found.ending == "interrupted" and found.nit == len(found.history) < 10**6
    assert found.nit == 0 or np.array_equal(found.x, found.history["theta"][-1])


def test_a_run_that_is_interrupted_before_its_first_epoch_is_at_its_start():
    def model(theta):
        if theta[0] != 1.0:
            raise KeyboardInterrupt
        return theta

    found = pb.minimize_in_batches([model], [[2.0]], [1.0], 1)
    assert found.ending == "interrupted" and found.nit == 0 and found.x.tolist() == [1.0] and found.average is None


def test_a_perfect_fit_converges():
    curve = pb.Curve(decay, T)
    found = pb.minimize_in_batches(curve, curve.predict(TRUTH), TRUTH, 40)
    assert found.ending == "converged" and found.success and found.nit == 1 and found.rejected == 10
    assert np.array_equal(found.x, TRUTH) and found.fun == 0.0 and "minimum for every batch" in found.message
    stuck = pb.minimize_in_batches(curve, SEEN, [1.0, 1.0], 40, direction="gradient", step=("fixed", 1e300))
    assert stuck.ending == "rejected" and not stuck.success and "no step of an epoch was accepted: " in stuck.message


@pytest.mark.parametrize("metric", ["fisher", ("sampled_fisher", 20), "empirical_fisher", "l2"])
def test_metrics_of_batches(metric):
    curve = pb.Curve(decay, T)
    whole = pb.minimize(curve, SEEN, [1.8, 0.8], sigma=0.1)
    direction = "information" if isinstance(metric, tuple) else "least_squares"
    # In units of the data, and not of their noise, a whole step is 1/σ² times that of Gauss and Newton.
    step = ("decaying", 0.01) if metric == "l2" else None
    given = {"epochs": 20, "sigma": 0.1, "metric": metric, "direction": direction, "step": step}
    found = pb.minimize_in_batches(curve, SEEN, [1.8, 0.8], 40, **given)
    assert np.all(abs(found.x - whole.x) < 2.0 * whole.stderr), found
    if metric in ("fisher", "l2"):
        rule = ("decaying", 1.0) if metric == "l2" else None
        same = pb.minimize_in_batches(curve, SEEN, [1.8, 0.8], 40, epochs=20, sigma=0.1, step=rule)
        assert np.allclose(found.x, same.x, rtol=1e-9)


def test_draws_differ_from_batch_to_batch():
    given = {"loss": "softmax", "direction": ("kfac", 0.1), "epochs": 1, "step": ("fixed", 0.1)}
    run = lambda metric: pb.minimize_in_batches(network(), LABELS, network().initial(1), 10, metric=metric, **given).x  # noqa: E731
    first = run(("sampled_fisher", {"draws": 2, "seed": 1}))
    assert np.array_equal(first, run(("sampled_fisher", {"draws": 2, "seed": 1})))
    assert not np.array_equal(first, run(("sampled_fisher", {"draws": 2, "seed": 2})))


def spirals(count=200):
    """Two spirals, the textbook's pair of classes that are hard to tell apart."""
    angle = 0.5 + 0.02 * (np.arange(count) // 2)
    turn = 4.0 * angle + np.pi * (np.arange(count) % 2)
    return np.stack([angle * np.cos(turn), angle * np.sin(turn)], axis=1), np.arange(count) % 2


def accuracy(model, theta, labels):
    return (model.predict(theta).argmax(axis=1) == labels).mean()


def test_kronecker_factors_tell_spirals_apart():
    x, labels = spirals()
    model = pb.Network(x, [12, 12, 2])
    mean = ("softmax", 1.0 / 200)
    found = pb.minimize_in_batches(
        model, labels, model.initial(1), 50, epochs=100, loss=mean, direction="kfac", step=("fixed", 0.5)
    )
    assert found.report.startswith("K-FAC on batches of 50") and accuracy(model, found.x, labels) > 0.9
    # The sum is as many times the mean: so is its damping.
    given = {"direction": ("kfac", 200 * 1e-3), "step": ("fixed", 0.5), "loss": "softmax"}
    total = pb.minimize_in_batches(model, labels, model.initial(1), 50, epochs=1, **given)
    once = pb.minimize_in_batches(model, labels, model.initial(1), 50, epochs=1, loss=mean, direction="kfac", step=("fixed", 0.5))
    assert np.allclose(total.x, once.x, rtol=1e-6) and np.isclose(total.fun, 200 * once.fun, rtol=1e-6)
    rounds = pb.minimize(model, labels, model.initial(1), loss=mean, direction="kfac", step=("fixed", 0.5), maxiter=100)
    assert rounds.fun < 0.3


@pytest.mark.parametrize("name, rate", [("gradient", 0.5), ("adam", 0.02), ("momentum", 0.05)])
def test_directions_of_networks_in_batches(name, rate):
    x, labels = spirals(100)
    model = pb.Network(x, [16, 2], "softplus" if name == "adam" else "tanh")
    labels = (np.hypot(*x.T) > 1.0).astype(int)
    given = {"direction": name, "step": ("fixed", rate), "loss": ("softmax", 1.0 / 100), "epochs": 150}
    found = pb.minimize_in_batches(model, labels, model.initial(1), 20, **given)
    assert accuracy(model, found.x, labels) > 0.9, found


def test_labels_of_other_models():
    x, labels = spirals(60)
    logits = pb.Explicit(lambda theta: np.stack([np.zeros(60), theta[0] + theta[1] * np.hypot(*x.T)], axis=1))
    labels = (np.hypot(*x.T) + 0.3 * np.random.default_rng(5).standard_normal(60) > 1.0).astype(int)
    found = pb.minimize(logits, labels, [0.0, 0.0], loss="softmax")
    best = scipy.optimize.minimize(
        lambda theta: (
            np.logaddexp(0.0, theta[0] + theta[1] * np.hypot(*x.T)) - labels * (theta[0] + theta[1] * np.hypot(*x.T))
        ).sum(),
        [0.0, 0.0],
    )
    assert found.success and np.allclose(found.x, best.x, atol=1e-4) and found.stderr is not None


@pytest.mark.parametrize(
    "labels, text",
    [
        (LABELS[:-1], "one label for each of 30 samples"),
        (np.eye(3)[LABELS], r"give data.argmax\(axis=1\)"),
        (np.where(np.arange(30) == 4, 3, LABELS), "data is 3 at index 4, but a label must be a whole number from 0 to 2"),
        (np.where(np.arange(30) == 4, -1, LABELS), "data is -1 at index 4"),
        (np.where(np.arange(30) == 4, 0.5, LABELS), "data is 0.5 at index 4"),
        (np.where(np.arange(30) == 4, np.nan, LABELS), "data is nan at index 4"),
        (["cat"] * 30, "array of numbers"),
    ],
)
def test_labels_are_checked(labels, text):
    model = network()
    for fit in (pb.minimize, lambda *given, **options: pb.minimize_in_batches(*given, 10, **options)):
        with pytest.raises(ValueError, match=text):
            fit(model, labels, model.initial(1), loss="softmax")


@pytest.mark.parametrize(
    "given, text",
    [
        ({"batch": 401}, "the size of a batch is 401; give at least 1 and at most the number of items"),
        ({"batch": 0}, "the size of a batch is 0"),
        ({"batch": -1}, "batch is -1, but must not be negative"),
        ({"epochs": 0}, "the number of epochs is 0; give at least one"),
        ({"average": 11}, "the number of averaged epochs is 11"),
        ({"theta0": [np.nan, 1.0]}, "theta0 is nan at index 0"),
        ({"theta0": [1.0]}, "theta0 has 1 entries, but the model has 2 parameters"),
        ({"data": SEEN[:-1]}, "data has 399 entries, but there are 400"),
        ({"direction": "kfac"}, 'K-FAC needs a model with layers, such as `Network`.*use "conjugate_gradient"'),
        (
            {"direction": "lbfgs"},
            'takes differences of gradients.*take batches of all items, or the direction "adam", "momentum" or "kfac"',
        ),
        ({"direction": "nonlinear_cg"}, "takes differences of gradients"),
        ({"direction": "adam"}, "direction='adam' needs a rate"),
        ({"direction": ("kfac", -1.0)}, "the damping of K-FAC is -1"),
        ({"direction": ("kfac", {"draws": 0})}, "the draws of K-FAC"),
        ({"direction": ("kfac", {"rate": 1.0})}, "'kfac' has no option 'rate'"),
        ({"direction": "downhill"}, "no 'downhill'"),
        ({"sigma": np.eye(400)}, "independent noise"),
        ({"sigma": -1.0}, "deviation|noise"),
        ({"loss": "softmax"}, "compares logits with labels"),
        ({"loss": "transport"}, "densities"),
        ({"loss": "huber"}, "give sigma"),
        ({"metric": "fisher"}, "data of known noise"),
        ({"metric": "wasserstein"}, "no grid"),
        ({"bounds": [(0.0, 0.5), (None, None)]}, "outside the bounds"),
        ({"data": np.full(400, np.nan)}, "the number of data is 0"),
        ({"model": [], "data": []}, "empty list"),
        (
            {"model": [lambda theta: theta], "data": [[1.0, 2.0], [1.0, 2.0]], "batch": 1},
            "the data of every experiment, of which there are 1",
        ),
        ({"model": [lambda theta: theta] * 2, "data": [[1.0, 2.0]] * 2, "sigma": [1.0], "batch": 1}, "sigma has 1 entries"),
        ({"model": [lambda theta: theta], "data": [[1.0, 2.0, 3.0]], "batch": 1}, "data has 3 entries"),
    ],
)
def test_wrong_arguments_of_batches_are_named(given, text):
    arguments = {"model": pb.Curve(decay, T), "data": SEEN, "theta0": [1.0, 1.0], "batch": 40, **given}
    with pytest.raises(ValueError, match=text):
        pb.minimize_in_batches(**arguments)


def test_models_that_are_not_made_of_samples_are_refused():
    for model in (lambda theta: theta, pb.Formula(lambda theta: theta, parameters=2), pb.Explicit(lambda theta: theta)):
        with pytest.raises(TypeError, match="model must be a Network, a Curve, or a list of models"):
            pb.minimize_in_batches(model, [1.0, 2.0], [1.0, 1.0], 1)


def test_a_prior_needs_the_noise():
    prior = pb.gaussian([0.0, 0.0], 1.0)
    with pytest.warns(UserWarning, match="with a prior the noise must be known: give sigma"):
        found = pb.minimize_in_batches(pb.Curve(decay, T), SEEN, [1.0, 1.0], 40, prior=prior)
    assert np.array_equal(found.x, pb.minimize_in_batches(pb.Curve(decay, T), SEEN, [1.0, 1.0], 40, prior=prior, sigma=1.0).x)


@pytest.mark.parametrize(
    "given, text",
    [
        ({"inputs": np.zeros((0, 3))}, "the number of samples"),
        ({"inputs": np.zeros((3, 0))}, "the number of inputs"),
        ({"inputs": [[1.0, np.nan]]}, "an input of a network is NaN at index 1"),
        ({"inputs": np.zeros((2, 2, 2))}, "inputs has 3 axes"),
        ({"widths": []}, "the number of layers"),
        ({"widths": [3, 0]}, "the least number of units"),
        ({"widths": [3, -1]}, "widths is -1"),
        ({"activation": "sigmoid"}, "no 'sigmoid'; choose tanh, relu or softplus"),
        ({"output_scales": [1.0]}, "the factors of the outputs"),
        ({"output_scales": [1.0, 0.0, 1.0]}, "the size of a factor of an output"),
    ],
)
def test_wrong_networks_are_named(given, text):
    with pytest.raises(ValueError, match=text):
        pb.Network(**{"inputs": INPUTS, "widths": WIDTHS, **given})


def test_wrong_parameters_and_inputs_of_networks_are_named():
    model = network()
    for arguments, text in [
        ((np.zeros(3),), "theta has 3 entries, but the model has 59 parameters"),
        ((np.zeros(3), INPUTS), "θ of the network"),
        ((np.full(59, np.nan), INPUTS), "θ of the network"),
        ((np.zeros(59), INPUTS[:, :2]), "inputs has 2 columns, but the network has 3 inputs"),
    ]:
        with pytest.raises(ValueError, match=text):
            model.predict(*arguments)
    with pytest.raises(TypeError, match="seed must be a whole number"):
        model.initial(0.5)


def test_newton_on_batches_is_annealed_by_default():
    rng = np.random.default_rng(0)
    network = pb.Network(rng.standard_normal((300, 3)), [3])
    labels = rng.integers(0, 3, 300)
    options = {"loss": "softmax", "prior": pb.gaussian(np.zeros(12), 2.0)}
    whole = pb.minimize(network, labels, network.initial(1), **options)
    found = pb.minimize_in_batches(network, labels, network.initial(1), 50, epochs=40, direction="newton", **options)
    assert found.fun < 1.01 * whole.fun


def test_labels_that_can_be_told_apart_are_fitted_without_end():
    network = pb.Network([[-1.0], [1.0]], [2])
    found = pb.minimize(network, [0, 1], network.initial(1), loss="softmax")
    assert found.fun < 1e-12
