"""Simulators without a model, the noise of repeated simulations, and delay coordinates."""

import numpy as np
import pytest

import pullback as pb

T = np.linspace(0.0, 3.0, 30)


def decay(theta, seed=0):
    return theta[0] * np.exp(-theta[1] * T) + 0.1 * theta[0] * np.sin(T)


def noisy(theta, seed):
    return decay(theta) + 0.01 * np.random.default_rng(seed).standard_normal(T.size)


def test_a_smooth_simulator_is_fitted_without_a_model_in_few_simulations():
    found = pb.correct(None, decay, decay([2.0, 0.7]), [1.0, 1.0])
    assert found.success and np.allclose(found.x, [2.0, 0.7], rtol=1e-7)
    # A survey of two, and steps that converge superlinearly. Each Gauss-Newton step by differences would take three.
    assert found.nfev <= 16
    assert found.history.shape == (found.nit, 2)


def test_a_linear_simulator_takes_as_many_simulations_as_there_are_unknowns_and_two_more():
    height = lambda theta, seed: theta[0] * T - 0.5 * theta[1] * T**2  # noqa: E731
    found = pb.correct(None, height, height([12.0, 9.81], 0), [10.0, 10.0])
    assert found.nfev == 5 and np.allclose(found.x, [12.0, 9.81], rtol=1e-9)


def test_a_random_simulator_without_a_model_is_averaged_and_repeats():
    found, again = (pb.correct(None, noisy, noisy([2.0, 0.7], 12345), [1.5, 0.6], maxiter=100) for _ in range(2))
    assert found.success and found.averaged and np.array_equal(found.history, again.history)
    z = np.stack([decay([1.0, 0.7]), -2.0 * T * np.exp(-0.7 * T)], axis=1)
    expected = 0.01 * np.sqrt(np.diag(np.linalg.inv(z.T @ z)))
    assert np.all(abs(found.x - [2.0, 0.7]) < 4.0 * expected)
    # A standard error from a dozen iterates is right to about a third.
    assert np.all(found.stderr < 3.0 * expected) and np.all(found.stderr > expected / 3.0)


def test_seeds_suit_all_generators_and_differ():
    seeds = []

    def simulate(theta, seed):
        np.random.seed(seed)
        seeds.append(int(np.int32(seed)))
        return decay(theta) + 0.01 * np.random.RandomState(seed).standard_normal(T.size)

    found = pb.correct(None, simulate, simulate([2.0, 0.7], 12345), [1.5, 0.6], seed=3)
    pb.replicates(simulate, found.x, 500, seed=4)
    assert found.averaged and len(set(seeds)) == len(seeds) > 500 and min(seeds) >= 0
    grid = pb.Grid([(-25.0, 25.0, 8), (-35.0, 35.0, 8), (0.0, 60.0, 8)])
    assert isinstance(pb.Occupations(grid, "lorenz", duration=10.0)([10.0, 28.0, 8.0 / 3.0], max(seeds)), np.ndarray)


def test_three_kinds_of_errors_are_told_apart():
    exact = decay([2.0, 0.7])
    found = pb.correct(None, noisy, exact, [1.5, 0.6], maxiter=100)
    assert found.averaged and found.data_stderr is None
    # The mean of a dozen iterates, and a little for the derivatives.
    ratio = found.averaging_stderr / found.stderr
    assert np.all(ratio > 0.999 / np.sqrt(12.0)) and np.all(ratio < 0.45)
    assert np.all(abs(found.x - [2.0, 0.7]) < 4.0 * found.averaging_stderr)
    known = pb.correct(None, decay, exact, [1.5, 0.6], sigma=0.01)
    z = np.stack([decay([1.0, 0.7]), -2.0 * T * np.exp(-0.7 * T)], axis=1)
    expected = 0.01 * np.sqrt(np.diag(np.linalg.inv(z.T @ z)))
    assert known.stderr is None and known.averaging_stderr is None and np.allclose(known.data_stderr, expected, rtol=1e-2)
    assert known.noise_distance is None and known.distance < 1e-4


