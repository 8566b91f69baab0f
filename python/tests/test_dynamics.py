"""Dynamics, equations and formulas written in Python, against closed forms, SciPy and the ready models."""

import math

import numpy as np
import pytest
import scipy.integrate

import pullback as pb


def every_operation(t, x, p):
    """Three rates that use all that can be traced."""
    matrix = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0], [0.5, 0.0, 1.0]])
    first = matrix @ x + np.exp(-p[0] * x) * np.sin(t) + np.log(x[0] + 2.0) - x**2 / (1 + x) + 2.0**x + np.sqrt(p[1]) / p[2]
    second = np.stack([x[0], x[1]]).sum() + t % 0.3 + abs(-x[1]) + np.arctan2(x[0], 2.0 + x[1]) + np.hypot(x[0], 1.0)
    third = np.mean(x) + np.prod(x) + np.cumsum(x)[1] + np.diff(x)[0] + np.float64(2.0) * x[0] + np.dot(x, p) - x[2] ** p[0]
    fourth = np.tanh(x[0]) + np.cosh(p[0]) * np.sinh(0.1 * x[1]) + np.expm1(0.1 * x[0]) + np.log1p(x[1] ** 2) + np.cbrt(x[2])
    fifth = np.arcsin(0.1 * x[0]) + np.arccos(0.1 * x[1]) + np.arctan(x[2]) + np.cos(x[0]) * np.tan(0.1 * p[0]) + np.square(x[2])
    sixth = np.log10(p[1]) + np.log2(p[1]) + 1.0 / x[2] + np.reciprocal(p[2]) + 0.0 * x[0] + np.sign(x[1]) + np.arcsinh(x[2])
    return first + second + third + fourth + fifth + sixth - (5.0 * x + 20.0)


def test_all_operations_have_the_values_and_derivatives_of_numpy():
    start, p = np.array([0.5, 0.7, 1.2]), np.array([0.3, 2.0, 0.7])
    still = pb.Dynamics(lambda t, x, p: 0.0 * x, [0.8], start=start, parameters=3, observe=every_operation)
    assert np.allclose(still.predict(p), every_operation(0.8, start, p), rtol=1e-13)
    model = pb.Dynamics(every_operation, [0.02, 0.05], start=lambda p: start, parameters=3, states=3, rtol=1e-10, atol=1e-12)
    expected = scipy.integrate.solve_ivp(
        every_operation, (0.0, 0.05), start, args=(p,), rtol=1e-11, atol=1e-12, t_eval=[0.02, 0.05]
    )
    assert np.allclose(model.predict(p), expected.y.T, rtol=1e-8)
    pb.verify(model.keep_steps(p), p)


def test_a_traced_rate_is_integrated_as_the_ready_one():
    def rate(t, x, p):
        prey, predators = x
        growth, hunting, profit, death = p
        meetings = prey * predators
        return [growth * prey - hunting * meetings, profit * meetings - death * predators]

    times, theta = np.arange(1.0, 21.0), [0.55, 0.028, 0.024, 0.8]
    own = pb.Dynamics(rate, times, start=[30.0, 4.0], parameters=4)
    assert np.allclose(own.predict(theta), pb.LotkaVolterra(times, start=[30.0, 4.0]).predict(theta), rtol=1e-12)
    assert own.shape == (20, 2) and own.parameters == ["p0", "p1", "p2", "p3"]


def test_the_start_may_be_estimated_given_by_name_or_computed():
    times = [0.5, 1.0]
    expected = 3.0 * np.exp(-np.outer(times, [1.0]))
    decay = {"rate": lambda t, x, p: -p[0] * x, "times": times}
    assert np.allclose(pb.Dynamics(**decay, parameters=2, states=1).predict([1.0, 3.0]), expected)
    assert np.allclose(pb.Dynamics(**decay, parameters=["k", "x0"], start=["x0"]).predict([1.0, 3.0]), expected)
    assert np.allclose(pb.Dynamics(**decay, parameters=2, start=lambda p: [p[0] + p[1]]).predict([1.0, 2.0]), expected)
    named = pb.Dynamics(lambda t, x, p: [-x[0], -x[1]], times, parameters=["a"], states=["u", "v"], start={"v": 1.0, "u": "a"})
    assert np.allclose(named.predict([3.0])[:, 0], expected[:, 0])


