"""Forms of data, noise, bounds and names."""

import csv

import numpy as np
import pytest

import pullback as pb

TIMES = np.linspace(0.0, 3.0, 12)
TRUTH = [2.0, 0.7]


def pair(theta):
    """Two components at every time."""
    decay = theta[0] * np.exp(-theta[1] * TIMES)
    return np.stack([decay, theta[0] - decay], axis=1)


WIGGLE = 0.01 * np.cos(np.arange(24.0) ** 2).reshape(12, 2)
SEEN = pair(TRUTH) + WIGGLE


def dynamics():
    def rate(t, x, p):
        return [-p[0] * x[0], p[0] * x[0]]

    return pb.Dynamics(rate, TIMES, start=[2.0, 0.0], parameters=["rate"])


@pytest.mark.parametrize("model, theta0", [(pair, [1.0, 1.0]), (dynamics(), [1.0])])
def test_transposed_data_are_refused(model, theta0):
    with pytest.raises(ValueError, match=r"data has the shape \(2, 12\), but .* \(12, 2\); transpose the data"):
        pb.minimize(model, SEEN.T, theta0)
    with pytest.raises(ValueError, match=r"data has the shape \(4, 6\), but the values"):
        pb.minimize(model, SEEN.reshape(4, 6), theta0)
    found = [pb.minimize(model, data, theta0).x for data in (SEEN, SEEN.ravel(), SEEN[None], SEEN.tolist())]
    assert all(np.array_equal(x, found[0]) for x in found)


def test_deviations_may_have_the_shape_of_the_data():
    sigma = np.linspace(0.01, 0.1, 24).reshape(12, 2)
    flat = pb.minimize(pair, SEEN.ravel(), [1.0, 1.0], sigma=sigma.ravel())
    found = pb.minimize(pair, SEEN, [1.0, 1.0], sigma=sigma)
    full = pb.minimize(pair, SEEN, [1.0, 1.0], sigma=np.diag(sigma.ravel() ** 2))
    assert np.array_equal(found.x, flat.x) and np.array_equal(found.stderr, flat.stderr)
    assert np.allclose(full.stderr, flat.stderr, rtol=1e-9)
    with pytest.raises(ValueError, match=r"sigma has the shape \(2, 12\), but must .* shape \(12, 2\) of the data"):
        pb.minimize(pair, SEEN, [1.0, 1.0], sigma=sigma.T)


@pytest.mark.parametrize("form", [np.copy, np.ravel, np.ma.masked_invalid])
def test_the_deviation_of_a_missing_datum_does_not_matter(form):
    data, sigma = SEEN.copy(), np.full((12, 2), 0.01)
    data[3, 1] = sigma[3, 1] = np.nan
    found = pb.minimize(pair, data, [1.0, 1.0], sigma=form(sigma))
    kept = ~np.isnan(data.ravel())
    expected = pb.minimize(lambda theta: pair(theta).ravel()[kept], data.ravel()[kept], [1.0, 1.0], sigma=0.01)
    assert np.allclose(found.x, expected.x, rtol=1e-9) and np.allclose(found.stderr, expected.stderr, rtol=1e-6)


def matrix():
    return np.random.default_rng(5).normal(size=(8, 12))


@pytest.mark.parametrize("kind", ["array", "sparse"])
@pytest.mark.parametrize("sigma", [None, 0.1, "each", "full"])
def test_missing_observations_are_left_out(kind, sigma):
    operator, kept = matrix(), np.array([0, 1, 3, 4, 6, 7])
    covariance = 0.01 * (np.eye(8) + 0.3)
    noise = {"each": np.linspace(0.1, 0.2, 8), "full": covariance}.get(sigma, sigma)
    fewer = {"each": np.linspace(0.1, 0.2, 8)[kept], "full": covariance[np.ix_(kept, kept)]}.get(sigma, sigma)

    def curve(theta):
        return pair(theta)[:, 0]

    data = operator @ curve(TRUTH) + 0.01 * np.sin(np.arange(8.0))
    data[[2, 5]] = np.nan
    given = operator if kind == "array" else pytest.importorskip("scipy.sparse").csc_matrix(operator)
    found = pb.minimize(curve, data, [1.0, 1.0], observe=given, sigma=noise)
    expected = pb.minimize(lambda theta: operator[kept] @ curve(theta), data[kept], [1.0, 1.0], sigma=fewer)
    assert np.allclose(found.x, expected.x, rtol=1e-7) and np.allclose(found.stderr, expected.stderr, rtol=1e-5)


