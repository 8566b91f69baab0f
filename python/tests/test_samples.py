"""Models known by samples: maps of draws, stochastic differential equations, and losses and metrics of clouds."""

import pickle

import numpy as np
import pytest

import pullback as pb
from pullback._loss import as_loss

RNG = np.random.default_rng(3)
CLOUD = RNG.standard_normal((40, 2))
OTHER = 0.7 * RNG.standard_normal((30, 2)) + [1.0, -0.5]


class Points:
    """The state itself, points × coordinates."""

    def __init__(self, shape):
        self.shape, self.state_dim = shape, int(np.prod(shape))


def value(loss, state, data):
    return as_loss(Points(np.shape(state)), data, loss=loss, sigma=None, observe=None).value(np.reshape(state, -1))


def distances(a, b):
    return np.linalg.norm(a[:, None] - b[None], axis=2)


def discrepancy(kernel, a, b):
    return 0.5 * (kernel(distances(a, a)).mean() - 2.0 * kernel(distances(a, b)).mean() + kernel(distances(b, b)).mean())


def test_discrepancies_are_their_sums_over_pairs():
    kernels = {
        "energy_distance": lambda r: -r,
        ("gaussian_discrepancy", 1.3): lambda r: np.exp(-0.5 * (r / 1.3) ** 2),
        ("multiquadric_discrepancy", 0.8): lambda r: 1.0 / np.sqrt(1.0 + (r / 0.8) ** 2),
    }
    for loss, kernel in kernels.items():
        assert np.isclose(value(loss, CLOUD, OTHER), discrepancy(kernel, CLOUD, OTHER), rtol=1e-12), loss
    named = value(("gaussian_discrepancy", {"width": 1.3}), CLOUD, OTHER)
    assert named == value(("gaussian_discrepancy", 1.3), CLOUD, OTHER)


def test_sliced_transport_on_a_line_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    a, b = CLOUD[:, 0], OTHER[:, 0]
    levels = (np.arange(120_000) + 0.5) / 120_000
    quantiles = [np.sort(x)[np.minimum((levels * x.size).astype(int), x.size - 1)] for x in (a, b)]
    assert np.isclose(value("sliced_transport", a, b), 0.5 * np.mean((quantiles[0] - quantiles[1]) ** 2), rtol=1e-9)
    # A shift costs the same in every norm.
    assert np.isclose(value("sliced_transport", a + 3.0, a), 0.5 * stats.wasserstein_distance(a + 3.0, a) ** 2)


def test_sliced_transport_in_the_plane_is_the_mean_over_directions():
    angles = np.pi * (np.arange(2000) + 0.5) / 2000
    lines = np.stack([np.cos(angles), np.sin(angles)])
    ours = OTHER[:20]
    exact = np.mean((np.sort(CLOUD[:20] @ lines, axis=0) - np.sort(ours @ lines, axis=0)) ** 2)
    few, many = (abs(value(("sliced_transport", lines), CLOUD[:20], ours) - exact) for lines in (64, 4096))
    assert many < 0.01 * exact and few < 0.1 * exact
    a, b = (value(("sliced_transport", {"lines": 2, "seed": seed}), CLOUD[:20], ours) for seed in (1, 2))
    assert a != b


def test_several_snapshots_add_up_and_need_not_have_equal_numbers_of_points():
    state = np.stack([CLOUD, CLOUD + 1.0])
    data = [OTHER, OTHER[:11]]
    for loss in ("sliced_transport", "energy_distance", ("gaussian_discrepancy", 1.0)):
        expected = value(loss, CLOUD, OTHER) + value(loss, CLOUD + 1.0, OTHER[:11])
        assert np.isclose(value(loss, state, data), expected, rtol=1e-12), loss


def banana(z, theta):
    a, b, c = theta
    x = a + np.exp(b) * z[0]
    return [x, c * x**2 + z[1]]


TRUTH = np.array([1.0, np.log(0.5), 0.4])


def bananas(count, seed):
    z = np.random.default_rng(seed).standard_normal((2, count))
    return np.stack(banana(z, TRUTH), axis=1)


@pytest.fixture(scope="module")
def model():
    return pb.PushForward(banana, 600, latent=2, parameters=["a", "b", "c"])