def test_what_is_not_determined_or_held_is_named():
    blind = pb.correct(None, lambda theta, seed: decay([theta[0], theta[2]]), decay([2.0, 0.7]), [1.5, 0.4, 0.6])
    assert (
        blind.success
        and blind.x[1] == 0.4
        and blind.undetermined == [1]
        and np.array_equal(blind.null_space, [[0.0], [1.0], [0.0]])
    )
    assert "not determined by the data" in blind.remarks[0] and blind.remarks[0] in blind.report
    constant = pb.correct(None, lambda theta, seed: np.ones(30), decay([2.0, 0.7]), [1.5, 0.6])
    assert not constant.success and np.array_equal(constant.x, [1.5, 0.6]) and constant.undetermined == [0, 1]
    held = pb.correct(None, noisy, noisy([2.0, 0.7], 5), [1.5, 0.4], bounds=[(0.0, 5.0), (0.0, 0.5)], maxiter=100)
    assert (
        held.success
        and held.held == [1]
        and held.x[1] == 0.5
        and held.stderr[1] == 0.0
        and held.distance > 2.0 * held.noise_distance
    )


def test_a_deterministic_simulator_does_not_fluctuate():
    rounded = pb.correct(None, lambda theta, seed: np.round(decay(theta), 2), noisy([2.0, 0.7], 5), [1.5, 0.4])
    assert not rounded.averaged and rounded.stderr is None
    single = lambda theta, seed: decay(theta.astype(np.float32)).astype(np.float32)  # noqa: E731
    found = pb.correct(None, single, single(np.array([2.0, 0.7]), 0), [1.0, 1.0])
    assert not found.averaged and np.allclose(found.x, [2.0, 0.7], rtol=1e-5)


def test_densities_without_a_model_have_a_grid():
    grid = pb.Grid([(-5.0, 5.0, 50)])
    density = lambda theta, seed: np.exp(-0.5 * (grid.centres(0) - theta[0]) ** 2) / np.sqrt(2.0 * np.pi)  # noqa: E731
    for metric in ("wasserstein", ("fisher_rao", 1e-3), ("fisher_rao", {"floor": 1e-3})):
        found = pb.correct(None, density, density([0.7], 0), [0.0], metric=metric, grid=grid)
        assert found.success and np.allclose(found.x, [0.7], atol=1e-7), metric


def readings(theta, seed):
    common, *single = np.random.default_rng(seed).standard_normal(3)
    return np.array([1.0, 2.0]) * theta[0] + 0.1 * common + 0.001 * np.array(single)


def test_the_covariance_of_an_ensemble_weighs_a_second_fit():
    found = pb.replicates(readings, [1.2], 2000, seed=5)
    expected = 0.01 * np.ones((2, 2)) + 1e-6 * np.eye(2)
    # Relative errors of variances from n values are √(2/n), here 3 %.
    assert np.allclose(found.covariance, expected, rtol=0.15) and np.allclose(found.mean, [1.2, 2.4], atol=0.01)
    errors = []
    for sigma in (None, found.sigma(1e-5)):
        fits = [pb.correct(None, readings, readings([1.0], 1000 + k), [1.2], sigma=sigma).x[0] for k in range(8)]
        errors.append(np.sqrt(np.mean((np.array(fits) - 1.0) ** 2)))
    # By least squares 0.1 · 3/5, and by the difference of the readings 0.001 · √2, with a little for the mean of a dozen.
    assert 0.02 < errors[0] < 0.15 and errors[1] < 0.005
    second = pb.minimize(lambda theta: theta[0] * np.array([1.0, 2.0]), readings([1.0], 7), [1.2], sigma=found.sigma(1e-5))
    assert abs(second.x[0] - 1.0) < 5.0 * second.stderr[0] < 0.02


def test_shrinkage_keeps_variances():
    found = pb.replicates(readings, [1.0], 50)
    half = found.sigma(0.5)
    assert np.allclose(np.diag(half), np.diag(found.covariance)) and np.isclose(half[0, 1], 0.5 * found.covariance[0, 1])
    assert np.array_equal(found.sigma(), found.sigma(0.01)) and "2 observations" in repr(found)


