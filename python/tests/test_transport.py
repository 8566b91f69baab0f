"""Losses by optimal transport, and metrics by their options, beside closed forms."""

import numpy as np
import pytest

import pullback as pb

LINE = pb.Grid([(-8.0, 12.0, 200)])
PLANE = pb.Grid([(-5.0, 8.0, 40), (-5.0, 8.0, 40)])


def bump(grid, mean, deviation=1.0):
    axes = np.meshgrid(*(grid.centres(d) for d in range(len(grid.shape))), indexing="ij")
    squares = sum((x - m) ** 2 for x, m in zip(axes, np.atleast_1d(mean)))
    density = np.exp(-0.5 * squares / deviation**2)
    return density / (density.sum() * grid.volume)


class Density:
    """The state itself, on a grid."""

    def __init__(self, grid):
        self.grid, self.state_dim, self.param_dim = grid, grid.cells, grid.cells


def value(loss, grid, state, target):
    from pullback._loss import as_loss

    return as_loss(Density(grid), target.reshape(-1), loss=loss, sigma=None, observe=None).value(state.reshape(-1))


def test_the_distance_on_a_line_is_that_of_the_quantiles():
    stats = pytest.importorskip("scipy.stats")
    a, b = bump(LINE, -1.0), bump(LINE, 4.0, 1.5)
    # ½ (5² + 0.5²), and cells of a tenth.
    assert np.isclose(value("transport", LINE, a, b), 0.5 * 25.25, rtol=1e-3)
    levels = (np.arange(20_000) + 0.5) / 20_000
    edges = np.linspace(-8.0, 12.0, 201)
    quantile = [np.interp(levels, np.append(0.0, np.cumsum(r) / r.sum()), edges) for r in (a, b)]
    assert np.isclose(value("transport", LINE, a, b), 0.5 * np.mean((quantile[0] - quantile[1]) ** 2), rtol=1e-6)
    # The mean of both differs by the distance W₁ at least.
    first = stats.wasserstein_distance(LINE.centres(0), LINE.centres(0), a, b)
    assert 2.0 * value("transport", LINE, a, b) > first**2


def test_entropic_transport_takes_options():
    a, b = bump(PLANE, [1.0, 3.0], 0.8), bump(PLANE, [3.0, 2.0], 1.1)
    exact = 0.5 * (5.0 + 2.0 * 0.3**2)
    errors = [
        abs(value(loss, PLANE, a, b) - exact)
        for loss in (("transport", 1.0), ("transport", 0.3), ("transport", {"epsilon": 0.3, "extrapolate": True}))
    ]
    assert errors[0] > 3.0 * errors[1] > 9.0 * errors[2]
    assert value(("transport", 0.3), PLANE, a, b) == value(("transport", {"epsilon": 0.3}), PLANE, a, b)
    assert np.isclose(value("marginal_transport", PLANE, a, b), exact, rtol=1e-2)


def test_unbalanced_transport_makes_mass():
    a, b = bump(LINE, 0.0), bump(LINE, 0.5)
    balanced = value("transport", LINE, a, b)
    assert np.isclose(value(("unbalanced_transport", 1e4), LINE, a, b), balanced, rtol=1e-2)
    # Far apart it costs ½ λ to remove a unit of mass and ½ λ to make it.
    far = value(("unbalanced_transport", {"lambda": 2.0, "epsilon": 0.02}), LINE, bump(LINE, -5.0, 0.5), bump(LINE, 9.0, 0.5))
    assert np.isclose(far, 2.0, rtol=1e-2)
    assert value(("unbalanced_transport", 2.0), LINE, 1.5 * a, b) > value(("unbalanced_transport", 2.0), LINE, a, b)


@pytest.mark.parametrize("loss", ["transport", ("unbalanced_transport", 200.0)])
def test_a_bump_is_found_from_beyond_the_plateau_of_l2(loss):
    model = pb.GaussianMixture(LINE, [(1.0, 0.0, 1.0)], free=["mean 0"])
    found = pb.minimize(model, model.predict([7.0]), [-3.0], loss=loss)
    assert found.success and abs(found.x[0] - 7.0) < 1e-4
    assert found.cov is None and "no likelihood" in found.cov_message
    stuck = pb.minimize(model, model.predict([7.0]), [-3.0], loss="l2")
    assert abs(stuck.x[0] - 7.0) > 1.0


