"""Curvatures to look at, beside the matrices of NumPy."""

import pickle

import numpy as np
import pytest

import pullback as pb

T = np.linspace(0.1, 3.0, 40)
THETA = [2.0, 1.3, 0.5]
SIGMA = 0.05


def decay(theta):
    return theta[0] * np.exp(-theta[1] * T) + theta[2]


def jacobian():
    e = np.exp(-THETA[1] * T)
    return np.stack([e, -THETA[0] * T * e, np.ones(T.size)], axis=1) / SIGMA


def data():
    return decay(THETA) + SIGMA * np.random.default_rng(3).standard_normal(T.size)


def looked(**more):
    return pb.curvature(decay, data(), THETA, sigma=SIGMA, **more)


def test_information_matrix_is_that_of_the_jacobian():
    z = jacobian()
    assert np.allclose(looked().matrix(), z.T @ z, rtol=1e-12)
    v = np.array([1.0, -2.0, 0.5])
    assert np.allclose(looked().product(v), z.T @ (z @ v), rtol=1e-12)
    assert looked().product(np.eye(3)[:, :2]).shape == (3, 2)


def test_kinds_differ_by_the_prior_and_by_the_residuals():
    prior = pb.gaussian(np.zeros(3), [1.0, 2.0, 4.0])
    z = jacobian()
    assert np.allclose(looked(kind="gauss_newton", prior=prior).matrix(), z.T @ z + np.diag([1.0, 0.25, 0.0625]), rtol=1e-12)
    formula = pb.Formula(lambda p: p[0] * np.exp(-p[1] * T) + p[2], parameters=3)
    exact = pb.curvature(formula, data(), THETA, sigma=SIGMA, kind="exact").matrix()

    def gradient(theta):
        e = np.exp(-theta[1] * T)
        rows = np.stack([e, -theta[0] * T * e, np.ones(T.size)], axis=1)
        return rows.T @ (decay(theta) - data()) / SIGMA**2

    h = 1e-5
    steps = np.eye(3) * h
    differences = np.stack([(gradient(THETA + s) - gradient(THETA - s)) / (2 * h) for s in steps], axis=1)
    assert np.allclose(exact, differences, rtol=1e-6)
    assert not np.allclose(exact, z.T @ z, rtol=1e-3)


def test_transforms_change_the_coordinates():
    # Over ln θ the columns of the Jacobian are multiplied by θ.
    z = jacobian() * THETA
    assert np.allclose(looked(transforms="log").matrix(), z.T @ z, rtol=1e-12)
    # Parameters at a bound count like others.
    assert np.allclose(looked(bounds=[(2.0, 3.0), (0, 2), (0, 1)]).matrix(), looked().matrix(), rtol=1e-14)


def test_extremes_spectrum_diagonal_and_blocks_are_those_of_the_matrix():
    h = looked(names=["a", "b", "c"])
    matrix = jacobian().T @ jacobian()
    values, vectors = np.linalg.eigh(matrix)
    extremes = h.extremes()
    for name, k in (("largest", -1), ("smallest", 0)):
        found = extremes[name]
        assert np.isclose(found["value"], values[k], rtol=1e-9) and found["settled"]
        assert np.isclose(abs(found["vector"] @ vectors[:, k]), 1.0, rtol=1e-9)
    assert np.isclose(extremes.condition, values[-1] / values[0], rtol=1e-8) and not extremes.at_least
    spectrum = h.spectrum(dense=True)
    assert np.allclose(spectrum.eigenvalues, values[::-1], rtol=1e-10) and spectrum.trace().freedom == 0
    assert np.isclose(float(spectrum.effective_dimension(30.0)), (values / (values + 30.0)).sum(), rtol=1e-10)
    diagonal = h.diagonal()
    assert np.allclose(diagonal.value, np.diag(matrix)) and not diagonal.stderr.any()
    blocks = h.blocks({"ends": ["a", "c"], "middle": [1]})
    assert np.allclose(blocks["ends"], matrix[np.ix_([0, 2], [0, 2])]) and blocks["middle"].shape == (1, 1)


