"""Densities of SciPy, and maximum-likelihood fits of a decaying exponential with an estimated noise level.

python make_likelihoods.py > likelihoods.json
"""

import json

import numpy as np
from scipy import integrate, optimize, stats

FREEDOM = 4.0


def log_density(family, y, mean, sigma):
    if family == "gaussian":
        return stats.norm.logpdf(y, mean, sigma)
    if family == "laplace":
        return stats.laplace.logpdf(y, mean, sigma)
    if family == "log-normal":
        return stats.lognorm.logpdf(y, sigma, scale=mean)
    if family == "log10-normal":
        return stats.lognorm.logpdf(y, sigma * np.log(10.0), scale=mean)
    return stats.t.logpdf(y, FREEDOM, mean, sigma)


def point(family, y, mean, sigma):
    value = -float(log_density(family, y, mean, sigma))
    return {"family": family, "y": y, "mean": mean, "sigma": sigma, "value": value}


FAMILIES = ["gaussian", "laplace", "log-normal", "log10-normal", "student"]
points = [
    point(family, y, mean, sigma)
    for family in FAMILIES
    for y in [0.3, 2.0, 50.0]
    for mean in [0.7, 3.0]
    for sigma in [0.1, 1.0, 4.0]
]

t = np.linspace(0.0, 4.0, 40)


def state(family, theta):
    """Means a e^(-bt), and noise levels s + r mean (Gaussian) or s."""
    mean = theta[0] * np.exp(-theta[1] * t)
    return mean, theta[2] + theta[3] * mean if family == "gaussian" else theta[2] + 0.0 * mean


def misfit(family, theta, y):
    """Written out without SciPy's densities, so that complex steps pass through it."""
    mean, sigma = state(family, theta)
    if family == "gaussian":
        terms = ((y - mean) / sigma) ** 2 / 2 + np.log(2 * np.pi) / 2
    elif family == "log-normal":
        terms = ((np.log(y) - np.log(mean)) / sigma) ** 2 / 2 + np.log(2 * np.pi) / 2 + np.log(y)
    elif family == "log10-normal":
        terms = ((np.log(y) - np.log(mean)) / np.log(10.0) / sigma) ** 2 / 2 + np.log(2 * np.pi) / 2 + np.log(y * np.log(10.0))
    else:
        terms = (FREEDOM + 1) / 2 * np.log(1 + ((y - mean) / sigma) ** 2 / FREEDOM) - stats.t.logpdf(0.0, FREEDOM)
    return np.sum(terms + np.log(sigma))


def columns(f, theta, step=1e-30):
    """Derivatives by complex steps."""
    out = []
    for j in range(len(theta)):
        moved = theta.astype(complex)
        moved[j] += 1j * step
        out.append(np.imag(f(moved)) / step)
    return np.array(out)


def information(family, mean, sigma):
    """Fisher information of mean and sigma: integrals of squared scores, from differences of SciPy's densities."""

    def score(y, h):
        ahead = log_density(family, y, mean + h[0], sigma + h[1])
        return (ahead - log_density(family, y, mean - h[0], sigma - h[1])) / (2 * sum(h))

    if family.startswith("log"):
        spread = sigma * (np.log(10.0) if "10" in family else 1.0)
        ends = [mean * np.exp(-12 * spread), mean * np.exp(12 * spread)]
        grid = np.geomspace(*ends, 25)
    else:
        reach = 12 if family == "gaussian" else 3000
        grid = mean + sigma * np.sinh(np.linspace(-np.arcsinh(reach), np.arcsinh(reach), 25))
    found = []
    for h in [(1e-4 * mean, 0.0), (0.0, 1e-4 * sigma)]:
        square = lambda y: score(y, h) ** 2 * np.exp(log_density(family, y, mean, sigma))
        parts = [integrate.quad(square, a, b, epsabs=0, epsrel=1e-10)[0] for a, b in zip(grid, grid[1:])]
        found.append(sum(parts))
    return found


fits = []
rng = np.random.default_rng(11)
for family in ["gaussian", "log-normal", "log10-normal", "student"]:
    truth = np.array([3.0, 0.6, 0.05, 0.08] if family == "gaussian" else [3.0, 0.6, 0.2])
    mean, sigma = state(family, truth)
    noise = rng.standard_t(FREEDOM, t.size) if family == "student" else rng.standard_normal(t.size)
    if family == "log-normal":
        y = mean * np.exp(sigma * noise)
    elif family == "log10-normal":
        y = mean * 10 ** (sigma * noise)
    else:
        y = mean + sigma * noise
    inside = lambda x: misfit(family, x, y) if np.all(state(family, x)[1] > 0) else 1e10
    fit = optimize.minimize(inside, truth, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 10_000})
    polished = optimize.root(lambda x: columns(lambda c: misfit(family, c, y), x), fit.x, tol=1e-14)
    assert np.abs(polished.fun).max() < 1e-10 and np.abs(polished.x - fit.x).max() < 1e-5
    theta = polished.x
    value = float(np.real(misfit(family, theta, y)))
    mean, sigma = state(family, theta)
    assert abs(value + np.sum(log_density(family, y, mean, sigma))) < 1e-10 * abs(value)
    by_mean, by_sigma = columns(lambda c: state(family, c)[0], theta), columns(lambda c: state(family, c)[1], theta)
    fisher = np.zeros((theta.size, theta.size))
    for i in range(t.size):
        location, scale = information(family, mean[i], sigma[i])
        fisher += location * np.outer(by_mean[:, i], by_mean[:, i]) + scale * np.outer(by_sigma[:, i], by_sigma[:, i])
    errors = np.sqrt(np.diag(np.linalg.inv(fisher)))
    fits.append(
        {
            "family": family,
            "y": y.tolist(),
            "theta": theta.tolist(),
            "value": value,
            "errors": errors.tolist(),
        }
    )
print(json.dumps({"freedom": FREEDOM, "points": points, "t": t.tolist(), "fits": fits}))
