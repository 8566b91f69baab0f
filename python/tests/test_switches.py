"""Times at which rates and events change by the time alone, against closed forms and SciPy."""

import math
import warnings

import numpy as np
import pytest
import scipy.integrate

import pullback as pb


def integral(rate, times, **settings):
    """Returns ∫ rate(t) dt from the start to the times."""
    model = pb.Dynamics(lambda t, x, p: [p[0] * rate(t)], times, start=[0.0], parameters=1, **settings)
    return model.predict([1.0]).ravel()


def test_a_short_pulse_of_a_table_is_seen():
    knots, values = [0, 30, 30.01, 31, 31.01, 96], [0, 0, 1, 1, 0, 0]
    times = [0, 24, 48, 72, 96]
    model = pb.Dynamics(
        lambda t, x, p: [10.0 * pb.interp(t, knots, values) - p[0] * x[0]],
        times,
        start=[0.0],
        parameters=["k"],
        rtol=1e-9,
        atol=1e-9,
    )
    fine = scipy.integrate.solve_ivp(
        lambda t, x: 10.0 * np.interp(t, knots, values) - 0.05 * x,
        (0, 96),
        [0.0],
        t_eval=times,
        max_step=0.005,
        rtol=1e-9,
        atol=1e-9,
    )
    assert np.allclose(model.predict([0.05]).ravel(), fine.y[0], rtol=1e-6)


def test_tables_of_any_length_in_any_linear_time_end_steps():
    # The integral of a piecewise linear function is that of the trapezoidal rule.
    hours = np.arange(241.0)
    values = np.where(hours % 24 < 1, 1.0, 0.0)
    expected = np.trapezoid(values, hours) if hasattr(np, "trapezoid") else np.trapz(values, hours)
    assert np.isclose(integral(lambda t: pb.interp(t, hours, values), [240.0])[0], expected, rtol=1e-12)
    assert np.isclose(integral(lambda t: pb.interp(60.0 * t + 5.0, 60.0 * hours + 5.0, values), [240.0])[0], expected, rtol=1e-12)
    # Repeated every day, the table of the first day.
    day = hours[:25], np.where(hours[:25] < 1, 1.0, 0.0)
    assert np.isclose(integral(lambda t: pb.interp(t % 24.0, *day), [240.0])[0], 5.0, rtol=1e-9)


@pytest.mark.parametrize(
    ("rate", "times", "expected"),
    [
        (lambda t: pb.where(abs(t - 100) < 0.01, 1.0, 0.0), [200], [0.02]),
        (lambda t: pb.where(abs(t - 100) <= 0.01, 1.0, 0.0), [200], [0.02]),
        (lambda t: pb.where((t > 99.99) & (t < 100.01), 1.0, 0.0), [200], [0.02]),
        (lambda t: pb.where(t % 50 < 8, 1.0, 0.0), [50, 58, 200, 201], [8, 16, 32, 33]),
        (lambda t: pb.where(t % 50 <= 8, 1.0, 0.0), [50, 58, 200, 201], [8, 16, 32, 33]),
        (lambda t: pb.where(t < 1.7e9, 1.0, 0.0), [3.4e9], [1.7e9]),
        (lambda t: pb.maximum(0.0, 1.0 - abs(t - 500)), [1000], [1.0]),
        (lambda t: pb.minimum(t % 24, 1.0), [24, 240], [23.5, 235]),
        (lambda t: np.floor(t), [1, 3, 3.5], [0, 3, 4.5]),
        (lambda t: pb.where(0.1 * t < 0.3, 1.0, 0.0) + pb.where(t < 3, 0.0, 2.0), [3, 10], [3, 17]),
        (lambda t: pb.where(t == 3.0, 1e9, 1.0), [3, 10], [3, 10]),
        (lambda t: np.heaviside(t - 3.0, 0.5), [3, 10], [0, 7]),
        (lambda t: pb.where(pb.where(t < 50, t, 100 - t) > 49.99, 1.0, 0.0), [100], [0.02]),
    ],
)
def test_jumps_and_bends_in_time_are_found(rate, times, expected):
    assert np.allclose(integral(rate, times), expected, rtol=1e-9, atol=1e-11)
    # Long steps of equal length see the same function.
    assert np.allclose(integral(rate, times, step=1e10), expected, rtol=1e-9, atol=1e-11)


