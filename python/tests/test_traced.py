"""Traced functions, against NumPy and closed forms."""

import math

import numpy as np
import pytest

import pullback as pb
from pullback._design import jacobian

SMALL = 2.0**-20


def value_and_slope(f, *x):
    """Returns the value and the derivatives of a traced function of numbers."""
    model = pb.Formula(lambda theta: [f(*theta)], parameters=len(x))
    return model.predict(x)[0], np.asarray(jacobian(model, list(x))).reshape(-1)


@pytest.mark.parametrize(
    ("f", "x", "value", "slope"),
    [
        (np.arcsinh, -1e8, -(math.log(2e8)), 1e-8),
        (np.arcsinh, -1e-12, -1e-12, 1.0),
        (np.arcsinh, 0.0, 0.0, 1.0),
        (np.arcsinh, 1e200, math.log(2.0) + 200.0 * math.log(10.0), 1e-200),
        (np.arcsinh, -0.75, -math.log(2.0), 0.8),
        (np.arccosh, 1.25, math.log(2.0), 4.0 / 3.0),
        (
            np.arccosh,
            1.0 + SMALL,
            math.sqrt(2.0 * SMALL) * (1.0 - SMALL / 12.0 + 3.0 * SMALL**2 / 160.0),
            (SMALL * (2.0 + SMALL)) ** -0.5,
        ),
        (np.arccosh, 1e200, math.log(2.0) + 200.0 * math.log(10.0), 1e-200),
        (np.arctanh, 0.6, math.log(2.0), 1.0 / 0.64),
        (np.arctanh, -1e-12, -1e-12, 1.0),
        (np.sinc, 0.0, 1.0, 0.0),
        (np.sinc, 0.5, 2.0 / math.pi, -4.0 / math.pi),
        (
            np.sinc,
            1e-3,
            1.0 - math.pi**2 * 1e-6 / 6.0 + math.pi**4 * 1e-12 / 120.0,
            -(math.pi**2) * 1e-3 / 3.0 * (1 - math.pi**2 * 1e-7),
        ),
    ],
)
def test_functions_are_accurate_where_formulas_cancel_or_overflow(f, x, value, slope):
    found, derivative = value_and_slope(f, x)
    assert np.isclose(found, value, rtol=1e-15 if value else 0.0, atol=0.0)
    assert np.isclose(derivative[0], slope, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("x", [(3e200, 4e200), (-3e-200, 4e-200), (3.0, -4.0)])
def test_hypot_neither_overflows_nor_underflows(x):
    value, slope = value_and_slope(np.hypot, *x)
    assert np.isclose(value, max(map(abs, x)) * 1.25, rtol=1e-15, atol=0.0)
    assert np.allclose(slope, np.sign(x) * [0.6, 0.8], rtol=1e-14)


def test_logaddexp_and_expit_do_not_overflow():
    scipy = pytest.importorskip("scipy.special")
    value, slope = value_and_slope(np.logaddexp, 1000.0, 1000.0)
    assert np.isclose(value, 1000.0 + math.log(2.0), rtol=1e-15) and np.allclose(slope, 0.5)
    value, slope = value_and_slope(np.logaddexp, -1000.0, 5.0)
    assert value == 5.0 and slope.tolist() == [0.0, 1.0]
    for x in (-800.0, -40.0, 0.3, 800.0):
        value, slope = value_and_slope(scipy.expit, x)
        assert np.isclose(value, scipy.expit(x), rtol=1e-15, atol=0.0)
        assert np.isclose(slope[0], scipy.expit(x) * scipy.expit(-x), rtol=1e-14, atol=0.0)


def test_second_derivatives_of_these_functions_are_exact():
    def f(theta):
        a, b = theta
        return [
            np.arcsinh(a) + np.arctanh(a / 3.0) + np.sinc(a / 50.0) + np.sinc(b),
            np.arccosh(b + 1.0) + np.hypot(a, b),
            np.logaddexp(a, b),
        ]

    pb.verify(pb.Formula(f, parameters=2), [-0.7, 0.4])


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)])
def test_comparisons_are_compared_by_their_truth(a, b):
    def f(p):
        first, second = p[0] > 0.0, p[1] > 0.0
        cases = [first == second, first != second, first ^ second, first == True, first != np.bool_(True)]  # noqa: E712
        return [pb.where(case, 1.0, 0.0) for case in cases]

    first, second = a > 0.0, b > 0.0
    expected = [first == second, first != second, first ^ second, first, not first]
    assert pb.Formula(f, parameters=2).predict([a, b]).tolist() == np.array(expected, dtype=float).tolist()