def test_in_the_plane_too():
    model = pb.GaussianMixture(PLANE, [(1.0, [0.0, 0.0], 1.0)], free=["mean 0 0", "mean 0 1"])
    for loss in (
        "transport",
        "marginal_transport",
        "sliced_transport",
        ("transport", {"epsilon": 0.5, "tolerance": 1e-9, "iterations": 500}),
    ):
        found = pb.minimize(model, model.predict([4.0, 3.0]), [-1.0, 0.0], loss=loss)
        assert found.success and np.allclose(found.x, [4.0, 3.0], atol=1e-4), loss


@pytest.mark.parametrize(
    "loss, text",
    [
        (("transport", -1.0), "ε of Sinkhorn"),
        (("transport", 1e-6), "finer grid"),
        (("transport", {"iterations": 0}), "allow some"),
        (("transport", {"iterations": 2.5}), "whole number"),
        (("transport", {"tolerance": 0.0}), "1e-10"),
        (("transport", {"blur": 1.0}), "no option 'blur'; choose epsilon, extrapolate, tolerance, iterations"),
        (("transport", {"epsilon": 1.0, "iterations": 1}), "allow more iterations"),
        (("marginal_transport", 1.0), "takes no number"),
        ("unbalanced_transport", "give \\('unbalanced_transport', λ\\)"),
        (("unbalanced_transport", 0.0), "λ of an unbalanced"),
        (("unbalanced_transport", {"lambda": 1.0, "epsilon": 2.0}), "take ε at most λ"),
        (("unbalanced_transport", {"lambda": 1.0, "extrapolate": True}), "no option 'extrapolate'"),
        ("teleport", "choose l2, .*marginal_transport"),
        (("sliced_transport", 0), "such as 8 in the plane"),
        (("sliced_transport", 2.5), "whole number"),
        (("l2", 1.0), "takes no number"),
        (("transport", "small"), "must be a number"),
        (("transport", 1.0, 2.0), "a dictionary of options"),
    ],
)
def test_mistakes_are_named(loss, text):
    model = pb.GaussianMixture(LINE, [(1.0, 0.0, 1.0)], free=["mean 0"])
    with pytest.raises((ValueError, TypeError), match=text):
        pb.minimize(model, model.predict([1.0]), [0.0], loss=loss)


def test_masses_that_differ_have_a_remedy_in_words_of_python():
    model = pb.GaussianMixture(LINE, [(1.0, 0.0, 1.0)], free=["mean 0"])
    with pytest.raises(ValueError, match='the loss "unbalanced_transport"'):
        pb.minimize(model, 2.0 * model.predict([1.0]), [0.0], loss="transport")
    with pytest.raises(ValueError, match="compares whole densities"):
        pb.minimize(model, model.predict([1.0]), [0.0], loss="transport", sigma=1.0)
    with pytest.raises(ValueError, match="give their grid"):
        pb.minimize(lambda p: p, [1.0, 2.0], [0.5, 0.5], loss="transport")


def test_hellinger_kantorovich_lies_between_transport_and_growth():
    model = pb.GaussianMixture(LINE, [(0.4, 0.0, 1.0), (0.6, 3.0, 1.0)], free=["mean 0", "weight 0"])
    target, at = model.predict([0.5, 0.5]), [0.0, 0.4]

    def look(metric):
        return pb.curvature(model, target, at, metric=metric, loss="kullback_leibler").matrix()

    # Where growth is dear, mass is moved, and where transport is dear, it is remade.
    assert np.allclose(look(("hellinger_kantorovich", 1e-7)), look("wasserstein"), rtol=1e-4)
    remade = look(("hellinger_kantorovich", {"beta": 4.0, "alpha": 1e-7}))
    assert np.allclose(remade, look("fisher_rao") / 4.0, rtol=1e-4)
    both, moved = look("hellinger_kantorovich"), look("wasserstein")
    assert np.linalg.eigvalsh(moved - both).min() > 0.0
    found = pb.minimize(model, target, at, loss=("unbalanced_transport", 4.0), metric=("hellinger_kantorovich", 1.0))
    assert found.success and np.allclose(found.x, [0.5, 0.5], atol=1e-4)
    with pytest.raises(ValueError, match="β of the Hellinger-Kantorovich metric"):
        look(("hellinger_kantorovich", -1.0))