def test_switches_of_every_experiment_and_every_input_are_found():
    experiments = [pb.Experiment([1.7e9 + 5.0], start=1.7e9 - 3.0, given={"c": 1.7e9}), pb.Experiment([9.0], given={"c": 4.0})]
    model = pb.Dynamics(lambda t, x, p: [p[0] * pb.where(t < p[1], 1.0, 0.0)], experiments, parameters=["a", "c"], start=[0.0])
    assert np.allclose(model.predict([1.0]).ravel(), [3.0, 4.0])
    moved = pb.Experiment([100.0], given={"c": 20.0}, changes={50.0: {"c": 60.0}})
    model = pb.Dynamics(
        lambda t, x, p: [p[0] * pb.where(abs(t - p[1]) < 0.01, 1.0, 0.0)], moved, parameters=["a", "c"], start=[0.0]
    )
    assert np.allclose(model.predict([1.0]).ravel(), [0.04])


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (lambda t, p: pb.where(np.sin(t) < 0.0, p[0], 0.0), "breaks"),
        (lambda t, p: pb.where(p[0] * t < 1.0, 1.0, 0.0), "an event"),
        (lambda t, p: pb.interp(t - p[0], [0, 1], [0, 1]), "breaks"),
    ],
)
def test_times_that_are_not_found_are_a_warning(rate, text):
    with pytest.warns(UserWarning, match=text):
        pb.Dynamics(lambda t, x, p: [rate(t, p)], [1.0], start=[0.0], parameters=1)
    if text == "breaks":
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pb.Dynamics(lambda t, x, p: [rate(t, p)], [1.0], start=[0.0], parameters=1, breaks=[0.5])


PULSES = [
    lambda t, p: pb.maximum(1 - abs(t - p) / 0.5, 0) / 0.5,
    lambda t, p: -pb.minimum(abs(t - p) - 0.5, 0) * 4,
    lambda t, p: pb.maximum(1 - ((t - 17) / 0.5) ** 2, 0) * 1.5,
]


@pytest.mark.parametrize("rate", PULSES)
def test_pulses_that_a_step_may_pass_over_are_a_warning(rate):
    def build(**settings):
        return pb.Dynamics(lambda t, x, p: [rate(t, p[0]) - 0.1 * x[0]], [24.0], start=[0.0], parameters=1, **settings)

    with pytest.warns(UserWarning, match="pass over a short pulse"):
        build()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [build(**settings).predict([17.0]).ravel() for settings in ({"breaks": [16.8, 17.2]}, {"step": 0.01})]
    left = scipy.integrate.quad(lambda t: float(rate(t, 17.0)) * math.exp(-0.1 * (24.0 - t)), 16, 18, points=[16.5, 17, 17.5])
    assert np.allclose(found, left[0], rtol=1e-5)


@pytest.mark.parametrize(
    "rate",
    [
        lambda t, x, p: pb.maximum(x - p, 0.0) + abs(p) + pb.minimum(p * x, 1.0),
        lambda t, x, p: p * pb.maximum(1 - abs(t - 500), 0.0),
        lambda t, x, p: np.exp(-p * t) * pb.minimum(t % 24, 1.0),
    ],
)
def test_bends_of_the_state_or_at_times_that_are_found_are_no_warning(rate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pb.Dynamics(lambda t, x, p: [rate(t, x[0], p[0])], [24.0], start=[0.0], parameters=1)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (lambda t, x, p: pb.minimum(t - 100, 100.01 - t), 100.0),
        (lambda t, x, p: pb.minimum(pb.minimum(t - 100, x[0] + 1), 100.01 - t), 100.0),
        (lambda t, x, p: 0.01 - abs(t - 100), 99.99),
        (lambda t, x, p: pb.interp(t, [100, 100.01, 100.02], [-1, 1, -1]), 100.005),
    ],
)
def test_events_that_are_short_in_time_fire(event, expected):
    # The time of the event is added at the event.
    model = pb.Dynamics(
        lambda t, x, p: [0.0 * x[0]], [99, 200], start=[0.0], parameters=1, events=[(event, lambda t, x, p: [x[0] + p[0] * t])]
    )
    assert np.allclose(model.predict([1.0]).ravel(), [0.0, expected], rtol=1e-9)


@pytest.mark.parametrize(
    "event", [lambda t, x, p: np.sin(t), lambda t, x, p: pb.minimum(t - p[0], p[0] + 0.01 - t), lambda t, x, p: 0.1 - abs(t - p[0])]
)
def test_events_that_a_step_may_pass_over_are_a_warning(event):
    settings = {"start": [0.0], "parameters": 1, "events": [(event, lambda t, x, p: [x[0] + 1.0])]}
    with pytest.warns(UserWarning, match="pass over"):
        pb.Dynamics(lambda t, x, p: [0.0 * x[0]], [200.0], **settings)
    model = pb.Dynamics(lambda t, x, p: [0.0 * x[0]], [20.0], **settings, step=0.004)
    # Of sin t, the upward passages at 2π, 4π and 6π; of the others, the one at the estimate.
    assert model.predict([10.0])[0, 0] == (3.0 if event(math.pi / 2.0, [0.0], [10.0]) > 0.5 else 1.0)