def test_comparisons_with_nan_are_those_of_numpy():
    def f(p):
        x, y = np.log(p[0]), 0.0 * p[0]
        cases = [x < y, x <= y, x > y, x >= y, x == y, x != y, ~(x < y), ~(x >= y)]
        return [pb.where(case, 1.0, 2.0) for case in cases]

    with np.errstate(invalid="ignore"):
        x, y = np.log(np.float64(-1.0)), 0.0
    expected = [x < y, x <= y, x > y, x >= y, x == y, x != y, ~(x < y), ~(x >= y)]
    assert pb.Formula(f, parameters=1).predict([-1.0]).tolist() == np.where(expected, 1.0, 2.0).tolist()


def test_a_given_power_of_a_negative_state_has_derivatives():
    # x' = −k x + xⁿ/10. With n = 1 the solution is x₀ exp((1/10 − k) t).
    def model(n):
        return pb.Dynamics(
            lambda t, x, p: [-p[0] * x[0] + 0.1 * x[0] ** p[1]],
            pb.Experiment([1.0, 2.0], given={"n": n}),
            start=[-1.0],
            parameters=["k", "n"],
            rtol=1e-10,
            atol=1e-12,
        )

    pb.verify(model(2.0).keep_steps([1.0]), [1.0])
    times = np.array([1.0, 2.0])
    assert np.allclose(np.ravel(jacobian(model(1.0), [0.5])), times * np.exp(-0.4 * times), rtol=1e-7)


def test_numbers_are_clipped_and_chosen_as_by_numpy():
    model = pb.Formula(lambda p: [np.clip(p[0], 0.35, 1.0), np.clip(p[0], 0.0, 0.2), np.heaviside(p[0] - 0.3, 0.5)], parameters=1)
    assert model.predict([0.3]).tolist() == [0.35, 0.2, 0.5]


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda p: [p[0] * np.complex128(1.0 + 2.0j)], "complex"),
        (lambda p: [1j], "complex"),
        (lambda p: p * np.array([1j, 2.0]), "complex"),
        (lambda p: np.angle(p), "arctan2"),
        (lambda p: np.linalg.solve(np.array([[p[0], 0.0], [0.0, p[1]]]), p), "one by one"),
        (lambda p: np.heaviside(p, 0.5), "one by one"),
        (lambda p: {"a": p[0]}, "dictionary"),
        (lambda p: [pb.where((p[0] > 0.0) == 3.0, 1.0, 2.0)], "pb.where"),
    ],
)
def test_what_cannot_be_traced_is_an_error_that_says_why(f, text):
    with pytest.raises(TypeError, match=text):
        pb.Formula(f, parameters=2)


def test_special_functions_of_scipy_are_an_error():
    scipy = pytest.importorskip("scipy.special")
    for f in (lambda p: [scipy.erf(p[0])], lambda p: scipy.erf(p)):
        with pytest.raises(TypeError, match="traced"):
            pb.Formula(f, parameters=2)


DECAY = {"rate": lambda t, x, p: [-p[0] * x[0], -x[1]], "times": [1.0], "parameters": 1}


def test_names_of_the_start_are_those_of_the_components():
    assert pb.Dynamics(**DECAY, start={"a": 1.0, "b": 2.0}).states == ["a", "b"]
    for start, text in (({"a": 1.0, "b": 2.0, "typo": 4.0}, "'typo'"), ({"a": 1.0}, "'b' has no value")):
        with pytest.raises(ValueError, match=text):
            pb.Dynamics(**DECAY, start=start, states=["a", "b"])


def test_truth_values_choose_algebraic_components():
    model = pb.Dynamics(lambda t, x, p: [-p[0] * x[0], x[0] - x[1]], [1.0], parameters=1, start=[1.0, 1.0], algebraic=[False, True])
    assert np.allclose(model.predict([1.0]), math.exp(-1.0), rtol=1e-5)
    with pytest.raises(ValueError, match="3 truth values"):
        pb.Dynamics(**DECAY, start=[1.0, 1.0], algebraic=[False, True, True])


def test_outputs_with_several_values_under_one_name_are_an_error():
    with pytest.raises(ValueError, match="'both' has 2 values"):
        pb.Dynamics(**DECAY, start=[1.0, 1.0], observe=lambda t, x, p: {"both": x})
    with pytest.raises(ValueError, match="noise: 'x0' has 2 values"):
        pb.Dynamics(**DECAY, start=[1.0, 1.0], noise=lambda t, x, p: {"x0": x})


def test_experiments_of_one_name_are_not_lost():
    model = pb.Dynamics(DECAY["rate"], [pb.Experiment([1.0], name="a")] * 2, parameters=1, start=[1.0, 1.0])
    with pytest.raises(ValueError, match="more than one experiment"):
        model.split(model.predict([1.0]))