def test_a_map_is_evaluated_for_every_draw_and_differentiated(model):
    z = RNG.standard_normal((50, 2))
    given = pb.PushForward(banana, z, parameters=3)
    assert np.allclose(given.predict(TRUTH), np.stack(banana(z.T, TRUTH), axis=1), rtol=1e-14)
    assert model.shape == (600, 2) and model.parameters == ["a", "b", "c"]
    jacobian = pb.jacobian(given, TRUTH)
    steps = 1e-6 * np.eye(3)
    differences = [(given.predict(TRUTH + h) - given.predict(TRUTH - h)).reshape(-1) / 2e-6 for h in steps]
    assert np.allclose(jacobian, np.stack(differences, axis=1), atol=1e-8)
    assert "passed" in pb.verify(given, TRUTH) or pb.verify(given, TRUTH)


def test_draws_are_whitened_antithetic_or_raw():
    def draws(**options):
        return pb.PushForward(lambda z, theta: z + theta[0], 100, latent=3, parameters=1, **options).predict([0.0])

    white = draws()
    assert np.allclose(white.mean(axis=0), 0.0, atol=1e-13) and np.allclose(white.T @ white / 100, np.eye(3), atol=1e-13)
    pairs = draws(antithetic=True)
    assert np.allclose(pairs[:50], -pairs[50:], atol=1e-13) and np.allclose(pairs.T @ pairs / 100, np.eye(3), atol=1e-13)
    raw = draws(whitened=False)
    assert not np.allclose(raw.mean(axis=0), 0.0, atol=1e-3) and not np.array_equal(draws(seed=2), white)
    assert np.array_equal(draws(), white)


@pytest.mark.parametrize(
    "loss, metric",
    [
        ("sliced_transport", None),
        ("sliced_transport", "sampled_wasserstein"),
        ("sliced_transport", ("sampled_wasserstein", {"kernels": 40, "width": 2.0, "seed": 3})),
        ("sliced_transport", "particles"),
        ("sliced_transport", ("kwng", 60)),
        ("energy_distance", None),
        ("energy_distance", ("sampled_wasserstein", 40)),
        (("multiquadric_discrepancy", 2.0), None),
        (("gaussian_discrepancy", 2.0), None),
    ],
)
def test_a_distribution_is_found_from_points_that_are_not_paired(model, loss, metric):
    found = pb.minimize(model, bananas(1500, 8), [0.5, -0.2, 0.1], loss=loss, metric=metric, maxiter=300)
    assert np.all(abs(found.x - TRUTH) < 0.12), found
    assert found.names == ["a", "b", "c"] and found.state.shape == (600, 2)
    assert found.cov is None and "no likelihood" in found.cov_message


def test_the_minimum_is_that_of_a_derivative_free_search(model):
    optimize = pytest.importorskip("scipy.optimize")
    data = bananas(200, 9)
    small = pb.PushForward(banana, 80, latent=2, parameters=3)
    f = lambda theta: value("energy_distance", small.predict(theta), data)  # noqa: E731
    found = pb.minimize(small, data, [0.9, -0.6, 0.5], loss="energy_distance")
    search = optimize.minimize(f, found.x, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-13, "maxiter": 2000})
    assert np.isclose(found.fun, f(found.x), rtol=1e-10) and found.fun - search.fun < 1e-6


def test_functions_that_return_points_have_these_losses_too():
    z = RNG.standard_normal(300)
    found = pb.minimize(lambda theta: theta[0] + np.exp(theta[1]) * z, OTHER[:, 0], [0.0, 0.0], loss="sliced_transport")
    assert abs(found.x[0] + np.exp(found.x[1]) * z.mean() - OTHER[:, 0].mean()) < 1e-4


def test_networks_in_jax_turn_noise_into_points():
    jnp = pytest.importorskip("jax.numpy")
    z, theta = RNG.standard_normal((200, 2)), 0.5 * np.random.default_rng(1).standard_normal(14)

    def network(theta):
        return jnp.tanh(z @ theta[:6].reshape(2, 3)) @ theta[6:12].reshape(3, 2) + theta[12:]

    model, metric = pb.from_jax(network), ("sampled_wasserstein", 60)
    found = pb.minimize(model, OTHER, theta, loss="energy_distance", metric=metric, maxiter=30)
    assert found.fun < 0.1 * value("energy_distance", np.asarray(network(theta)), OTHER) and found.state.shape == (200, 2)


def growth(**options):
    chosen = {"start": [0.1], "parameters": ["r", "s"], "step": 0.1, "paths": 400, **options}
    return pb.Diffusion(lambda t, x, p: [p[0] * x[0] * (1.0 - x[0])], lambda t, x, p: [p[1] * x[0]], [1.0, 2.0, 4.0], **chosen)


