"""`curve_fit` as a replacement of SciPy's."""

import inspect
import warnings

import numpy as np
import pytest
import scipy.optimize
from scipy.special import gammaln

import pullback as pb

X = np.linspace(0.1, 4.0, 40)


def decay(x, a, b, c):
    return a * np.exp(-b * x) + c


Y = decay(X, 2.5, 1.3, 0.5) + 0.05 * np.random.default_rng(3).standard_normal(40)


def both(*arguments, **options):
    ours = pb.curve_fit(*arguments, **options)
    theirs = scipy.optimize.curve_fit(*arguments, **options)
    return ours, theirs


def agree(ours, theirs):
    assert np.allclose(ours[0], theirs[0], rtol=1e-5)
    assert np.allclose(ours[1], theirs[1], rtol=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sigma": 0.05 * np.ones(40)},
        {"sigma": np.linspace(0.02, 0.1, 40), "absolute_sigma": True},
        {"sigma": 0.05**2 * (np.eye(40) + 0.5), "absolute_sigma": True},
        {"sigma": 0.3},
        {"bounds": ([0.0, 0.0, 0.0], [10.0, 10.0, 10.0])},
        {"bounds": (0.0, np.inf)},
        {"bounds": scipy.optimize.Bounds([0.0, 0.0, 0.0], [10.0, 10.0, 0.6])},
        {"p0": [3.0, 1.0, 0.1]},
        {"jac": "3-point", "p0": [1.0, 1.0, 1.0], "bounds": (0.0, 9.0)},
        {"jac": lambda x, a, b, c: np.stack([np.exp(-b * x), -a * x * np.exp(-b * x), np.ones_like(x)], axis=1)},
        {"check_finite": False},
        {"ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12},
    ],
    ids=lambda options: ", ".join(options) or "defaults",
)
def test_answers_are_those_of_scipy(options):
    agree(*both(decay, X, Y, **options))


def test_lists_and_several_variables_are_taken():
    points = np.stack([X, X**2])
    agree(*both(lambda x, a, b: a * x[0] + b * np.sqrt(x[1]) * x[0], points, 2.0 * X + 3.0 * X * X + 0.01 * np.sin(9 * X)))
    agree(*both(decay, X.tolist(), Y.tolist()))


def test_missing_data_are_left_out():
    y = Y.copy()
    y[[3, 7]] = np.nan
    sigma = np.linspace(0.02, 0.1, 40)
    agree(*both(decay, X, y, sigma=sigma, nan_policy="omit"))
    for policy in (None, "raise"):
        with pytest.raises(ValueError, match="ydata .*nan_policy"):
            pb.curve_fit(decay, X, y, nan_policy=policy)


def test_full_output_has_the_residuals():
    sigma = 0.05 * np.ones(40)
    popt, _, info, message, code = pb.curve_fit(decay, X, Y, sigma=sigma, full_output=True)
    assert np.allclose(info["fvec"], (decay(X, *popt) - Y) / sigma) and info["nfev"] > 0
    assert message.startswith("converged") and code in (1, 2, 3, 4)


def test_method_has_no_effect_and_says_so():
    with pytest.warns(UserWarning, match="method='lm' has no effect"):
        popt, _ = pb.curve_fit(decay, X, Y, method="lm")
    assert np.array_equal(popt, pb.curve_fit(decay, X, Y)[0])


def test_undetermined_parameters_are_named():
    def twice(x, a, b, c):
        return (a + b) * x + c

    with pytest.warns(scipy.optimize.OptimizeWarning, match="do not determine the parameters 0, 1:"):
        _, pcov = pb.curve_fit(twice, X, 3.0 * X + 1.0 + 0.01 * np.sin(X))
    assert np.isinf(pcov[:2]).all() and np.isfinite(pcov[2, 2])


def test_as_many_parameters_as_data_leave_no_noise():
    with pytest.warns(scipy.optimize.OptimizeWarning):
        popt, pcov = pb.curve_fit(lambda x, a, b: a * x + b, [1.0, 2.0], [3.0, 5.0])
    assert np.allclose(popt, [2.0, 1.0]) and np.isinf(pcov).all()