def test_the_delay_measure_is_a_histogram_of_delayed_values():
    grid = pb.Grid([(-2.0, 2.0, 8), (-2.0, 2.0, 8), (-2.0, 2.0, 8)])
    x = np.sin(0.1 * np.arange(3000)) + 0.51 * np.cos(0.033 * np.arange(3000))
    rows = np.stack([x[14:], x[7:-7], x[:-14]], axis=1)
    counts, _ = np.histogramdd(rows, bins=8, range=[(-2.0, 2.0)] * 3)
    assert np.allclose(pb.delay_measure(x, grid, 7), counts / counts.sum() / grid.volume, rtol=1e-13)
    both = pb.delay_measure(x, grid, 7, symmetric=True)
    assert np.allclose(both, 0.5 * (counts + counts[::-1, ::-1, ::-1]) / counts.sum() / grid.volume, rtol=1e-13)


@pytest.mark.parametrize(
    "given, kind, text",
    [
        ({"model": decay, "displacement": 0.1}, ValueError, "displacement has no effect with a model"),
        ({"model": decay, "memory": 10}, ValueError, "memory has no effect with a model"),
        ({"model": decay, "grid": pb.Grid([(0.0, 1.0, 30)])}, ValueError, "grid has no effect with a model"),
        ({"displacement": 0.0}, ValueError, "give a fraction such as 0.1"),
        ({"displacement": np.nan}, ValueError, "give a fraction such as 0.1"),
        ({"displacement": "far"}, TypeError, "displacement must be a number"),
        ({"memory": 3}, ValueError, "keep at least two more than twice the number"),
        ({"metric": "l2", "sigma": 0.1}, ValueError, "metric has no effect beside sigma"),
        ({"sigma": -1.0}, ValueError, "must be positive"),
        ({"sigma": np.ones(3)}, ValueError, "3"),
        ({"metric": "wasserstein"}, ValueError, "metric of densities, but the model has no grid"),
        ({"metric": "kwng"}, ValueError, "metric of clouds of points"),
        ({"metric": "wasserstein", "grid": 3}, TypeError, "grid must be a Grid"),
        ({"metric": "wasserstein", "grid": pb.Grid([(0.0, 1.0, 5)])}, ValueError, "data has 30 entries, but the grid has 5 cells"),
        ({"data": []}, ValueError, "number of data"),
        ({"data": np.full(30, np.nan)}, ValueError, "data is nan at index 0, .*leave missing values out"),
        ({"simulate": lambda theta, seed: np.full(30, np.nan)}, ValueError, "nan at index 0, .*leave missing values out"),
        ({"starts": []}, ValueError, "starts is empty"),
        ({"simulate": 3}, TypeError, "simulate must be callable"),
        ({"simulate": lambda theta, seed: "never"}, RuntimeError, "every starting point was rejected: .*never"),
        ({"simulate": lambda theta, seed: np.ones(3)}, ValueError, "3"),
    ],
)
def test_mistakes_without_a_model_are_named(given, kind, text):
    chosen = {"model": None, "simulate": decay, "data": decay([2.0, 0.7]), "starts": [1.0, 1.0], **given}
    if given.get("model") is not None:
        chosen["model"] = lambda theta: decay(theta)
    with pytest.raises(kind, match=text):
        pb.correct(chosen.pop("model"), chosen.pop("simulate"), chosen.pop("data"), chosen.pop("starts"), **chosen)


def test_mistakes_of_ensembles_and_delays_are_named():
    for arguments, kind, text in (
        ((readings, [1.0], 1), ValueError, "simulate at least twice"),
        ((readings, [np.nan], 5), ValueError, "theta is nan at index 0"),
        ((readings, [1.0], 2.5), TypeError, "runs must be a whole number"),
        ((lambda theta, seed: "no", [1.0], 5), (RuntimeError, pb.ModelError), "no"),
        ((lambda theta, seed: np.ones(1 + seed % 2), [1.0], 5), ValueError, "a simulation"),
        ((lambda theta, seed: 1.0 / 0.0, [1.0], 5), pb.ModelError, "`simulate` raised ZeroDivisionError"),
        ((5, [1.0], 5), TypeError, "simulate must be callable"),
    ):
        with pytest.raises(kind, match=text):
            pb.replicates(*arguments)
    with pytest.raises(ValueError, match="simulate with noise"):
        pb.replicates(decay, [1.0, 1.0], 5).sigma()
    with pytest.raises(ValueError, match="fraction above 0"):
        pb.replicates(readings, [1.0], 5).sigma(0.0)
    square = pb.Grid([(-2.0, 2.0, 4)] * 2)
    for arguments, text in (
        ((np.zeros((5, 2)), square, 1), "series has 2 axes"),
        ((np.zeros(5), square, 0), "at least one sampling interval"),
        ((np.zeros(5), square, 5), "choose a shorter lag"),
        ((np.zeros(5), pb.Grid([(-1.0, 1.0, 4)]), 1), "take two or three"),
        ((np.full(5, 9.0), square, 1), "outside"),
        ((np.full(5, np.nan), square, 1), "series"),
    ):
        with pytest.raises(ValueError, match=text):
            pb.delay_measure(*arguments)
    with pytest.raises(TypeError, match="grid must be a Grid"):
        pb.delay_measure(np.zeros(5), 4, 1)