@pytest.mark.parametrize("scheme", ["euler_maruyama", "milstein"])
def test_a_stochastic_differential_equation_is_fitted_to_snapshots(scheme):
    data = [growth(seed=20 + k, scheme=scheme).predict([1.5, 0.4])[k] for k in range(3)]
    data[1] = data[1][:250]
    found = pb.minimize(growth(scheme=scheme), data, [1.0, 0.2], loss="energy_distance")
    assert np.all(abs(found.x - [1.5, 0.4]) < 0.1) and found.state.shape == (3, 400, 1)
    blocks = pb.minimize(growth(scheme=scheme), data, [1.0, 0.2], loss="energy_distance", metric=("sampled_wasserstein", 10))
    assert np.allclose(blocks.x, found.x, atol=1e-3)


def test_moments_of_a_linear_equation_are_those_of_its_closed_form():
    def model(step):
        return pb.Diffusion(
            lambda t, x, p: [-p[0] * x[0], -x[1]],
            lambda t, x, p: [[p[1], 0.0], [0.3, 0.4]],
            [1.0],
            start=lambda z, p: [p[2] + 0.5 * z[0], z[1]],
            random=2,
            parameters=3,
            step=step,
            paths=4000,
        )

    a, s, m = 0.7, 0.5, 1.5
    cloud = model(0.01).predict([a, s, m])[0]
    mean, variance = m * np.exp(-a), 0.25 * np.exp(-2 * a) + s**2 * (1 - np.exp(-2 * a)) / (2 * a)
    covariance = s * 0.3 * (1 - np.exp(-a - 1)) / (a + 1)
    # Relative errors of 4000 paths are a few per cent, and of whitened draws less.
    assert np.isclose(cloud[:, 0].mean(), mean, rtol=0.01) and np.isclose(cloud[:, 0].var(), variance, rtol=0.05)
    assert np.isclose(np.cov(cloud.T)[0, 1], covariance, atol=0.015)


def test_starts_may_be_numbers_names_and_functions():
    def start_of(start, **options):
        found = pb.Diffusion(
            lambda t, x, p: 0.0 * x,
            lambda t, x, p: 0.0 * x,
            [1.0],
            start=start,
            parameters=["p", "q"],
            step=1.0,
            paths=4,
            **options,
        )
        return found.predict([2.0, 5.0])[0, 0].tolist()

    assert start_of([1.0, "q"]) == [1.0, 5.0] and start_of({"x": "p", "y": 4.0}) == [2.0, 4.0]
    assert start_of(lambda p: [p[1], p[0]]) == [5.0, 2.0] and start_of(None, states=2) == [2.0, 5.0]


def test_paths_start_at_points_that_were_seen():
    points = OTHER.copy()

    def model(**options):
        drift, noise = (lambda t, x, p: [-p[0] * x[0], -p[0] * x[1]]), (lambda t, x, p: [p[1], p[1]])
        return pb.Diffusion(drift, noise, [0.0, 1.0], start=points, parameters=["rate", "noise"], step=0.05, **options)

    clouds = model().predict([0.7, 0.3])
    assert clouds.shape == (2, 30, 2) and np.array_equal(clouds[0], points)
    # Noise of mean 0 moves every point, and leaves the decay of their mean by Euler's steps.
    assert np.allclose(clouds[1].mean(axis=0), (1.0 - 0.05 * 0.7) ** 20 * points.mean(axis=0), rtol=1e-12)
    assert np.array_equal(model(paths=30).predict([0.7, 0.3]), clouds)
    assert not np.array_equal(model(seed=2).predict([0.7, 0.3])[1], clouds[1])
    for options, text in (
        ({"paths": 31}, "paths has no effect"),
        ({"random": 2}, "random has no effect"),
        ({"antithetic": True}, "antithetic"),
    ):
        with pytest.raises(ValueError, match=text):
            model(**options)
    points[3, 1] = np.inf
    with pytest.raises(ValueError, match="a draw"):
        model()


def test_single_noises_are_columns_and_diagonals():
    def spread(noise):
        model = pb.Diffusion(lambda t, x, p: 0.0 * x, noise, [1.0], start=[0.0, 0.0], parameters=1, step=0.5, paths=2000)
        return np.cov(model.predict([2.0])[0].T)

    assert np.allclose(spread(lambda t, x, p: [1.0, p[0]]), np.diag([1.0, 4.0]), atol=0.01)
    assert np.allclose(spread(lambda t, x, p: [[1.0], [p[0]]]), [[1.0, 2.0], [2.0, 4.0]], atol=0.01)