FUNCTIONS = {
    "analytic": (decay, "batch", Y),
    "of scalars": (lambda x, a, b, c: np.array([a * np.exp(-b * t) + c for t in x]), "complex", Y),
    "with abs": (lambda x, a, b, c: np.abs(a) * np.exp(-b * x) + c, "differences", Y),
    "not for complex": (lambda x, a, b, c: a * np.exp(-gammaln(1.0 + np.abs(b)) * x) + c, "differences", Y),
    "depends on other rows": (
        lambda x, a, b, c: decay(x, a, b, c) / np.sum(decay(x, a, b, c)) + a,
        "complex",
        Y / Y.sum() + 2,
    ),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_derivatives_are_right_for_every_kind_of_function(kind):
    from pullback._curve_fit import Curve

    f, mode, y = FUNCTIONS[kind]
    curve = Curve(f, X, 40, None)
    theta = np.array([2.0, 1.0, 0.7])
    found = curve.derivative.jacobian(theta, curve.values(theta))
    assert curve.derivative.mode == mode
    expected = scipy.optimize.approx_fprime(theta, lambda t: f(X, *t), 1e-7)
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_kink_that_the_start_does_not_see_is_found():
    # Beyond a = 2 the derivative by a comes from |a − 2| and a complex step misses it: |z| has no imaginary part.
    def kinked(x, a, b):
        excess = np.where(np.real(a) > 2.0, np.abs(a - 2.0), 0.0)
        return (a + 3.0 * excess) * np.exp(-b * x)

    y = kinked(X, 2.7, 0.8) + 0.01 * np.cos(20 * X)
    popt, _ = pb.curve_fit(kinked, X, y, p0=[1.0, 1.0])
    expected, _ = scipy.optimize.curve_fit(kinked, X, y, p0=[2.5, 0.9])
    assert np.allclose(popt, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["curve_fit", "least_squares"])
def test_arguments_are_those_of_scipy(name):
    ours, theirs = (inspect.signature(getattr(module, name)).parameters for module in (pb, scipy.optimize))
    # SciPy adds arguments from version to version.
    assert set(theirs) <= set(ours) and list(ours)[: len(theirs)] == list(theirs)


def test_exceptions_come_through_as_they_are():
    class Own(Exception):
        pass

    def f(x, a):
        if a != 1.0:
            raise Own("no")
        return a * x

    with pytest.raises(Own):
        pb.curve_fit(f, X, Y)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"p0": [1.0, np.nan, 1.0]}, "p0 is nan at index 1"),
        ({"p0": [[]]}, "p0 is empty"),
        ({"p0": "abc"}, "p0 must be"),
        ({"p0": [1.0, 1.0, 5.0], "bounds": (0.0, 2.0)}, "p0 is 5.0 at index 2, outside the bounds"),
        ({"bounds": (2.0, 0.0)}, "bounds: the lower bound 2.0 of parameter 0"),
        ({"bounds": ([0.0, 0.0], 1.0)}, "bounds must be"),
        ({"sigma": np.ones(3)}, "sigma has the shape"),
        ({"sigma": np.zeros(40)}, "standard deviation"),
        ({"jac": "4-point"}, "jac must be"),
        ({"nan_policy": "ignore"}, "nan_policy must be"),
        ({"loss": "arctan"}, "loss must be"),
    ],
)
def test_wrong_input_is_a_value_error_that_names_it(options, match):
    with pytest.raises(ValueError, match=match):
        pb.curve_fit(decay, X, Y, **options)


def test_other_mistakes_are_named():
    with pytest.raises(ValueError, match="p0 is needed"):
        pb.curve_fit(lambda x, *p: p[0] * x, X, Y)
    with pytest.raises(TypeError, match="f must be callable"):
        pb.curve_fit(3, X, Y)
    with pytest.raises(ValueError, match="ydata must be an array of numbers"):
        pb.curve_fit(decay, X, ["a"] * 40)
    with pytest.raises(ValueError, match="ydata is empty"):
        pb.curve_fit(decay, [], [])
    with pytest.raises(TypeError, match="unexpected keyword argument 'tolerance'"):
        pb.curve_fit(decay, X, Y, tolerance=1e-3)
    with pytest.raises(ValueError, match="entries, but 40 are needed"):
        pb.curve_fit(lambda x, a: a * x[:5], X, Y)
    with pytest.raises(RuntimeError, match="Optimal parameters not found"):
        pb.curve_fit(decay, X, Y, p0=[100.0, 30.0, 0.0], maxfev=3)


def test_outliers_have_less_weight_with_a_loss():
    y = decay(X, 2.5, 1.3, 0.5)
    y[5] = 40.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        popt, _ = pb.curve_fit(decay, X, y, loss="cauchy", f_scale=0.01, p0=[2.0, 1.0, 0.4])
    assert np.allclose(popt, [2.5, 1.3, 0.5], rtol=1e-3)