def test_a_ball_bounces_and_its_derivatives_include_the_times_of_the_bounces():
    # From height 2 with acceleration 4 the floor is reached at t = 1 with speed 4, half of which is left.
    ball = pb.Dynamics(
        lambda t, x, p: [x[1], -p[1]],
        [1.5],
        start=lambda p: [p[0], 0.0],
        parameters=["height", "acceleration", "share"],
        events=[(lambda t, x, p: -x[0], lambda t, x, p: [0.0, -p[2] * x[1]])],
    )
    theta = [2.0, 4.0, 0.5]
    assert np.allclose(ball.predict(theta), [[0.5, 0.0]], atol=1e-9)
    pb.verify(ball.keep_steps(theta), theta)


def test_algebraic_equations_inputs_and_the_steady_state():
    # x₀ = x₁ + b x₁/(1 + x₁) at any time. In the end clearance balances infusion.
    infused = pb.Experiment(
        [1.0, 2.0, 4.0, np.inf], rested={"infusion": 0.5}, given={"infusion": 2.0}, changes={3.0: {"infusion": 1.0}}
    )
    bound = pb.Dynamics(
        lambda t, x, p: [p[2] - p[0] * x[1], x[1] + p[1] * x[1] / (1.0 + x[1]) - x[0]],
        infused,
        parameters=["clearance", "binding", "infusion"],
        start=[1.0, 1.0],
        algebraic=[1],
    )
    rho = bound.predict([0.5, 3.0])
    assert bound.parameters == ["clearance", "binding"] and abs(rho[3, 1] - 2.0) < 1e-8
    assert np.allclose(rho[:, 0], rho[:, 1] + 3.0 * rho[:, 1] / (1.0 + rho[:, 1]))


def test_own_parameters_of_experiments_follow_those_of_the_dynamics():
    first = pb.Experiment([0.0, 1.0], name="a", given={"dose": 10.0})
    second = pb.Experiment([0.0, 1.0], name="b", given={"dose": 20.0}, own={"base": "base of b"})
    model = pb.Dynamics(lambda t, x, p: -p[0] * x, [first, second], parameters=["k", "base", "dose"], start=lambda p: [p[1] + p[2]])
    parts = model.split(model.predict([0.5, 1.0, 3.0]))
    assert model.parameters == ["k", "base", "base of b"]
    assert np.allclose(parts["a"][:, 0], [11.0, 11.0 * math.exp(-0.5)]) and np.allclose(parts["b"][0], 23.0)


def test_a_stiff_rate_is_integrated_by_an_implicit_method():
    def rate(t, x, p):
        a, b, c = x
        slow, back, fast = p[0] * a, p[1] * b * c, p[2] * b**2
        return [back - slow, slow - back - fast, fast]

    theta, times = [0.04, 1e4, 3e7], [0.4, 40.0, 4000.0]
    own = pb.Dynamics(rate, times, start=[1.0, 0.0, 0.0], parameters=3, method="implicit")
    assert np.allclose(own.predict(theta), pb.Robertson(times, start=[1.0, 0.0, 0.0]).predict(theta), rtol=1e-9)


@pytest.mark.parametrize(
    ("rate", "error", "text"),
    [
        (lambda t, x, p: [math.exp(x[0])], TypeError, "np.exp"),
        (lambda t, x, p: [x[0] if x[0] < 1.0 else 1.0], TypeError, "pb.where"),
        (lambda t, x, p: [max(x[0], 0.0)], TypeError, "pb.maximum"),
        (lambda t, x, p: np.maximum(x, 0.0), TypeError, "pb.maximum"),
        (lambda t, x, p: np.exp(np.array([x[0], 1.0])), TypeError, "one by one"),
        (lambda t, x, p: np.array([x[0]], dtype=float), TypeError, "np.array"),
        (lambda t, x, p: [x[0] < 1.0], TypeError, "pb.where"),
        (lambda t, x, p: [np.spacing(x[0])], TypeError, "np.spacing"),
        (lambda t, x, p: [x[0], x[0]], ValueError, "2 values, but 1"),
        (lambda t, x, p: None, ValueError, "returned None"),
        (lambda x, p: [x[0]], TypeError, r"rate\(t, x, p\)"),
        (3.0, TypeError, "callable"),
    ],
)
def test_what_cannot_be_traced_is_an_error_with_a_remedy(rate, error, text):
    with pytest.raises(error, match=text):
        pb.Dynamics(rate, [1.0], start=[1.0], parameters=1)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"start": None}, "states"),
        ({"start": ["b"]}, "no parameter 'b'"),
        ({"parameters": ["a", "a"]}, "more than once"),
        ({"algebraic": [4]}, "no component 4"),
        ({"method": "best"}, "no method 'best'"),
        ({"rtol": 1e-3}, "together"),
        ({"times": [2.0, 1.0]}, "time 1 is 1"),
        ({"times": pb.Experiment([1.0], given={"c": 1.0})}, "no parameter 'c'"),
        ({"noise": lambda t, x, p: {"z": 1.0}}, "no observable 'z'"),
        ({"events": [3]}, "pairs"),
    ],
)
def test_wrong_arguments_are_named(given, text):
    arguments = {"times": [1.0], "start": [1.0], "parameters": ["a"], **given}
    with pytest.raises(ValueError, match=text):
        pb.Dynamics(lambda t, x, p: -p[0] * x, **arguments)