T = np.linspace(-1.0, 1.0, 50)


def line(theta):
    return theta[0] + theta[1] * T


def information(metric, data, sigma):
    return pb.curvature(line, data, [1.0, 2.0], sigma=sigma, metric=metric).matrix()


def test_fisher_in_three_ways():
    data = line([1.3, 1.8]) + 0.2 * np.random.default_rng(2).standard_normal(50)
    sigma = np.linspace(0.1, 0.4, 50)
    z = np.stack([np.ones(50), T], axis=1)
    exact = z.T @ (z / sigma[:, None] ** 2)
    assert np.allclose(information("fisher", data, sigma), exact, rtol=1e-12)
    scores = (line([1.0, 2.0]) - data) / sigma**2
    assert np.allclose(information("empirical_fisher", data, sigma), (z * scores[:, None]).T @ (z * scores[:, None]), rtol=1e-10)
    errors = [
        np.linalg.norm(information(("sampled_fisher", draws), data, sigma) - exact) / np.linalg.norm(exact) for draws in (4, 4096)
    ]
    assert errors[1] < 0.02 and errors[1] < errors[0]
    one, two = (information(("sampled_fisher", {"draws": 4, "seed": s}), data, sigma) for s in (1, 2))
    assert not np.allclose(one, two)
    assert (information(("sampled_fisher", {"draws": 4, "seed": 1}), data, sigma) == one).all()


def test_fits_by_fisher_reach_the_optimum():
    data = line([1.3, 1.8]) + 0.2 * np.random.default_rng(2).standard_normal(50)
    expected = np.polynomial.polynomial.polyfit(T, data, 1)
    for metric in ("fisher", ("sampled_fisher", 20), "empirical_fisher"):
        found = pb.minimize(line, data, [1.0, 2.0], sigma=0.2, metric=metric, maxiter=3000)
        assert np.allclose(found.x, expected, atol=1e-4), metric


def test_fisher_of_a_likelihood_of_counts():
    table = pb.Measurements("observable,condition,time,value\ndrug,a,1,0.6\ndrug,a,2,0.35\ndrug,a,3,0.25")
    model = pb.Dynamics(
        lambda t, x, p: [-p[0] * x[0]],
        [table.experiment("a")],
        parameters=["rate", "noise"],
        start=[1.0],
        observe=lambda t, x, p: {"drug": x[0]},
        noise=lambda t, x, p: {"drug": p[1]},
    )
    found = pb.minimize(model, pb.likelihood(model, table), [0.3, 0.1], metric="fisher")
    assert np.allclose(found.x, pb.minimize(model, pb.likelihood(model, table), [0.3, 0.1]).x, rtol=1e-6)


@pytest.mark.parametrize(
    "metric, text",
    [
        ("fisher", "known noise: give sigma"),
        (("sampled_fisher", 0), "take at least one"),
        (("sampled_fisher", 1.5), "whole number"),
        (("fisher", 3), "takes no number"),
        (("wasserstein", 3), "takes no number"),
        ("euclid", "choose l2, .*empirical_fisher"),
    ],
)
def test_mistakes_in_metrics_are_named(metric, text):
    sigma = None if metric == "fisher" else 1.0
    with pytest.raises(ValueError, match=text):
        pb.minimize(line, T, [1.0, 2.0], sigma=sigma, metric=metric)
    with pytest.raises(ValueError, match="for densities take 'fisher_rao'"):
        model = pb.GaussianMixture(LINE, [(1.0, 0.0, 1.0)], free=["mean 0"])
        pb.minimize(model, model.predict([1.0]), [0.0], loss=("kullback_leibler", 100), metric="fisher")
