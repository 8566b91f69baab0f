"""`least_squares` as a replacement of SciPy's."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp

import pullback as pb

T = np.linspace(0.0, 3.0, 30)
Y = 2.0 * np.exp(-0.8 * T) + 0.02 * np.random.default_rng(5).standard_normal(30)
OUTLIERS = Y.copy()
OUTLIERS[[4, 11, 20]] += [3.0, -2.0, 4.0]


def residual(x, y=Y, factor=1.0):
    return factor * (x[0] * np.exp(-x[1] * T) - y)


def rosenbrock(x):
    return np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy"])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), ([0.0, 0.0], [1.9, 5.0])], ids=["free", "bounded"])
def test_minima_are_those_of_scipy(loss, bounds):
    options = dict(loss=loss, f_scale=0.1, bounds=bounds, args=(OUTLIERS,), kwargs={"factor": 1.5})
    ours = pb.least_squares(residual, [1.0, 1.0], **options)
    theirs = scipy.optimize.least_squares(residual, [1.0, 1.0], xtol=1e-14, ftol=1e-14, gtol=1e-12, jac="3-point", **options)
    assert ours.success and ours.status in (1, 2, 3)
    assert np.allclose(ours.x, theirs.x, rtol=1e-5)
    assert np.isclose(ours.cost, theirs.cost, rtol=1e-9)
    assert np.allclose(ours.fun, theirs.fun, rtol=1e-4, atol=1e-5)
    assert np.array_equal(ours.active_mask, np.where(np.isclose(ours.x, np.broadcast_to(bounds[1], 2)), 1, 0))
    assert set(theirs) <= set(ours)
    assert np.allclose(ours.jac, theirs.jac, rtol=1e-4, atol=1e-5 * abs(theirs.jac).max())


@pytest.mark.parametrize(
    "jac",
    ["auto", "2-point", "3-point", "cs", lambda x: np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])],
    ids=["auto", "2-point", "3-point", "cs", "callable"],
)
def test_every_derivative_leads_to_the_minimum(jac):
    found = pb.least_squares(rosenbrock, [-1.2, 1.0], jac)
    assert np.allclose(found.x, 1.0, rtol=1e-7) and found.optimality < 1e-6
    assert np.allclose(found.grad, found.jac.T @ found.fun, atol=1e-9)


@pytest.mark.parametrize("jac", ["auto", "3-point"])
def test_a_sparse_pattern_saves_evaluations(jac):
    n = 100

    def broyden(x):
        f = (3.0 - 2.0 * x) * x + 1.0
        f[1:] -= x[:-1]
        f[:-1] -= 2.0 * x[1:]
        return f

    pattern = sp.diags([np.ones(n - 1), np.ones(n), np.ones(n - 1)], [-1, 0, 1])
    found = pb.least_squares(broyden, -np.ones(n), jac, jac_sparsity=pattern)
    assert found.success and np.abs(found.fun).max() < 1e-8
    assert found.nfev < 12 * found.njev


def test_a_sparse_jacobian_is_taken():
    found = pb.least_squares(lambda x: x**2 - [1.0, 4.0], [3.0, 3.0], lambda x: sp.diags([2.0 * x], [0]).tocsr())
    assert np.allclose(found.x, [1.0, 2.0])


def test_limits_and_callbacks_stop():
    assert pb.least_squares(rosenbrock, [-1.2, 1.0], max_nfev=5).status == 0
    seen = []

    def stop(intermediate_result):
        seen.append(intermediate_result.x.copy())
        return len(seen) == 3

    found = pb.least_squares(rosenbrock, [-1.2, 1.0], callback=stop)
    assert found.status == -2 and not found.success and len(seen) == 3 and np.array_equal(seen[0], [-1.2, 1.0])


def test_options_without_effect_say_so():
    with pytest.warns(UserWarning, match="method, x_scale: no effect"):
        pb.least_squares(rosenbrock, [2.0, 2.0], method="trf", x_scale="jac")


@pytest.mark.parametrize(
    "arguments, options, match",
    [
        ((rosenbrock, [np.inf, 1.0]), {}, "x0 is inf at index 0"),
        ((rosenbrock, [3.0, 1.0]), {"bounds": (0.0, 2.0)}, "x0 is 3.0 at index 0, outside"),
        ((rosenbrock, [1.0, 1.0]), {"loss": "arctan"}, "loss must be"),
        ((rosenbrock, [1.0, 1.0]), {"jac": "exact"}, "jac must be"),
        ((rosenbrock, [1.0, 1.0]), {"f_scale": -1.0, "loss": "huber"}, "scale"),
        ((lambda x: np.array([np.nan]), [1.0]), {}, "Residuals are not finite"),
        ((rosenbrock, [1.0, 1.0]), {"jac_sparsity": np.ones((3, 2))}, "jac_sparsity has the shape"),
        ((lambda x: np.ones((2, 2)), [1.0]), {}, "fun must return an array with one axis"),
    ],
)
def test_wrong_input_is_a_value_error_that_names_it(arguments, options, match):
    with pytest.raises(ValueError, match=match):
        pb.least_squares(*arguments, **options)


def test_exceptions_come_through_as_they_are():
    def f(x):
        if x[0] != 2.0:
            raise KeyError("mine")
        return x

    with pytest.raises(KeyError, match="mine"):
        pb.least_squares(f, [2.0])
