"""`minimize`: losses, metrics, priors, results."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import scipy.optimize

import pullback as pb

GRID = pb.Grid([(-6.0, 8.0, 140)])


def mixture():
    return pb.GaussianMixture(GRID, [(0.5, -1.0, 1.0), (0.5, 3.0, 1.0)], free=["weight 0", "mean 0", "mean 1"])


TRUTH = [0.3, -2.0, 2.0]


@pytest.mark.parametrize("metric", [None, "l2", "fisher_rao", "wasserstein", "sobolev", ("sobolev", -0.5)])
@pytest.mark.parametrize("loss", ["l2", "kullback_leibler", "hellinger", "chi_squared", "sobolev", "reverse_kullback_leibler"])
def test_every_loss_and_metric_leads_to_the_truth(loss, metric):
    model = mixture()
    near = [0.35, -1.8, 2.2]
    found = pb.minimize(model, model.predict(TRUTH), near, loss=loss, metric=metric, uncertainty=False)
    assert np.allclose(found.x, TRUTH, atol=1e-4), found


@pytest.mark.parametrize("direction", ["least_squares", "information", "newton", "conjugate_gradient", "auto"])
def test_every_direction_leads_to_the_truth(direction):
    model = mixture()
    found = pb.minimize(model, model.predict(TRUTH), [0.35, -1.8, 2.2], direction=direction)
    assert np.allclose(found.x, TRUTH, atol=1e-5), found


def test_a_prior_is_a_ridge():
    a = np.random.default_rng(2).standard_normal((12, 4))
    y = a @ [1.0, -2.0, 0.5, 3.0]
    mean, sigma = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.5, 1.0, 2.0, 0.2])
    found = pb.minimize(lambda theta: a @ theta, y, np.zeros(4), sigma=0.3, prior=pb.gaussian(mean, sigma))
    precision = a.T @ a / 0.09 + np.diag(sigma**-2.0)
    expected = np.linalg.solve(precision, a.T @ y / 0.09 + mean / sigma**2)
    assert np.allclose(found.x, expected, rtol=1e-9)
    assert np.allclose(found.cov, np.linalg.inv(precision), rtol=1e-8)
    assert np.allclose(found.jac, 0.0, atol=1e-8)


def test_noise_is_estimated_or_known():
    t = np.linspace(0.0, 1.0, 50)
    y = 1.0 + 2.0 * t + 0.1 * np.random.default_rng(4).standard_normal(50)
    line = lambda theta: theta[0] + theta[1] * t  # noqa: E731
    _, cov = scipy.optimize.curve_fit(lambda t, a, b: a + b * t, t, y)
    assert np.allclose(pb.minimize(line, y, [0.0, 0.0]).cov, cov, rtol=1e-6)
    _, cov = scipy.optimize.curve_fit(lambda t, a, b: a + b * t, t, y, sigma=0.1 * np.ones(50), absolute_sigma=True)
    assert np.allclose(pb.minimize(line, y, [0.0, 0.0], sigma=0.1).cov, cov, rtol=1e-6)
    y[3] = np.nan
    assert np.allclose(pb.minimize(line, y, [0.0, 0.0]).x, np.polyfit(np.delete(t, 3), np.delete(y, 3), 1)[::-1])


def test_bounds_hold_parameters():
    found = pb.minimize(lambda theta: theta, [3.0, 0.5], [1.0, 0.0], bounds=[(None, 2.0), (0.0, 1.0)], sigma=1.0)
    assert np.allclose(found.x, [2.0, 0.5], rtol=1e-15) and found.held == [0] and found.jac[0] == -1.0


def test_the_result_is_one_of_scipy_with_a_history():
    found = pb.minimize(mixture(), mixture().predict(TRUTH), mixture().start)
    assert isinstance(found, scipy.optimize.OptimizeResult) and isinstance(found, pb.Result)
    assert found.history["theta"].shape == (found.nit + 1, 3) and found.history["loss"][-1] == found.fun
    assert np.array_equal(found.history["theta"][0], mixture().start)
    assert found.counts["model_solves"] >= found.nit and found.status == 0
    assert found.state.shape == GRID.shape and np.allclose(found.state, mixture().predict(found.x))
    copy = pickle.loads(pickle.dumps(found))
    assert type(copy) is type(found) and np.array_equal(copy.x, found.x)


def test_results_are_readable():
    t = np.linspace(0.0, 1.0, 20)
    found = pb.minimize(lambda theta: (theta[0] + theta[1]) * t + theta[2], 3.0 * t + 1.0, [1.0, 1.0, 0.0], sigma=0.1)
    assert found.undetermined == [0, 1]
    assert "undetermined" in repr(found) and "converged" in repr(found)
    assert "<table>" in found._repr_html_() and "undetermined" in found._repr_html_()
    without = pb.minimize(lambda theta: theta * t[1:2], [1.0], [0.5])
    assert without.cov is None and without.cov_message and "x = [" in repr(without) and without._repr_html_()


def test_a_callback_stops():
    seen = []

    def stop(intermediate_result):
        seen.append(intermediate_result.fun)
        if len(seen) == 3:
            raise StopIteration

    found = pb.minimize(mixture(), mixture().predict(TRUTH), mixture().start, callback=stop)
    assert len(seen) == 3 and not found.success and found.message == "stopped by the callback"
    for answer, steps in ((True, 0), (np.bool_(True), 0), (np.True_ & True, 0), (1.0, None), (np.bool_(False), None)):
        found = pb.minimize(mixture(), mixture().predict(TRUTH), mixture().start, callback=lambda intermediate_result: answer)
        assert found.success if steps is None else found.nit == steps and found.reason == "observer"
    with pytest.raises(ZeroDivisionError):
        pb.minimize(mixture(), mixture().predict(TRUTH), mixture().start, callback=lambda intermediate_result: 1 / 0)


@pytest.mark.parametrize(
    "change, match",
    [
        ({"data": np.ones(3)}, "data has 3 entries, but there are 140 values of the model"),
        ({"theta0": [1.0]}, "theta0 has 1 entries, but the model has 3 parameters"),
        ({"theta0": [1.0, np.nan, 0.0]}, "theta0 is nan at index 1"),
        ({"metric": "w3"}, "metric: no 'w3'; choose l2, sobolev, fisher_rao, wasserstein, "),
        ({"loss": "l3"}, "loss: no 'l3'; choose l2"),
        ({"direction": "up"}, "direction: no 'up'; choose auto"),
        ({"transforms": "exp"}, "transforms: no 'exp'"),
        ({"transforms": ["log"]}, "transforms has 1 entries"),
        ({"bounds": [(0.0, 1.0)]}, "bounds has 1 pairs"),
        ({"bounds": [(0.0, 1.0), (0.0, 1.0), (5.0, 6.0)]}, "theta0 is .* outside the bounds"),
        ({"sigma": -1.0}, "standard deviation"),
        ({"ftol": -1.0}, "tolerance"),
        ({"data": "abc"}, "data must be an array of numbers"),
        ({"data": [1.0], "observe": np.ones(140)}, "observe has 1 axes"),
        ({"data": [1.0], "observe": [[1.0, 2.0]]}, "columns of the observation operator"),
        ({"maxiter": -1}, "maxiter is -1"),
        ({"transforms": [("logit", 1.0)]}, "transforms: give"),
    ],
)
def test_wrong_input_is_a_value_error_that_names_it(change, match):
    model = mixture()
    arguments = {"data": model.predict(TRUTH), "theta0": model.start, **change}
    with pytest.raises(ValueError, match=match):
        pb.minimize(model, arguments.pop("data"), arguments.pop("theta0"), **arguments)


def test_a_model_must_be_one():
    with pytest.raises(TypeError, match="model must be a model or a function"):
        pb.minimize(3, [1.0], [1.0])
    with pytest.raises(ValueError, match="metric of densities, but the model has no grid"):
        pb.minimize(lambda theta: theta, [1.0], [2.0], metric="wasserstein")
    with pytest.raises(TypeError, match="callback must be callable"):
        pb.minimize(lambda theta: theta, [1.0], [2.0], callback=3)
    with pytest.raises(TypeError, match="maxiter must be a whole number"):
        pb.minimize(lambda theta: theta, [1.0], [2.0], maxiter=2.5)
    with pytest.raises(TypeError, match="prior must be made by"):
        pb.minimize(lambda theta: theta, [1.0], [2.0], prior=[1.0])


def interrupt_after(seconds, sent):
    def send():
        time.sleep(seconds)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=send).start()


def slow(theta):
    time.sleep(0.02)
    return theta**2


def test_ctrl_c_returns_the_best_point_within_a_second():
    sent = []
    interrupt_after(0.3, sent)
    found = pb.minimize(slow, [1e9], [1.0], direction="gradient", ftol=0.0, xtol=0.0, maxiter=10**6)
    assert time.perf_counter() - sent[0] < 1.0
    assert not found.success and found.reason == "interrupted" and found.x[0] > 1.0


def test_ctrl_c_stops_a_computation_in_the_library():
    grid = pb.Grid([(-20.0, 20.0, 16), (-28.0, 28.0, 16), (0.0, 50.0, 16)])
    model = pb.InvariantMeasure(grid, "lorenz")
    data = model.predict([10.0, 28.0, 8.0 / 3.0])
    sent = []
    interrupt_after(0.3, sent)
    with pytest.raises(KeyboardInterrupt):
        while True:
            if pb.minimize(model, data, [8.0, 24.0, 2.0]).reason == "interrupted":
                raise KeyboardInterrupt
    assert time.perf_counter() - sent[0] < 1.0


def test_ctrl_c_is_raised_by_the_replacements_of_scipy():
    sent = []
    interrupt_after(0.3, sent)
    with pytest.raises(KeyboardInterrupt):
        pb.least_squares(lambda x: slow(x) - 1e9 * np.exp(x), [1.0], ftol=0.0, xtol=0.0)
        time.sleep(5.0)
    assert time.perf_counter() - sent[0] < 1.0


def test_other_threads_run_meanwhile():
    grid = pb.Grid([(-20.0, 20.0, 20), (-28.0, 28.0, 20), (0.0, 50.0, 20)])
    model = pb.InvariantMeasure(grid, "lorenz")
    count, stop = [0], threading.Event()

    def spin():
        while not stop.is_set():
            count[0] += 1
            time.sleep(1e-3)

    thread = threading.Thread(target=spin)
    thread.start()
    before, began = count[0], time.perf_counter()
    model.predict([10.0, 28.0, 8.0 / 3.0])
    gained, seconds = count[0] - before, time.perf_counter() - began
    stop.set()
    thread.join()
    assert gained > 0.1 * seconds / 1e-3


def test_the_import_is_short():
    code = "import numpy, time; t = time.perf_counter(); import pullback; print(time.perf_counter() - t)"
    times = [float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(3)]
    assert min(times) < 0.15
    code = "import pullback, sys; assert 'scipy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