@pytest.mark.parametrize("sigma", [None, 0.5])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy"])
def test_covariances_with_outliers_are_those_of_scipy(loss, absolute, sigma):
    y = Y.copy()
    y[[5, 20]] += [1.5, -1.0]
    options = {"loss": loss, "f_scale": 0.1, "p0": [2.0, 1.0, 0.4], "absolute_sigma": absolute, "sigma": sigma}
    close = {"method": "trf", "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    ours, theirs = pb.curve_fit(decay, X, y, **options), scipy.optimize.curve_fit(decay, X, y, **options, **close)
    assert np.allclose(ours[0], theirs[0], rtol=1e-6) and np.allclose(ours[1], theirs[1], rtol=1e-4)


def test_differences_that_vanish_are_no_verdict_on_the_data():
    with pytest.warns(scipy.optimize.OptimizeWarning, match="vanish where f rounds its values"):
        pb.curve_fit(lambda x, a, b: np.round(a * x + 0.123) + b, X, np.round(3.0 * X + 0.123) + 1.0, p0=[3.0, 1.0], jac="3-point")


def calls(f):
    """Returns a function that counts its calls with arrays of numbers."""

    def counted(x, *theta):
        counted.count += isinstance(x, np.ndarray) and x.dtype.kind == "f"
        return f(x, *theta)

    counted.count = 0
    return counted


def test_a_formula_of_single_points_runs_without_python():
    x = np.linspace(0.1, 4.0, 50)
    f = calls(lambda x, a, b: np.where(x < 2.0, a * np.exp(-b * x), a * x**b))
    y = f(x, 2.0, 0.7)
    popt, pcov = pb.curve_fit(f, x, y + 0.01 * np.cos(9.0 * x), p0=[1.0, 1.0])
    # One call for the data, one to compare near the start, one at the end.
    assert f.count == 3
    expected = scipy.optimize.curve_fit(f, x, y + 0.01 * np.cos(9.0 * x), p0=[1.0, 1.0])
    assert np.allclose(popt, expected[0], rtol=1e-6) and np.allclose(pcov, expected[1], rtol=1e-4)


def test_a_formula_of_two_coordinates_runs_without_python():
    x = np.random.default_rng(5).uniform(0.5, 2.0, (2, 40))
    f = calls(lambda x, a, b, c: a * x[0] ** b + c * np.sin(x[1]))
    popt, _ = pb.curve_fit(f, x, f(x, 1.5, 0.3, -0.8), p0=[1.0, 1.0, 0.0])
    assert f.count == 3 and np.allclose(popt, [1.5, 0.3, -0.8])


@pytest.mark.parametrize(
    "f",
    [
        # They treat points in view of the others. The first has the values of its trace where a = 1.
        lambda x, a: a * x + (np.max(x) - x) * (a - 1.0),
        lambda x, a: a * x / x.mean(),
        lambda x, a: a * np.cumsum(x),
        lambda x, a: a * x[::-1],
        # They cannot be traced.
        lambda x, a: scipy.special.erf(a * x),
        lambda x, a: np.array([a * entry for entry in x]),
        lambda x, a: a * x if a > 0.0 else a * x**2,
        # The array is from elsewhere.
        lambda x, a: a * np.linspace(0.0, 1.0, 20),
    ],
)
def test_other_formulas_are_called_as_they_are(f):
    x = np.linspace(0.1, 4.0, 20)
    y = f(x, 1.0) + 0.01 * np.cos(9.0 * x)
    popt, pcov = pb.curve_fit(f, x, y, p0=[1.0])
    expected = scipy.optimize.curve_fit(f, x, y, p0=[1.0])
    assert np.allclose(popt, expected[0], rtol=1e-6) and np.allclose(pcov, expected[1], rtol=1e-4)


def test_points_that_are_left_out_are_left_out_of_the_trace():
    x = np.linspace(0.0, 4.0, 30)
    y = 2.0 * np.exp(-0.7 * x) + 0.01 * np.cos(9.0 * x)
    y[[3, 17]] = np.nan
    f = calls(lambda x, a, b: a * np.exp(-b * x))
    popt, _ = pb.curve_fit(f, x, y, p0=[1.0, 1.0], nan_policy="omit")
    expected = scipy.optimize.curve_fit(f, x, y, p0=[1.0, 1.0], nan_policy="omit")[0]
    assert np.allclose(popt, expected, rtol=1e-6)