BOX = pb.Grid([(-25.0, 25.0, 8), (-35.0, 35.0, 8), (0.0, 60.0, 8)])
CLASSIC = [10.0, 28.0, 8.0 / 3.0]


def test_occupations_repeat_and_tell_why_they_cannot_simulate():
    lorenz = pb.Occupations(BOX, "lorenz", duration=100.0, noise=0.1)
    assert np.array_equal(lorenz(CLASSIC, 3), lorenz(CLASSIC, 3)) and not np.array_equal(lorenz(CLASSIC, 3), lorenz(CLASSIC, 4))
    assert isinstance(lorenz([10.0, 900.0, 2.7], 1), str) and "lorenz on (8, 8, 8)" in repr(lorenz)


def test_the_delay_measure_of_a_simulation_is_that_of_its_series():
    grid = pb.Grid([(-25.0, 25.0, 6)] * 3)
    times = 50.0 + 0.02 * np.arange(1, 5001)
    series = pb.Lorenz(np.append(0.0, times), start=[1.0, 1.0, 20.0], rtol=1e-9, atol=1e-9).predict(CLASSIC)[1:, 0]
    ours = pb.delay_measure(series, grid, 8, symmetric=True)
    theirs = pb.Occupations(grid, "lorenz", duration=100.0, interval=0.02, lag=8)(CLASSIC, 1)
    # Two chaotic trajectories, each over a hundred units of time.
    assert 0.5 * abs(ours - theirs).sum() * grid.volume < 0.25


def test_lorenz_from_one_coordinate_without_a_model():
    grid = pb.Grid([(-25.0, 25.0, 8)] * 3)
    lorenz = pb.Occupations(grid, "lorenz", duration=1000.0, interval=0.02, lag=8, tolerance=1e-7)
    data = lorenz(CLASSIC, 77)
    first = pb.correct(None, lorenz, data, [9.0, 25.0, 2.2], metric=("fisher_rao", 1e-3), grid=grid)
    assert first.success and np.all(abs(first.x / CLASSIC - 1.0) < 0.02)
    noise = pb.replicates(lorenz, first.x, 60).sigma(0.1)
    second = pb.correct(None, lorenz, data, first.x, sigma=noise, displacement=0.03)
    assert second.success and np.all(abs(second.x / CLASSIC - 1.0) < 0.005)


@pytest.mark.parametrize(
    "options, kind, text",
    [
        ({"flow": "duffing"}, ValueError, "flow: no flow 'duffing'; choose lorenz"),
        ({"grid": 3}, TypeError, "grid must be a Grid"),
        ({"duration": -1.0}, ValueError, "duration"),
        ({"interval": 0.0}, ValueError, "interval"),
        ({"noise": -1.0}, ValueError, "noise"),
        ({"lag": 0}, ValueError, "at least one sampling interval"),
        ({"lag": 2, "coordinate": 3}, ValueError, "count the coordinates from 0"),
        ({"start": [1.0]}, ValueError, "two or three"),
        ({"grid": pb.Grid([(-1.0, 1.0, 3)])}, ValueError, "."),
    ],
)
def test_mistakes_of_occupations_are_named(options, kind, text):
    chosen = {"grid": BOX, "flow": "lorenz", "duration": 10.0, **options}
    with pytest.raises(kind, match=text):
        pb.Occupations(chosen.pop("grid"), chosen.pop("flow"), **chosen)(CLASSIC, 1)
