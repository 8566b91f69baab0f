"""Errors where the noise, or the number of observations, has to be known."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import pullback as pb

GRID = pb.Grid([(-6.0, 8.0, 70)])
COUNT = 400
DIVERGENCES = ["kullback_leibler", "reverse_kullback_leibler", "hellinger", "chi_squared"]


def mixture():
    return pb.GaussianMixture(GRID, [(0.3, -2.0, 1.0), (0.7, 2.0, 1.0)], free=["weight 0", "mean 0", "mean 1"])


def chances(theta):
    return pb.solve(mixture(), theta) * 14.0 / 70


@pytest.mark.parametrize("loss", DIVERGENCES)
def test_errors_of_densities_are_those_of_a_histogram(loss):
    truth = [0.3, -2.0, 2.0]
    found = pb.minimize(mixture(), mixture().predict(truth), [0.35, -1.8, 2.2], loss=(loss, COUNT))
    p = chances(found.x)
    moved = np.array([chances(found.x + h) - chances(found.x - h) for h in 1e-5 * np.eye(3)]) / 2e-5
    # Fisher's information of a multinomial distribution, N Σ ∂p ∂p / p.
    assert np.allclose(found.cov, np.linalg.inv(COUNT * (moved / p) @ moved.T), rtol=1e-5)
    assert found.cov_message is None


def test_a_histogram_is_fitted_by_its_likelihood():
    counts = np.random.default_rng(6).multinomial(COUNT, chances([0.3, -2.0, 2.0]))

    def surprise(theta):
        return -scipy.stats.multinomial.logpmf(counts, COUNT, chances(theta) / chances(theta).sum())

    # The mass of the data has no effect on errors: frequencies and numbers of observations are the same data.
    found = pb.minimize(mixture(), counts / COUNT / 0.2, [0.35, -1.8, 2.2], loss=("kullback_leibler", COUNT))
    best = scipy.optimize.minimize(surprise, found.x, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-11})
    assert np.allclose(found.x, best.x, atol=1e-5)
    other = found.x + [0.02, 0.1, -0.1]
    density = counts / COUNT / 0.2
    change = pb.minimize(mixture(), density, other, loss=("kullback_leibler", COUNT), maxiter=0).fun - found.fun
    assert np.isclose(change, surprise(other) - surprise(found.x), rtol=1e-4)


@pytest.mark.parametrize("loss", ["sobolev", ("sobolev", -1)])
def test_the_sobolev_misfit_is_no_likelihood_and_has_no_errors(loss):
    data = mixture().predict([0.3, -2.0, 2.0])
    found = pb.minimize(mixture(), data, [0.35, -1.8, 2.2], loss=loss)
    assert found.success and found.cov is None and found.stderr is None and "no likelihood" in found.cov_message
    for refused in (
        lambda: pb.minimize(mixture(), data, [0.35, -1.8, 2.2], loss=loss, uncertainty=True),
        lambda: pb.profile(mixture(), data, found.x, loss=loss),
        lambda: pb.posterior(mixture(), data, found.x, loss=loss, prior=pb.gaussian(found.x, 1.0)),
    ):
        with pytest.raises(ValueError, match="no likelihood"):
            refused()


@pytest.mark.parametrize("loss", DIVERGENCES)
def test_histograms_that_are_no_densities_are_refused(loss):
    counts = np.random.default_rng(6).multinomial(COUNT, chances([0.3, -2.0, 2.0])) + 1.0
    density = counts / counts.sum() / GRID.volume
    for data in (counts, counts / counts.sum()):
        with pytest.raises(ValueError, match=r"give data / \(data.sum\(\) \* grid.volume\)"):
            pb.minimize(mixture(), data, [0.35, -1.8, 2.2], loss=(loss, COUNT))
        scaled = data / (data.sum() * GRID.volume)
        assert np.allclose(scaled, density, rtol=1e-14)
    # States of a mass other than 1 are compared with data of their mass.
    expected = pb.minimize(mixture(), density, [0.35, -1.8, 2.2], loss=(loss, COUNT))
    many = pb.Explicit(lambda theta: 5.0 * mixture().predict(theta), lambda theta: 5.0 * pb.jacobian(mixture(), theta))
    many.grid = GRID
    found = pb.minimize(many, 5.0 * density, [0.35, -1.8, 2.2], loss=(loss, COUNT))
    assert np.allclose(found.stderr, expected.stderr, rtol=1e-3)


@pytest.mark.parametrize("loss", DIVERGENCES)
def test_densities_without_their_number_have_no_errors(loss):
    data = mixture().predict([0.3, -2.0, 2.0])
    found = pb.minimize(mixture(), data, [0.35, -1.8, 2.2], loss=loss)
    assert found.stderr is None and f"loss=('{loss}', N)" in found.cov_message
    with pytest.raises(ValueError, match="number N of observations"):
        pb.minimize(mixture(), data, [0.35, -1.8, 2.2], loss=loss, uncertainty=True)
    with pytest.raises(ValueError, match="number N of observations"):
        pb.profile(mixture(), data, found.x, loss=loss)
    with pytest.raises(ValueError, match="number of observations is -2"):
        pb.minimize(mixture(), data, [0.35, -1.8, 2.2], loss=(loss, -2))
    with pytest.raises(ValueError, match="sigma has no effect"):
        pb.minimize(mixture(), data, [0.35, -1.8, 2.2], loss=loss, sigma=0.1)


def ridge(**options):
    a = np.random.default_rng(2).standard_normal((12, 2))
    y = a @ [1.0, -2.0] + 9.0 * np.random.default_rng(3).standard_normal(12)
    return pb.minimize(lambda theta: a @ theta, y, [0.0, 0.0], prior=pb.gaussian([0.0, 0.0], [1.0, 1.0]), **options)


def test_a_prior_needs_the_noise():
    with pytest.warns(UserWarning, match="with a prior the noise must be known: give sigma"):
        found = ridge()
    assert found.cov is None and found.stderr is None and "give sigma" in found.cov_message
    assert np.allclose(found.x, ridge(sigma=1.0).x)
    for asked in ({"posterior": True}, {"uncertainty": True}):
        with pytest.raises(ValueError, match="give sigma"):
            ridge(**asked)


def test_a_prior_needs_the_noise_in_every_search():
    prior = pb.gaussian([0.0, 0.0], 1.0)
    with pytest.raises(ValueError, match="give sigma"):
        pb.posterior(lambda theta: theta, [1.0, 2.0], [0.0, 0.0], prior=prior)
    with pytest.raises(ValueError, match="give sigma"):
        pb.profile(lambda theta: theta, [1.0, 2.0], [0.0, 0.0], prior=prior)
    with pytest.warns(UserWarning, match="give sigma"):
        found = pb.multistart(lambda theta: theta, [1.0, 2.0], [[0.0, 0.0]], prior=prior)
    assert found.optima[0].stderr is None and found.best.stderr is None


def test_errors_and_posterior_agree():
    found = ridge(sigma=9.0, posterior=True)
    assert np.allclose(found.stderr, found.posterior.std, rtol=1e-8)


# Velocities of a reaction against concentrations (Treloar 1974; data of Bates and Watts).
DOSE = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)
RATE = np.array([76.0, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200])


def velocity(theta):
    return theta[0] * DOSE / (theta[1] + DOSE)


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "tukey"])
def test_robust_losses_need_the_noise(loss):
    for chosen in (loss, (loss, 2.0)):
        with pytest.raises(ValueError, match=f"loss='{loss}' weighs residuals in units of the noise.*give sigma"):
            pb.minimize(velocity, RATE, [150.0, 0.1], loss=chosen)
    found = pb.minimize(velocity, RATE, [150.0, 0.1], loss=loss, sigma=11.0)
    assert found.success and np.allclose(found.x, [213.0, 0.066], rtol=0.05)


@pytest.mark.parametrize("loss, scale", [("soft_l1", 1.287), ("huber", 1.345), ("cauchy", 2.385), ("huber", 0.7)])
def test_the_scale_of_a_robust_loss_is_chosen(loss, scale):
    rate = RATE.copy()
    rate[3] += 60.0
    found = pb.minimize(velocity, rate, [200.0, 0.06], loss=(loss, scale), sigma=11.0)
    residual = lambda theta: (velocity(theta) - rate) / 11.0  # noqa: E731
    options = {"loss": loss, "f_scale": scale, "xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-12, "x_scale": [100.0, 0.1]}
    theirs = scipy.optimize.least_squares(residual, [200.0, 0.06], **options)
    assert np.allclose(found.x, theirs.x, rtol=1e-5) and np.isclose(found.fun, theirs.cost, rtol=1e-9)
    if scale != 0.7:
        assert np.isclose(pb.minimize(velocity, rate, [200.0, 0.06], loss=loss, sigma=11.0).fun, found.fun, rtol=1e-9)


def test_the_deviation_of_a_random_field_is_larger_near_the_boundary():
    square = pb.Grid([(0.0, 1.0, 40), (0.0, 1.0, 40)])
    model = pb.Explicit(lambda theta: theta[:1], jac=lambda theta: np.eye(1, 1600))
    found = pb.posterior(model, [0.0], np.zeros(1600), sigma=1.0, prior=pb.matern(square, 1.0, 0.2), rank=1)
    std = found.prior_std.reshape(40, 40)
    assert abs(std[20, 20] - 1.0) < 0.03
    assert abs(std[0, 20] - 2**0.5) < 0.05 and 1.85 < std[0, 0] < 2.0