def test_models_are_pickled_by_their_arguments():
    model = pb.PushForward(banana, 50, latent=2, parameters=3, seed=4)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(TRUTH), model.predict(TRUTH))


def test_runs_and_pages_of_clouds(model, tmp_path):
    data = bananas(100, 1)
    run = pb.Run(model, data, [0.5, -0.2, 0.1], loss="sliced_transport", maxiter=5)
    for _ in run:
        break
    run.save(tmp_path / "run.pullback")
    again = pb.Run.load(tmp_path / "run.pullback", model, data, loss="sliced_transport", maxiter=5)
    assert np.array_equal(again.finish().x, run.finish().x)
    run.result().html(tmp_path / "run.html")
    assert "sliced_transport" in (tmp_path / "run.html").read_text()


@pytest.mark.parametrize(
    "options, kind, text",
    [
        ({"loss": ("sliced_transport", 0)}, ValueError, "such as 64"),
        ({"loss": ("sliced_transport", 1.5)}, ValueError, "whole number"),
        ({"loss": ("sliced_transport", {"rays": 3})}, ValueError, "no option 'rays'; choose lines, seed"),
        ({"loss": ("sliced_transport", {"lines": "many"})}, ValueError, "must be a number, not 'many'"),
        ({"loss": ("energy_distance", 1.0)}, ValueError, "takes no number"),
        ({"loss": "gaussian_discrepancy"}, ValueError, "give \\('gaussian_discrepancy', width\\)"),
        ({"loss": ("gaussian_discrepancy", 0.0)}, ValueError, "width of a kernel"),
        ({"loss": ("multiquadric_discrepancy", -1.0)}, ValueError, "width of a kernel"),
        ({"sigma": 1.0}, ValueError, "sigma has no effect with the loss 'sliced_transport'"),
        ({"observe": np.eye(4)}, ValueError, "observe has no effect"),
        ({"metric": ("particles", 2)}, ValueError, "takes no number"),
        ({"metric": ("kwng", 0)}, ValueError, "at least 1"),
        ({"metric": ("kwng", {"width": -1.0})}, ValueError, "width of kernels"),
        ({"metric": ("sampled_wasserstein", 1e6)}, ValueError, "one for each particle"),
        ({"metric": "wasserstein"}, ValueError, "metric of densities"),
        ({"data": np.ones((3, 3))}, ValueError, "one row with 2 coordinates for every point"),
        ({"data": np.ones((2, 9))}, ValueError, "transpose the data"),
        ({"data": np.ones(6)}, ValueError, "one row with 2 coordinates"),
        ({"data": np.ones((0, 2))}, ValueError, "at least one point"),
        ({"data": np.full((3, 2), np.nan)}, ValueError, "coordinate of a sample"),
        ({"uncertainty": True}, ValueError, "no likelihood"),
    ],
)
def test_mistakes_of_clouds_are_named(model, options, kind, text):
    chosen = {"data": OTHER, "loss": "sliced_transport", **options}
    with pytest.raises(kind, match=text):
        pb.minimize(model, chosen.pop("data"), [0.5, -0.2, 0.1], **chosen)


def test_mistakes_of_snapshots_are_named():
    with pytest.raises(ValueError, match="2 entries, but the model has 3 snapshots: give one cloud"):
        pb.minimize(growth(), [np.ones(3), np.ones(3)], [1.0, 0.2], loss="energy_distance")
    with pytest.raises(TypeError, match="sequence of 3 clouds"):
        pb.minimize(growth(), 1.0, [1.0, 0.2], loss="energy_distance")
    with pytest.raises(ValueError, match="compares clouds"):
        pb.minimize(lambda theta: np.ones((2, 2, 2, 2)) * theta[0], [1.0], [1.0], loss="energy_distance")
    with pytest.raises(ValueError, match="metric of clouds of points: take a loss between clouds"):
        pb.minimize(lambda theta: theta, [1.0], [1.0], metric="particles")