def test_equations_have_exact_sparse_derivatives():
    n = 50
    x = (np.arange(n) + 0.5) / n

    def residual(u, theta):
        """−u″ + θ₀ u³ = θ₁ on (0, 1) with u = 0 at both ends, by differences."""
        padded = np.concatenate([[-u[0]], u, [-u[-1]]])
        return (2.0 * u - padded[2:] - padded[:-2]) * n**2 + theta[0] * u**3 - theta[1]

    model = pb.Equations(residual, unknowns=n, parameters=2)
    # Without the cubic term u = θ₁ x(1 − x)/2, up to (θ₁/8) n⁻² from the ends.
    assert np.allclose(model.predict([0.0, 10.0]), 5.0 * x * (1.0 - x), atol=10.0 / n**2)
    pb.verify(model, [5.0, 10.0])
    found = pb.minimize(model, model.predict([5.0, 10.0]), [1.0, 8.0])
    assert found.success and np.allclose(found.x, [5.0, 10.0], rtol=1e-6)


def test_a_formula_has_the_shape_of_its_values():
    times = np.linspace(0.0, 3.0, 6)
    model = pb.Formula(lambda theta: np.outer(theta[:2], np.exp(-theta[2] * times)), parameters=3)
    theta = np.array([1.0, 2.0, 0.5])
    assert model.shape == (2, 6)
    assert np.allclose(model.predict(theta), np.outer(theta[:2], np.exp(-0.5 * times)), rtol=1e-14)
    pb.verify(model, theta)


@pytest.mark.parametrize(
    "condition", [lambda t, c: t < c, lambda t, c: t <= c, lambda t, c: ~(c < t), lambda t, c: 2.0 * (t - c) < 0.0]
)
def test_steps_end_where_a_rate_jumps_in_time(condition):
    # A rate 1 until c and −2 from then on, with one and the same long step on either side.
    experiments = [pb.Experiment([0.2, 1.0], given={"c": c}) for c in (0.5, 0.0, 3.0)]
    model = pb.Dynamics(
        lambda t, x, p: [p[0] * pb.where(condition(t, p[1]), 1.0, -2.0)], experiments, parameters=["a", "c"], start=[0.0], step=10.0
    )
    expected = [[0.2, 0.5 - 1.0], [-0.4, -2.0], [0.2, 1.0]]
    assert np.allclose(model.predict([1.0]).reshape(3, 2), expected, atol=1e-13)


def test_a_switch_at_an_estimated_time_is_a_warning():
    def lag(t, x, p):
        return [pb.where(t < p[0], 0.0, 1.0)]

    with pytest.warns(UserWarning, match="an event"):
        pb.Dynamics(lag, [1.0], start=[0.0], parameters=1)
    # With an event the derivative is that of the closed form x(1) = 1 − p₀.
    model = pb.Dynamics(
        lambda t, x, p: [x[1], 0.0],
        [1.0],
        start=[0.0, 0.0],
        parameters=1,
        events=[(lambda t, x, p: t - p[0], lambda t, x, p: [x[0], 1.0])],
    )
    found = pb.minimize(model, [[0.75, 1.0]], [0.6])
    assert np.isclose(found.x[0], 0.25)


def test_products_that_underflow_are_no_wrong_derivatives():
    # The product and its changes are below the smallest normal number, where digits are lost in any order of the factors.
    model = pb.Formula(lambda theta: [np.prod(theta), np.sum(theta[:2])], parameters=4)
    found = pb.minimize(model, [0.0, 1.0], np.full(4, 3e-81), maxiter=1, uncertainty=False)
    assert np.allclose(found.jac, [-1.0, -1.0, 0.0, 0.0])

    def rate(t, x, p):
        return [np.prod(x[:4]), *(-p[0] * x[1:])]

    chain = pb.Dynamics(rate, [1.0], start=[3e-81] * 40, parameters=1)
    found = pb.minimize(chain, np.zeros(40), [0.5], maxiter=1, uncertainty=False)
    assert np.isfinite(found.jac).all()
