"""Many small fits beside `scipy.optimize.curve_fit`, and bands beside closed forms."""

import time
import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats

import pullback as pb

T = np.linspace(0.0, 4.0, 12)


def decay(t, a, b, c):
    return a * np.exp(-b * t) + c


def wells(count, seed=3):
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0.5, 1.5, count)
    return decay(T, 3.0, rates[:, None], 1.0) + 0.05 * rng.standard_normal((count, T.size))


@pytest.mark.parametrize("sigma", [None, 0.05, np.linspace(0.04, 0.06, 12)])
def test_fits_are_those_of_scipy(sigma):
    data = wells(20)
    found = pb.fit_many(decay, T, data, [2.0, 1.0, 0.5], sigma=sigma)
    assert found.success.all() and found.x.shape == (20, 3)
    for row, y in enumerate(data):
        noise = None if sigma is None else np.broadcast_to(sigma, T.shape)
        popt, pcov = scipy.optimize.curve_fit(
            decay, T, y, [2.0, 1.0, 0.5], sigma=noise, absolute_sigma=sigma is not None, xtol=1e-12
        )
        assert np.allclose(found.x[row], popt, rtol=1e-5)
        assert np.allclose(found.stderr[row], np.sqrt(np.diag(pcov)), rtol=1e-4)


def test_starts_of_their_own_missing_data_and_threads():
    data = wells(40)
    data[3, 5] = np.nan
    starts = np.tile([2.0, 1.0, 0.5], (40, 1)) * np.linspace(0.8, 1.2, 40)[:, None]
    one = pb.fit_many(decay, T, data, starts, n_jobs=1)
    two = pb.fit_many(decay, T, data, starts, n_jobs=2)
    assert one.success.all() and np.array_equal(one.x, two.x)
    keep = np.isfinite(data[3])
    assert np.allclose(one.x[3], scipy.optimize.curve_fit(decay, T[keep], data[3][keep], [2.0, 1.0, 0.5])[0], rtol=1e-5)


def test_bounds_transforms_and_outliers():
    data = wells(10)
    data[:, 2] += 3.0
    found = pb.fit_many(decay, T, data, [2.0, 1.0, 0.5], sigma=0.05, loss="cauchy", transforms=["identity", "log", "identity"])
    plain = pb.fit_many(decay, T, data, [2.0, 1.0, 0.5], sigma=0.05)
    assert found.success.all() and abs(found.x[:, 0] - 3.0).max() < 0.3 < abs(plain.x[:, 0] - 3.0).max()
    held = pb.fit_many(decay, T, wells(10), [2.0, 1.0, 0.5], bounds=[(0.0, 2.5), (0.0, None), (None, None)])
    assert (held.x[:, 0] == 2.5).all() and (held.stderr[:, 0] == 0.0).all()


def test_many_fits_are_much_faster_than_one_after_the_other():
    data = wells(2000)
    began = time.perf_counter()
    found = pb.fit_many(decay, T, data, [2.0, 1.0, 0.5])
    ours = (time.perf_counter() - began) / 2000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.perf_counter()
        for y in data[:100]:
            scipy.optimize.curve_fit(decay, T, y, [2.0, 1.0, 0.5])
    theirs = (time.perf_counter() - began) / 100
    print(f"\n{1e6 * ours:.1f} µs a fit, SciPy {1e6 * theirs:.1f} µs")
    assert found.success.all() and ours < theirs