def test_missing_pressures_of_a_medium_are_left_out():
    grid = pb.Grid([(0.0, 1.0, 8)])
    darcy = pb.Darcy(grid, pressure={(0, "lower"): 1.0, (0, "upper"): 0.0})
    points, options = [[0.2], [0.4], [0.6], [0.9]], {"sigma": 0.01, "prior": pb.matern(grid, 1.0, 0.3)}
    data = np.array([0.8, np.nan, 0.5, 0.05])
    found = pb.minimize(darcy, data, np.zeros(8), observe=darcy.observe(points), **options)
    kept = [0, 2, 3]
    expected = pb.minimize(darcy, data[kept], np.zeros(8), observe=darcy.observe([points[i] for i in kept]), **options)
    assert np.allclose(found.x, expected.x, atol=1e-6)


@pytest.mark.parametrize("loss", ["kullback_leibler", "reverse_kullback_leibler", "hellinger", "chi_squared", "sobolev"])
def test_densities_have_no_noise(loss):
    grid = pb.Grid([(-5.0, 5.0, 100)])
    model = pb.GaussianMixture(grid, [(1.0, 0.5, 2.0)], free=["mean 0"])
    for sigma in (0.1, np.ones(3)):
        with pytest.raises(ValueError, match="sigma"):
            pb.minimize(model, model.predict([0.0]), [0.5], loss=loss, sigma=sigma)
    with pytest.raises(ValueError, match="observe has no effect"):
        pb.minimize(model, model.predict([0.0]), [0.5], loss=loss, observe=np.eye(100))


def test_bounds_in_the_other_form_of_scipy_are_explained():
    with pytest.raises(ValueError, match=r"outside the bounds .*one pair .* would be \[\(0.0, 5.0\), \(0.0, 5.0\)\]"):
        pb.minimize(pair, SEEN, [1.0, 1.0], bounds=([0, 0], [5, 5]))
    with pytest.raises(ValueError, match=r"outside the bounds \[2.0, 5.0\]$"):
        pb.minimize(pair, SEEN, [1.0, 1.0], bounds=[(0, 5), (2, 5)])


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [row["parameter"] for row in csv.DictReader(file)]


def test_parameters_have_names(tmp_path):
    for found, names in [
        (pb.minimize(pair, SEEN, [1.0, 1.0], names=["height", "slope"]), ["height", "slope"]),
        (pb.minimize(dynamics(), SEEN, [1.0]), ["rate"]),
        (pb.Run(pair, SEEN, [1.0, 1.0], names=["height", "slope"]).finish(), ["height", "slope"]),
        (pb.multistart(pair, SEEN, [[1.0, 1.0]], names=["height", "slope"]).best, ["height", "slope"]),
    ]:
        found.save(tmp_path / "found.csv")
        assert found.names == names == rows(tmp_path / "found.csv")
        for name in names:
            assert name in repr(found) and name in found.html()
    for table in (pb.multistart(dynamics(), SEEN, [[1.0]]), pb.profile(dynamics(), SEEN, [0.7])):
        assert "rate" in repr(table)
    flat = pb.minimize(lambda theta: TIMES * (theta[0] + theta[1]), TIMES, [1.0, 1.0], names=["a", "b"], sigma=1.0)
    assert "undetermined by the data: a, b" in repr(flat)
    with pytest.raises(ValueError, match="names has 1 entries, but there are 2 parameters"):
        pb.minimize(pair, SEEN, [1.0, 1.0], names=["a"])
    with pytest.raises(TypeError, match="single name 'ab'"):
        pb.minimize(pair, SEEN, [1.0, 1.0], names="ab")


def test_messages_have_the_words_of_python():
    short = pb.minimize(pair, SEEN, [9.0, 9.0], maxiter=1)
    assert "maxiter" in short.message and "::" not in short.message + short.report
    assert pb.Run(pair, SEEN, [9.0, 9.0], maxiter=0).finish().message.count("maxiter") == 1
    few = pb.minimize(lambda theta: theta, [1.0], [0.5])
    assert "sigma" in few.cov_message and "::" not in few.cov_message
    with pytest.raises(ValueError, match='the transform "log"'):
        pb.minimize(pair, SEEN, [-1.0, 1.0], transforms="log")
    with pytest.raises(Exception, match="write the model as `Dynamics`") as caught:
        pb.minimize(pair, SEEN, [1.0, 1.0], direction="newton")
    assert "::" not in str(caught.value)
