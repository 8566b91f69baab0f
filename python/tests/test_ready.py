"""Ready models, against closed forms and SciPy."""

import numpy as np
import pytest
import scipy.integrate

import pullback as pb


def test_a_mixture_is_a_sum_of_normal_densities():
    grid = pb.Grid([(-4.0, 10.0, 56), (-4.0, 10.0, 40)])
    mixture = pb.GaussianMixture(
        grid, [(0.3, [1.0, 3.0], 1.0), (0.7, [3.0, 2.0], [1.0, 2.0])], free=["weight 0", "mean 1 0", "variance 1 1"]
    )
    assert mixture.start.tolist() == [0.3, 3.0, 2.0] and mixture.param_dim == 3
    x, y = np.meshgrid(grid.centres(0), grid.centres(1), indexing="ij")

    def normal(m, v):
        return np.exp(-((x - m[0]) ** 2) / 2 / v[0] - (y - m[1]) ** 2 / 2 / v[1]) / (2 * np.pi * np.sqrt(v[0] * v[1]))

    expected = 0.4 * normal([1.0, 3.0], [1.0, 1.0]) + 0.6 * normal([2.5, 2.0], [1.0, 1.5])
    assert np.allclose(mixture.predict([0.4, 2.5, 1.5]), expected, rtol=1e-12)


def test_a_measure_of_the_lorenz_flow_is_found_again():
    grid = pb.Grid([(-25.0, 25.0, 10), (-35.0, 35.0, 10), (0.0, 60.0, 10)])
    model = pb.InvariantMeasure(grid, "lorenz")
    found = pb.minimize(
        model, model.predict([10.0, 28.0, 8.0 / 3.0]), [9.0, 26.0, 2.4], metric="wasserstein", loss="kullback_leibler"
    )
    assert found.success and np.allclose(found.x, [10.0, 28.0, 8.0 / 3.0], rtol=1e-6)


def test_a_layered_medium_has_the_pressures_of_resistances_in_series():
    grid = pb.Grid([(0.0, 1.0, 10)])
    darcy = pb.Darcy(grid, pressure={(0, "lower"): 1.0, (0, "upper"): 0.0})
    theta = np.where(grid.centres(0) < 0.5, 0.0, np.log(4.0))
    # Resistances 1/2 and 1/8 in series: the flux is 1/(5/8), and the pressure at the interface is 1 − 8/5 · 1/2 = 1/5.
    at = darcy.observe([[0.05], [0.55]])
    assert np.allclose(at(darcy.predict(theta)), [1.0 - 1.6 * 0.05, 0.2 - 0.4 * 0.05], rtol=1e-12)


def test_a_field_is_inferred_from_wells():
    grid = pb.Grid([(0.0, 1.0, 12), (0.0, 1.0, 12)])
    darcy = pb.Darcy(grid, pressure={(0, "lower"): 1.0, (0, "upper"): 0.0}, sources=[np.zeros(144), np.ones(144)])
    x, y = np.meshgrid(grid.centres(0), grid.centres(1), indexing="ij")
    truth = np.sin(2 * np.pi * x) * y
    points = [[a, b] for a in (0.2, 0.4, 0.6, 0.8) for b in (0.2, 0.4, 0.6, 0.8)]
    wells = darcy.observe(points)
    assert darcy.shape == (2, 12, 12) and wells.shape == (32, 288)
    seen = wells(darcy.predict(truth))
    prior = pb.matern(grid, 1.0, 0.4)
    found = pb.minimize(darcy, seen, np.zeros(144), observe=wells, sigma=1e-3, prior=prior, direction="auto")
    assert found.success and found.cov is None
    assert np.corrcoef(found.x, truth.reshape(-1))[0, 1] > 0.8
    assert np.abs(wells(found.state) - seen).max() < 0.01


RATES = {
    pb.LotkaVolterra: (
        [30.0, 4.0],
        [0.55, 0.028, 0.024, 0.8],
        lambda t, x, p: [p[0] * x[0] - p[1] * x[0] * x[1], p[2] * x[0] * x[1] - p[3] * x[1]],
    ),
    pb.Lorenz: (
        [1.0, 1.0, 20.0],
        [10.0, 28.0, 8.0 / 3.0],
        lambda t, x, p: [p[0] * (x[1] - x[0]), x[0] * (p[1] - x[2]) - x[1], x[0] * x[1] - p[2] * x[2]],
    ),
}