def test_formulas_that_cannot_be_traced_and_wrong_arguments_are_refused():
    data = wells(3)
    for f in (lambda x, a: a * x / x.mean(), lambda x, a: scipy.special.erf(a * x)):
        with pytest.raises(ValueError, match="use curve_fit"):
            pb.fit_many(f, T, data, [1.0])
    # Also if f is not finite at one of the points, which then has no datum.
    holed = np.concatenate([T, [-1.0]])
    missing = np.concatenate([data, np.full((3, 1), np.nan)], axis=1)
    with np.errstate(invalid="ignore"):
        with pytest.raises(ValueError, match="use curve_fit"):
            pb.fit_many(lambda x, a: a * np.sqrt(x) / np.nanmax(x), holed, missing, [1.0])
        with pytest.raises(ValueError, match="use curve_fit"):
            pb.fit_many(lambda x, a: a * np.sqrt(x) / x.max(), holed, missing, [1.0])
        found = pb.fit_many(lambda x, a: a * np.sqrt(x), holed, missing, [1.0])
        assert np.allclose(found.x[:, 0], data @ np.sqrt(T) / T.sum(), rtol=1e-9)
        with pytest.raises(ValueError, match="not finite at any point"):
            pb.fit_many(lambda x, a: a * np.log(-1.0 - x**2), T, data, [1.0])
    for wrong, text in [
        ({"ydata": data[0]}, "one row of 12 data"),
        ({"ydata": data[:, :5]}, "one row of 12 data"),
        ({"p0": np.ones((2, 3))}, "one row for each of 3 sets"),
        ({"p0": [np.nan, 1.0, 1.0]}, "p0 is nan"),
        ({"loss": "huber"}, "give the noise"),
        ({"loss": "square", "sigma": 1.0}, "loss must be one of"),
        ({"bounds": [(0.0, 1.0)]}, "pairs"),
        ({"sigma": [1.0, 2.0]}, "sigma|noise"),
    ]:
        given = {"f": decay, "xdata": T, "ydata": data, "p0": [1.0, 1.0, 1.0], **wrong}
        with pytest.raises(ValueError, match=text):
            pb.fit_many(**given)


@pytest.mark.parametrize("known", [True, False])
def test_bands_of_a_line_are_those_of_regression(known):
    rng = np.random.default_rng(8)
    t = np.linspace(0.0, 1.0, 15)
    y = 1.0 + 2.0 * t + 0.1 * rng.standard_normal(15)
    found = pb.minimize(lambda theta: theta[0] + theta[1] * t, y, [0.0, 0.0], **({"sigma": 0.1} if known else {}))
    s = np.array([-1.0, 0.5, 3.0])
    lower, upper = pb.band(lambda theta: theta[0] + theta[1] * s, found)
    design = np.stack([np.ones(15), t], axis=1)
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    variance = 0.01 if known else residual @ residual / 13
    quantile = scipy.stats.norm.ppf(0.975) if known else scipy.stats.t.ppf(0.975, 13)
    new = np.stack([np.ones(3), s], axis=1)
    spread = np.sqrt(variance * np.einsum("ij,jk,ik->i", new, np.linalg.inv(design.T @ design), new))
    assert np.allclose((upper - lower) / 2.0, quantile * spread, rtol=1e-6)
    wide = pb.band(lambda theta: theta[0] + theta[1] * s, found, sigma=0.3)
    assert np.allclose((wide[1] - wide[0]) / 2.0, quantile * np.sqrt(spread**2 + 0.09), rtol=1e-6)


def test_bands_need_errors():
    found = pb.minimize(lambda theta: theta * T, T, [0.5], uncertainty=False)
    with pytest.raises(ValueError, match="no errors"):
        pb.band(lambda theta: theta * T, found)


def test_bands_around_fits_without_finite_errors():
    held = pb.minimize(lambda theta: theta * T, 2.0 * T, [2.0], bounds=[(2.0, 2.0)], sigma=0.1)
    lower, upper = pb.band(lambda theta: theta * T, held, sigma=0.3)
    assert held.stderr.tolist() == [0.0] and np.allclose((upper - lower) / 2.0, scipy.stats.norm.ppf(0.975) * 0.3)
    assert np.array_equal(*pb.band(lambda theta: theta * T, held))
    unseen = pb.minimize(lambda theta: 0.0 * theta + T, T, [2.0], sigma=0.1)
    lower, upper = pb.band(lambda theta: theta * T + 1.0, unseen)
    assert np.isinf(unseen.stderr[0]) and np.isneginf(lower[1:]).all() and np.isposinf(upper[1:]).all()
    assert lower[0] == upper[0] == 1.0


@pytest.mark.parametrize("sigma", [-0.1, np.nan, [0.1, 0.2], np.full((12, 1), 0.1), np.linspace(-0.1, 1.0, 12)])
def test_wrong_noise_of_bands_is_named(sigma):
    found = pb.minimize(lambda theta: theta * T, T, [0.5], sigma=0.1)
    with pytest.raises(ValueError, match="sigma"):
        pb.band(lambda theta: theta * T, found, sigma=sigma)