@pytest.mark.parametrize(
    "options, kind, text",
    [
        ({"draws": 0}, ValueError, "give at least twice"),
        ({"draws": 2}, ValueError, "whitened=False"),
        ({"draws": 7, "antithetic": True}, ValueError, "even number"),
        ({"draws": 2.5}, TypeError, "whole number"),
        ({"draws": np.ones((3, 2, 1))}, ValueError, "one row for every draw"),
        ({"draws": np.ones((3, 2)), "antithetic": True}, ValueError, "no effect on draws that are given"),
        ({"draws": np.ones((3, 3))}, ValueError, "latent is 2, but the draws that are given have 3"),
        ({"draws": np.full((3, 2), np.inf)}, ValueError, "a draw"),
        ({"latent": None}, ValueError, "latent: give the length"),
        ({"antithetic": True, "whitened": False}, ValueError, "antithetic draws are always whitened"),
        ({"f": lambda z: z}, TypeError, "f must be a function f\\(z, theta\\)"),
        ({"f": 3}, TypeError, "f must be callable"),
        ({"f": lambda z, theta: None}, ValueError, "f returned None"),
        ({"f": lambda z, theta: []}, ValueError, "dimension of the space"),
        ({"f": lambda z, theta: [1.0 if z[0] > 0 else theta[0]]}, TypeError, "pb.where"),
    ],
)
def test_mistakes_of_maps_are_named(options, kind, text):
    chosen = {"f": banana, "draws": 50, "latent": 2, "parameters": 3, **options}
    with pytest.raises(kind, match=text):
        pb.PushForward(chosen.pop("f"), chosen.pop("draws"), **chosen)


@pytest.mark.parametrize(
    "options, kind, text",
    [
        ({"times": []}, ValueError, "at least one"),
        ({"times": [2.0, 1.0]}, ValueError, "increasing order"),
        ({"times": [np.nan]}, ValueError, "time of observation"),
        ({"step": 0.0}, ValueError, "step of a stochastic differential equation"),
        ({"step": 1e-12}, ValueError, "longer step"),
        ({"paths": 1}, ValueError, "give at least twice"),
        ({"scheme": "heun"}, ValueError, "scheme: no 'heun'; choose euler_maruyama or milstein"),
        ({"noise": lambda t, x, p: [1.0, 2.0, 3.0]}, ValueError, "one number for each of 2 components"),
        ({"noise": lambda t, x, p: [[1.0], [2.0], [3.0]]}, ValueError, "one number for each of 2 components"),
        ({"drift": lambda t, x, p: [1.0]}, ValueError, "drift returned 1 values, but 2 are needed"),
        ({"drift": lambda x: x}, TypeError, "drift must be a function drift\\(t, x, p\\)"),
        ({"start": None}, ValueError, "states: give the number of components"),
        ({"start": [0.0, "c"]}, ValueError, "no parameter 'c'"),
        ({"start": lambda p: p, "random": 1}, TypeError, "start must be a function start\\(z, p\\)"),
        ({"start": [0.0, 0.0], "random": 1}, TypeError, "start must be callable"),
    ],
)
def test_mistakes_of_equations_are_named(options, kind, text):
    chosen = {
        "drift": lambda t, x, p: [-p[0] * x[0], -x[1]],
        "noise": lambda t, x, p: [p[1], 1.0],
        "times": [1.0],
        "start": [0.0, 0.0],
        "parameters": ["a", "b"],
        "step": 0.1,
        "paths": 50,
        **options,
    }
    with pytest.raises(kind, match=text):
        pb.Diffusion(chosen.pop("drift"), chosen.pop("noise"), chosen.pop("times"), **chosen)


def test_milstein_refuses_noises_that_do_not_commute_in_words_of_python():
    model = pb.Diffusion(
        lambda t, x, p: 0.0 * x,
        lambda t, x, p: [[1.0, 0.0], [0.0, p[0] * x[0]]],
        [1.0],
        start=[0.5, 0.5],
        parameters=1,
        step=0.1,
        paths=50,
        scheme="milstein",
    )
    with pytest.raises((ValueError, pb.ModelError), match='take scheme="euler_maruyama"'):
        model.predict([1.0])


def test_points_are_not_paired_with_data_by_their_places():
    model = pb.PushForward(lambda z, p: [p[0] + p[1] * z[0]], 400, latent=1, parameters=2)
    data = np.random.default_rng(0).normal(3.0, 0.5, 400)
    with pytest.raises(ValueError, match="loss='l2' pairs every point"):
        pb.minimize(model, data, [0.0, 1.0])
    # Observations of the whole cloud are data like others.
    model = pb.PushForward(lambda z, p: [p[0] + 0.5 * z[0]], 400, latent=1, parameters=1)
    found = pb.minimize(model, [3.0], [0.0], observe=np.full((1, 400), 1 / 400), sigma=0.1)
    assert abs(found.x[0] - 3.0) < 1e-9