@pytest.mark.parametrize("kind", RATES, ids=lambda kind: kind.__name__)
def test_dynamics_are_those_of_scipy(kind):
    start, theta, rate = RATES[kind]
    times = np.linspace(0.0, 1.0, 6)
    model = kind(times, start=start, rtol=1e-11, atol=1e-11)
    expected = scipy.integrate.solve_ivp(rate, (0.0, 1.0), start, t_eval=times, args=(theta,), rtol=1e-12, atol=1e-12)
    assert np.allclose(model.predict(theta), expected.y.T, rtol=1e-8)
    assert np.allclose(kind(times, rtol=1e-11, atol=1e-11).predict([*theta, *start]), expected.y.T, rtol=1e-8)


@pytest.mark.parametrize(
    "model, theta, shape",
    [
        (pb.FitzHughNagumo([1.0, 2.0], [-1.0, 1.0]), [0.2, 0.2, 3.0], (2, 2)),
        (pb.Goodwin([1.0], [0.1, 0.1, 0.1]), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 4.0], (1, 3)),
        (pb.Robertson([1.0, 10.0], [1.0, 0.0, 0.0]), [0.04, 3e7, 1e4], (2, 3)),
        (pb.Pendulum([0.5], [0.3, 0.0]), [9.81, 1.0], (1, 5)),
        (pb.JakStat([1.0]), [0.027, 1e-5, 6e-3, 0.016, 9.8e4, 1.6e4, 3.9, 6.6, 3.2], (1, 6)),
        (pb.Epidemic([3.0], population=1e3, latent=True, observe="incidence"), [0.9, 0.3, 0.5, 2.0], (1, 1)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_all_dynamics_are_there(model, theta, shape):
    state = model.predict(theta)
    assert state.shape == shape == model.shape and np.isfinite(state).all()
    assert "parameters" in repr(model)


def test_robertson_conserves_mass():
    assert np.allclose(pb.Robertson([1.0, 10.0], [1.0, 0.0, 0.0]).predict([0.04, 3e7, 1e4]).sum(axis=1), 1.0, rtol=1e-9)


def test_an_integration_that_fails_is_a_model_error():
    stiff = pb.Robertson([1e6], [1.0, 0.0, 0.0], method="explicit")
    with pytest.raises(pb.ModelError, match="steps reach only"):
        stiff.predict([0.04, 3e7, 1e4])


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: pb.Grid([(1.0, 0.0, 5)]), "interval"),
        (lambda: pb.Grid([]), "axes"),
        (lambda: pb.GaussianMixture(pb.Grid([(0.0, 1.0, 9)]), [(1.0, 0.5, -1.0)], free=[]), "variance"),
        (lambda: pb.GaussianMixture(pb.Grid([(0.0, 1.0, 9)]), [(1.0, 0.5, 1.0)], free=["width 0"]), "free: give"),
        (
            lambda: pb.GaussianMixture(pb.Grid([(0.0, 1.0, 9)]), [(1.0, 0.5, 1.0)], free=["mean first"]),
            "free: 'mean first'",
        ),
        (lambda: pb.InvariantMeasure(pb.Grid([(0.0, 1.0, 9)]), "lorenz"), "axes of the grid"),
        (lambda: pb.InvariantMeasure(pb.Grid([(0.0, 1.0, 9)]), "henon"), "flow: no flow 'henon'"),
        (lambda: pb.Darcy(pb.Grid([(0.0, 1.0, 9)]), pressure={(1, "lower"): 0.0}), "axis"),
        (lambda: pb.Darcy(pb.Grid([(0.0, 1.0, 9)]), pressure={(0, "left"): 0.0}), "no end 'left'"),
        (lambda: pb.Darcy(pb.Grid([(0.0, 1.0, 9)]), pressure={0: 0.0}), "pressure: give"),
        (lambda: pb.GaussianMixture(pb.Grid([(0.0, 1.0, 9)]), [(1.0,)], free=[]), "components: give"),
        (lambda: pb.LotkaVolterra([0.0, 1.0], start=[1.0]), "start has 1 entries, but 2 are needed"),
        (lambda: pb.LotkaVolterra([1.0, 0.0], start=[1.0, 1.0]), "times"),
        (lambda: pb.LotkaVolterra([0.0, 1.0], start=[1.0, 1.0], method="euler"), "method: no method 'euler'"),
        (lambda: pb.LotkaVolterra([0.0, 1.0], start=[1.0, 1.0], rtol=1e-3), "rtol and atol"),
        (lambda: pb.Epidemic([0.0], population=-1.0), "population"),
        (lambda: pb.Epidemic([0.0], population=1.0, observe="deaths"), "observe: no quantity 'deaths'"),
        (lambda: pb.LotkaVolterra([0.0, 1.0], start=[1.0, 1.0]).predict([1.0]), "theta has 1 entries"),
    ],
)
def test_wrong_input_is_a_value_error_that_names_it(make, match):
    with pytest.raises(ValueError, match=match):
        make()