def test_probes_have_error_bars_that_hold_the_truth():
    rates = np.linspace(0.5, 6.0, 60)
    model = pb.Explicit(lambda p: np.exp(-np.outer(T, rates)) @ p, jac=lambda p: np.exp(-np.outer(T, rates)))
    h = pb.curvature(model, np.zeros(40), np.ones(60), sigma=0.1)
    matrix = h.matrix()
    values = np.linalg.eigvalsh(matrix)
    spectrum = h.spectrum(seed=4)
    alpha = 1e-3 * values[-1]
    trace, dimension, diagonal = spectrum.trace(), spectrum.effective_dimension(alpha), h.diagonal(probes=64)
    for average, truth in ((trace, values.sum()), (dimension, (values / (values + alpha)).clip(0).sum())):
        low, high = average.interval(0.999)
        assert low <= truth <= high and average.stderr > 0.0 and average.freedom == 31
        assert "±" in repr(average)
    ends = diagonal.interval(0.999)
    held = (ends[:, 0] <= np.diag(matrix)) & (np.diag(matrix) <= ends[:, 1])
    assert held.mean() > 0.95 and ends.shape == (60, 2)
    # All but the few largest eigenvalues lie near zero.
    density = spectrum.density([0.0, 0.5 * values[-1]], 0.05 * values[-1])
    assert density.value[0] > 10.0 * density.value[1] and density.value.shape == (2,)
    few = np.log10(values[-1])
    assert spectrum.density_of_decades([few], 0.3).value[0] > 0.0
    # Equal seeds give equal bits.
    assert h.spectrum(seed=4).trace().value == trace.value != h.spectrum(seed=5).trace().value
    assert h.extremes(steps=3).at_least and h.extremes().condition == np.inf


def test_indefinite_curvatures_have_no_condition_number():
    grid = pb.Grid([(-8.0, 8.0, 200)])
    bump = pb.GaussianMixture(grid, [(1.0, 0.0, 1.0)], free=["mean 0", "variance 0"])
    h = pb.curvature(bump, bump.predict([0.0, 1.0]), [3.0, 1.0], kind="exact")
    assert np.isnan(h.extremes().condition)
    with pytest.raises(ValueError, match="positive semidefinite"):
        h.spectrum(dense=True).effective_dimension(1.0)


def test_curvature_of_a_result_is_that_of_its_point():
    found = pb.minimize(decay, data(), [1.0, 1.0, 0.0], sigma=SIGMA)
    matrix = pb.curvature(decay, data(), found, sigma=SIGMA).matrix()
    assert np.allclose(np.linalg.inv(matrix), found.cov, rtol=1e-9)


@pytest.mark.parametrize(
    "ask, text",
    [
        (lambda: looked(kind="hessian"), "choose information, gauss_newton or exact"),
        (lambda: looked().spectrum(probes=3), "at least 16"),
        (lambda: looked().spectrum(steps=1), "at least 40"),
        (lambda: looked().diagonal(probes=3), "at least 16"),
        (lambda: looked().extremes(tolerance=2.0), "1e-6"),
        (lambda: looked().extremes(steps=0), "such as 200"),
        (lambda: looked().blocks({"a": []}), "has no parameters"),
        (lambda: looked().blocks({"a": [7]}), "there are 3 parameters"),
        (lambda: looked().blocks({"a": ["rate"]}), "no parameter 'rate'"),
        (lambda: looked().blocks({}), "name at least one"),
        (lambda: looked().product([1.0]), "must have 3 rows"),
        (lambda: looked().product([np.nan, 0.0, 0.0]), "v has an entry that is nan"),
        (lambda: looked().spectrum().density([np.nan], 1.0), "a point of a spectral density"),
        (lambda: looked().spectrum().density([1.0], 0.0), "the width"),
        (lambda: looked().spectrum().trace().interval(2.0), "the confidence level is 2"),
        (lambda: looked(kind="exact").matrix(), "write the model as `Dynamics`"),
        (lambda: pb.combinations(decay, data(), [2.0, 0.0, 1.0], sigma=SIGMA), "unless `unit` gives another"),
        (lambda: pb.combinations(decay, data(), THETA, sigma=SIGMA, unit="prior"), "give `prior`"),
        (lambda: pb.combinations(decay, data(), THETA, sigma=SIGMA, unit="feet"), "choose sizes, prior"),
        (lambda: pb.combinations(decay, data(), THETA, sigma=SIGMA, unit=[1.0]), "units of the parameters"),
        (lambda: pb.combinations(decay, data(), THETA, sigma=SIGMA, loss="huber"), 'take the loss "l2"'),
    ],
)
def test_mistakes_are_named(ask, text):
    with pytest.raises(ValueError, match=text):
        ask()


