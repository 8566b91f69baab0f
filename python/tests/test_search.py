"""Many starts, profiles, posteriors, corrections and threads, against closed forms."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import pullback as pb
from pullback import _pullback

T = np.linspace(0.0, 10.0, 40)
YEARS = np.arange(21.0)
HUNT = pb.LotkaVolterra(YEARS, start=[30.0, 4.0])
TRUTH = [0.55, 0.028, 0.024, 0.8]
SEEN = HUNT.predict(TRUTH) * np.exp(0.05 * np.random.default_rng(2).standard_normal((21, 2)))


def wave(theta):
    return np.sin(theta[0] * T)


def test_many_starts_find_the_optima_between_the_poles_of_a_wave():
    found = pb.multistart(wave, np.sin(3.0 * T), within=[(0.5, 6.0)], count=30, names=["frequency"])
    assert np.allclose(found.best.x, [3.0]) and found.best.success
    values = [optimum.fun for optimum in found.optima]
    assert values == sorted(values) and len(values) > 5
    assert sum(len(optimum.starts) for optimum in found.optima) == found.converged <= found.starts == 30
    for optimum in found.optima:
        slope = (wave(optimum.x) - np.sin(3.0 * T)) @ (T * np.cos(optimum.x[0] * T))
        assert abs(slope) < 1e-6 * np.linalg.norm(T)
    assert "frequency" in repr(found) and found._repr_html_().startswith("<pre>")


def test_given_starts_are_used_and_failures_are_listed():
    found = pb.multistart(lambda theta: np.log(theta), [0.0], [[0.5], [2.0], [-1.0]])
    assert np.allclose(found.best.x, [1.0]) and found.failures[0][0] == 2
    assert [list(optimum.starts) for optimum in found.optima] == [[0, 1]]


def test_an_exception_of_the_model_ends_a_search():
    def broken(theta):
        if theta[0] > 2.0:
            raise KeyError("my own")
        return theta * 2.0

    with pytest.raises(pb.ModelError, match="my own"):
        pb.multistart(pb.Explicit(broken, lambda theta: 2.0 * np.eye(1)), [1.0], [[1.0], [3.0], [0.1]])


def test_arguments_of_searches_are_checked_by_their_own_names():
    model, data = lambda theta: theta**2, [4.0, 9.0]
    for search, start in ((pb.multistart, [[1.0, 1.0]]), (pb.profile, [2.0, 3.0])):
        with pytest.raises(TypeError, match="callback"):
            search(model, data, start, callback=print)
    bounds = [(0.5, 5.0), (0.5, 5.0)]
    with pytest.raises(ValueError, match=r"^within is 0.1 at index 1, outside the bounds \[0.5, 5.0\]"):
        pb.multistart(model, data, within=[(1.0, 4.0), (0.1, 4.0)], bounds=bounds)
    with pytest.raises(ValueError, match=r"^within is 9.0 at index 0"):
        pb.multistart(model, data, within=[(1.0, 9.0), (1.0, 4.0)], bounds=bounds)
    with pytest.raises(ValueError, match=r"^starts\[1\] is 0.0 at index 0"):
        pb.multistart(model, data, [[1.0, 1.0], [0.0, 1.0]], bounds=bounds)
    with pytest.raises(ValueError, match=r"^x is 9.0 at index 0"):
        pb.profile(model, data, [9.0, 3.0], bounds=bounds)
    with pytest.raises(ValueError, match=r"^within has 1 entries, but the model has 3 parameters"):
        pb.multistart(pb.Lorenz([1.0], start=[1.0, 1.0, 1.0]), np.ones(3), within=[(1.0, 2.0)])
    found = pb.multistart(model, data, within=[(0.5, 5.0), (1.0, 4.0)], bounds=bounds, count=3)
    assert np.allclose(found.best.x, [2.0, 3.0])


def test_profiles_of_a_line_are_its_intervals():
    t, rng = np.linspace(0.0, 1.0, 30), np.random.default_rng(4)
    y = 1.0 + 2.0 * t + 0.1 * rng.standard_normal(30)
    line = lambda theta: theta[0] + theta[1] * t  # noqa: E731
    for sigma in (None, 0.1):
        fit = pb.minimize(line, y, [0.0, 0.0], sigma=sigma)
        found = pb.profile(line, y, fit.x, sigma=sigma)
        assert np.allclose(found.intervals, fit.intervals, rtol=1e-5)
        assert [one.identifiability for one in found.profiles] == ["identifiable"] * 2
        assert found.better is None and found.profiles[0].theta.shape[1] == 2


def test_a_profile_shows_a_parameter_without_effect():
    f = lambda theta: theta[0] * theta[1] * np.ones(5)  # noqa: E731
    found = pb.profile(f, np.full(5, 2.0), [1.0, 2.0], sigma=0.1, transforms="log", parameters=[1])
    assert found.profiles[0].identifiability == "structurally unidentifiable" and "open" in found.profiles[0].ends[1]


def test_a_posterior_is_that_of_bayes_for_a_linear_model():
    grid, rng = pb.Grid([(0.0, 1.0, 40)]), np.random.default_rng(6)
    a = rng.standard_normal((12, 40)) / 6.0
    model, prior = pb.Explicit(lambda theta: a @ theta, lambda theta: a), pb.matern(grid, 1.0, 0.3)
    seen = a @ np.sin(6.0 * grid.centres(0)) + 0.1 * rng.standard_normal(12)
    chosen = {"rank": 20, "samples": 4000, "seed": 3}
    found = pb.minimize(model, seen, np.zeros(40), sigma=0.1, prior=prior, direction="data_space", posterior=chosen)
    # The covariance of the prior, from the posterior of data that say nothing.
    nothing = pb.Explicit(lambda theta: 1e-12 * theta, lambda theta: 1e-12 * np.eye(40))
    flat = pb.posterior(nothing, np.zeros(40), np.zeros(40), sigma=1.0, prior=prior, rank=40)
    c = flat.eigenvectors @ flat.eigenvectors.T
    assert np.allclose(np.sqrt(np.diag(c)), flat.prior_std, rtol=1e-6)
    gain = c @ a.T @ np.linalg.inv(a @ c @ a.T + 0.01 * np.eye(12))
    cov = c - gain @ a @ c
    posterior = found.posterior
    assert np.allclose(found.x, gain @ seen, atol=1e-6) and np.array_equal(posterior.mean, found.x)
    assert np.allclose(posterior.std, np.sqrt(np.diag(cov)), rtol=1e-6)
    assert posterior.samples.shape == (4000, 40) and np.allclose(posterior.samples.std(axis=0), posterior.std, rtol=0.06)
    assert np.allclose(posterior.samples.mean(axis=0), found.x, atol=0.08)
    assert np.allclose(posterior.information_gain, 0.5 * np.linalg.slogdet(np.eye(12) + 100.0 * a @ c @ a.T)[1], rtol=1e-6)
    low, high = posterior.intervals(0.6826894921370859).T
    assert np.allclose(high - low, 2.0 * posterior.std) and "Posterior of 40 parameters" in repr(posterior)


@pytest.mark.parametrize(
    ("given", "kind", "match"),
    [
        (True, ValueError, "posterior needs a prior"),
        ({"rang": 3}, ValueError, "no option 'rang'"),
        (0, ValueError, "rank of a posterior"),
        ("many", TypeError, "rank must be a whole number"),
    ],
)
def test_options_of_posteriors_are_named(given, kind, match):
    prior = None if given is True else pb.gaussian([0.0, 0.0], 1.0)
    with pytest.raises(kind, match=match):
        pb.minimize(lambda theta: theta, [1.0, 2.0], [0.0, 0.0], sigma=1.0, prior=prior, posterior=given)


def test_a_correction_reaches_the_parameters_where_a_fit_of_the_model_does_not():
    rough = lambda theta: theta[0] * np.exp(-theta[1] * T)  # noqa: E731
    truth = lambda theta, seed: rough(theta) + 0.1 * theta[0] * np.sin(T)  # noqa: E731
    data = truth([2.0, 0.7], 0)
    fit = pb.minimize(rough, data, [1.0, 1.0])
    found = pb.correct(rough, truth, data, fit.x)
    assert abs(fit.x[1] - 0.7) > 0.005 and found.success and np.allclose(found.x, [2.0, 0.7], rtol=1e-6)
    assert found.history.shape == (found.nit, 2) and not found.averaged and found.stderr is None


def test_a_random_simulator_is_averaged():
    rough = lambda theta: theta[0] * np.exp(-theta[1] * T)  # noqa: E731

    def truth(theta, seed):
        return rough(theta) + 0.01 * np.random.default_rng(seed).standard_normal(T.size)

    found = pb.correct(rough, truth, truth([2.0, 0.7], 12345), [1.5, 0.6], maxiter=100)
    assert found.success and found.averaged and np.all(np.abs(found.x - [2.0, 0.7]) < 5.0 * found.stderr)
    again = pb.correct(rough, truth, truth([2.0, 0.7], 12345), [1.5, 0.6], maxiter=100)
    assert np.array_equal(found.history, again.history)


def test_a_simulator_may_refuse_and_fail():
    refuse = lambda theta, seed: theta * 1.0 if theta[0] > 1.0 else "too small"  # noqa: E731
    found = pb.correct(lambda theta: theta, refuse, [3.0], [[0.5], [2.0]])
    assert np.allclose(found.x, [3.0]) and "too small" in found.rejected_starts[0]

    def fail(theta, seed):
        raise ZeroDivisionError("here")

    with pytest.raises(pb.ModelError, match="`simulate` raised ZeroDivisionError: here"):
        pb.correct(lambda theta: theta, fail, [3.0], [2.0])


def fitted(n_jobs):
    found = pb.minimize(HUNT, SEEN, [0.5, 0.03, 0.025, 0.75], sigma=0.05 * SEEN.ravel(), transforms="log", n_jobs=n_jobs)
    return np.concatenate([found.x, found.cov.ravel(), found.history["loss"]])


def searched(n_jobs):
    box = [(0.2, 1.0), (0.01, 0.06), (0.01, 0.06), (0.3, 1.5)]
    found = pb.multistart(HUNT, SEEN, within=box, count=6, sigma=1.0, transforms="log", n_jobs=n_jobs)
    return np.concatenate([optimum.x for optimum in found.optima])


def field(n_jobs):
    grid = pb.Grid([(0.0, 1.0, 24), (0.0, 1.0, 24)])
    darcy = pb.Darcy(grid, pressure={(0, "lower"): 1.0, (0, "upper"): 0.0})
    seen = darcy.predict(np.sin(6.0 * grid.centres(0))[:, None] * np.ones(24))
    prior = pb.matern(grid, 1.0, 0.5)
    found = pb.minimize(
        darcy, seen, np.zeros(576), sigma=0.001, prior=prior, direction="auto", maxiter=5, posterior=20, n_jobs=n_jobs
    )
    return np.concatenate([found.x, found.posterior.std])


@pytest.mark.parametrize("task", [fitted, searched, field])
def test_results_have_the_same_bits_with_any_number_of_threads(task):
    expected = task(1)
    for n_jobs in (2, 5, -1, None):
        assert np.array_equal(task(n_jobs), expected)


def test_fits_of_functions_have_the_same_bits_with_any_number_of_threads():
    y = 2.5 * np.exp(-1.3 * T) + 0.5 + 0.01 * np.sin(40.0 * T)
    curve = lambda t, a, b, c: a * np.exp(-b * t) + c  # noqa: E731
    expected, _ = pb.curve_fit(curve, T, y)
    residual = lambda x: curve(T, *x) - y  # noqa: E731
    for n_jobs in (1, 3, -1):
        assert np.array_equal(pb.curve_fit(curve, T, y, n_jobs=n_jobs)[0], expected)
        assert np.array_equal(pb.least_squares(residual, np.ones(3), n_jobs=n_jobs).x, pb.least_squares(residual, np.ones(3)).x)


def test_numbers_of_threads_are_those_of_scikit_learn():
    every = _pullback.all_threads()
    for n_jobs, expected in [(1, 1), (3, 3), (-1, every), (-every - 5, 1)]:
        with pb.threads(n_jobs) as count:
            assert count == _pullback.get_threads() == expected
    with pb.threads(2), pb.threads(None) as count:
        assert count == 2
    pb.set_threads(3)
    with pb.threads(2) as count:
        assert count == 2
    seen = []
    thread = threading.Thread(target=lambda: seen.append(_pullback.get_threads()))
    with pb.threads(2):
        thread.start()
        thread.join()
    assert seen == [3] and _pullback.get_threads() == 3
    pb.set_threads(None)
    assert _pullback.get_threads() == every


def test_a_model_may_compute_with_the_library_itself():
    root = pb.Implicit(1, lambda r, t: r**2 - t, lambda r, t: 2.0 * r, lambda r, t: -np.eye(1), guess=lambda t: np.ones(1))

    def nested(theta):
        return pb.solve(root, theta) if theta[0] > 0.0 else np.full(1, np.nan)

    model = pb.Explicit(nested, lambda theta: pb.jacobian(root, theta))
    pb.set_threads(1)
    try:
        assert np.allclose(pb.minimize(model, [3.0], [4.0]).x, [9.0])
        assert np.allclose(pb.multistart(model, [3.0], [[4.0], [16.0]]).best.x, [9.0])
    finally:
        pb.set_threads(None)


@pytest.mark.parametrize(("n_jobs", "kind"), [(0, ValueError), (10**6, ValueError), (1.5, TypeError), ("all", TypeError)])
def test_wrong_numbers_of_threads_are_refused(n_jobs, kind):
    with pytest.raises(kind, match="n_jobs"), pb.threads(n_jobs):
        pass
    with pytest.raises(kind, match="n_jobs"):
        pb.minimize(lambda theta: theta, [1.0], [0.0], n_jobs=n_jobs)


def test_the_environment_sets_the_number_of_threads():
    code = "from pullback import _pullback; import pullback as pb; pb.threads(-1); print(_pullback.get_threads())"
    environment = {**os.environ, "RAYON_NUM_THREADS": "3"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stdout == "3\n"


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_ctrl_c_ends_a_search_within_a_second(n_jobs):
    import _thread

    slow = pb.LotkaVolterra(np.linspace(0.0, 20.0, 2000), start=[30.0, 4.0], rtol=1e-12, atol=1e-12)
    box = [(0.2, 1.0), (0.01, 0.06), (0.01, 0.06), (0.3, 1.5)]
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        _thread.interrupt_main()

    timer = threading.Timer(0.5, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        pb.multistart(slow, np.ones((2000, 2)), within=box, count=500, transforms="log", n_jobs=n_jobs)
    assert time.perf_counter() - pressed[0] < 1.0


def test_a_design_is_that_of_fedorov_for_a_line():
    t = np.linspace(-1.0, 1.0, 21)
    line = lambda theta: theta[0] + theta[1] * t + theta[2] * t**2  # noqa: E731
    best = pb.design(line, [1.0, 1.0, 1.0], 0.5)
    assert np.allclose(best.weights[[0, 10, 20]], 1.0 / 3.0, atol=1e-6) and best.efficiency > 0.999999
    assert list(pb.design(line, [1.0, 1.0, 1.0], 0.5, count=3).chosen) == [0, 10, 20]
    # Kiefer's weights of the criterion A for a parabola: a quarter at both ends and half in the middle.
    assert np.allclose(pb.design(line, [1.0, 1.0, 1.0], criterion="A").weights[[0, 10, 20]], [0.25, 0.5, 0.25], atol=1e-5)


def test_a_jacobian_is_that_of_differences():
    theta, h = np.array(TRUTH), 1e-6
    ends = [HUNT.predict(theta + s * h * theta * np.eye(4)[2]) for s in (1.0, -1.0)]
    expected = (ends[0] - ends[1]).ravel() / (2.0 * h * theta[2])
    assert np.allclose(pb.jacobian(HUNT, theta)[:, 2], expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("options", [{"criterion": "F"}, {"count": 0}, {"group": 4}, {"units": [1.0]}, {"sigma": [1.0, 2.0]}])
def test_options_of_designs_are_checked(options):
    t = np.linspace(-1.0, 1.0, 21)
    with pytest.raises(ValueError):
        pb.design(lambda theta: theta[0] + theta[1] * t, [1.0, 1.0], **options)