def test_an_exception_of_the_model_comes_through():
    def broken(theta):
        raise KeyError("no table")

    with pytest.raises(pb.ModelError) as raised:
        pb.curvature(pb.Explicit(lambda p: p, jac=broken), [1.0], [1.0]).matrix()
    assert isinstance(raised.value.__cause__, KeyError)


def product(theta):
    return theta[0] * theta[1] * T + theta[2] * T**2


def seen(**more):
    values = product([1.0, 2.0, 3.0])
    return pb.combinations(product, values, [1.0, 2.0, 3.0], sigma=0.1, names=["a", "b", "c"], **more)


def test_combinations_are_generalised_eigenvectors():
    z = np.stack([2.0 * T, T, T**2], axis=1) / 0.1
    for unit, c in (
        ("sizes", np.diag([1.0, 0.25, 1.0 / 9.0])),
        ([1.0, 1.0, 0.1], np.diag([1.0, 1.0, 100.0])),
        ("prior", np.linalg.inv([[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 3.0]])),
    ):
        more = {} if unit != "prior" else {"prior": pb.gaussian(np.zeros(3), np.linalg.inv(c))}
        found = seen(unit=unit, **more)
        u = found.directions
        assert np.allclose(u.T @ c @ u, np.eye(3), atol=1e-10) and np.allclose(found.covectors, c @ u)
        assert np.allclose(u.T @ z.T @ z @ u, np.diag(found.information), atol=1e-8 * found.information[0])
        assert found.sight == ["determined", "determined", "unseen"] and found.errors[2] == np.inf
        assert len(found) == 3 and found.words[2] in repr(found)
        assert found.words[2] == ("a − 2.0 b" if unit == "sizes" else "b − 0.50 a")
    assert "prior ±" in found.words[0] and found.compared_with == "priors"


def test_combinations_are_shown_on_the_page_and_pickled():
    found = pb.minimize(product, product([1.0, 2.0, 3.0]), [1.0, 1.0, 1.0], sigma=0.1)
    what = pb.combinations(product, product([1.0, 2.0, 3.0]), found, sigma=0.1)
    again = pickle.loads(pickle.dumps(what))
    page = found.html(combinations=again, names=["a", "b", "c"])
    assert "What the data see" in page and "unseen: a small change along it changes no data" in page
    assert "What the data see" not in found.html()
    assert "the data determine 2 of 3" in again._repr_html_()
    with pytest.raises(TypeError, match="pullback.combinations"):
        found.html(combinations=what.words)
    with pytest.raises(ValueError, match="combinations of the parameters"):
        pb.minimize(lambda p: p, [1.0], [0.0], sigma=1.0).html(combinations=what)


def test_the_residual_tells_unknown_noise():
    values = data()
    scaled = pb.combinations(decay, values, pb.minimize(decay, values, THETA))
    known = pb.combinations(decay, values, pb.minimize(decay, values, THETA), sigma=SIGMA)
    fit = pb.minimize(decay, values, THETA, sigma=SIGMA)
    ratio = np.sqrt(2.0 * fit.fun / (T.size - 3))
    assert np.allclose(scaled.errors, ratio * known.errors, rtol=1e-6)


def test_losses_that_are_no_likelihood_have_curvature_and_no_combinations():
    grid = pb.Grid([(-6.0, 8.0, 70)])
    bump = pb.GaussianMixture(grid, [(1.0, 0.0, 1.0)], free=["mean 0"])
    target = bump.predict([0.5])
    # W₂ of a translation is its length.
    assert np.isclose(pb.curvature(bump, target, [0.5], loss="transport").matrix()[0, 0], 1.0, rtol=1e-2)
    with pytest.raises(ValueError, match="no likelihood"):
        pb.combinations(bump, target, [0.5], loss="transport")
