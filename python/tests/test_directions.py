"""Directions and step rules by words, with their options."""

import numpy as np
import pytest

import pullback as pb

T = np.linspace(0.0, 3.0, 40)


def decay(theta):
    return theta[0] * np.exp(-theta[1] * T) + theta[2]


TRUTH = np.array([2.0, 0.7, 0.3])
DATA = decay(TRUTH)


@pytest.mark.parametrize(
    "direction, step",
    [
        ("least_squares", "trust_ratio"),
        ("least_squares", ("trust_ratio", 1.0)),
        ("least_squares", ("trust_ratio", {"accept": 0.1, "stretch": 1.0})),
        ("least_squares", "armijo"),
        ("least_squares", ("armijo", {"first": 0.5, "growth": 2.0})),
        ("least_squares", ("fixed", 1.0)),
        (("conjugate_gradient", 3), None),
        (("newton", {"iterations": 3, "escape": 0}), None),
        (("sketched", {"probes": 8, "seed": 3}), "armijo"),
        ("information", None),
        (("information", {"damping": "identity"}), None),
        (("least_squares", {"damping": "identity", "cutoff": 1e-9}), None),
        (None, None),
        ("lbfgs", None),
        (("lbfgs", 3), "armijo"),
        (("lbfgs", {"memory": 5, "by_prior": False}), ("strong_wolfe", 0.5)),
        ("nonlinear_cg", None),
        (("nonlinear_cg", {"formula": "hestenes_stiefel", "inner": "least_squares"}), None),
        (("nonlinear_cg", {"formula": "fletcher_reeves"}), ("strong_wolfe", {"curvature": 0.1, "trials": 30})),
        (("momentum", {"beta": 0.3, "inner": "least_squares"}), None),
        (("nesterov", {"beta": 0.3, "inner": "least_squares"}), ("fixed", 0.5)),
        (("least_squares", 1e-6), "grid"),
        ("least_squares", ("grid", {"first": 2.0, "ratio": 0.7, "count": 10})),
    ],
)
def test_words_for_directions_and_steps_reach_the_optimum(direction, step):
    # A formula that is noted has second derivatives, which Newton's method needs.
    found = pb.minimize(pb.Formula(decay, parameters=3), DATA, [1.5, 1.0, 0.0], direction=direction, step=step)
    assert np.allclose(found.x, TRUTH, atol=1e-6), found.report


def test_a_fixed_rate_is_the_factor_of_every_step():
    # On a line the whole Gauss-Newton step ends at the optimum, and a half halves the error.
    line = lambda theta: theta[0] + theta[1] * T  # noqa: E731
    found = pb.minimize(line, line([1.0, 2.0]), [0.0, 0.0], step=("fixed", 0.5), maxiter=10)
    assert np.allclose(found.x, np.array([1.0, 2.0]) * (1.0 - 2.0**-10), rtol=1e-9)
    assert np.all(found.history["scale"][1:] == 0.5)
    by_name = pb.minimize(line, line([1.0, 2.0]), [0.0, 0.0], step=("fixed", {"rate": 0.5}), maxiter=10)
    assert np.array_equal(by_name.x, found.x)


def test_armijo_does_not_damp_and_trust_ratios_do():
    found = pb.minimize(decay, DATA, [1.0, 3.0, 0.0], step="armijo")
    assert np.all(found.history["damping"][1:] == 0.0)
    damped = pb.minimize(decay, DATA, [1.0, 3.0, 0.0], step=("trust_ratio", 10.0))
    assert damped.history["damping"][1] >= 10.0 and np.allclose(damped.x, found.x, atol=1e-6)


def test_damping_by_the_identity_depends_on_units_and_by_the_diagonal_does_not():
    def steps(damping, unit):
        options = {"direction": ("information", {"damping": damping}), "step": ("trust_ratio", 1e-3), "maxiter": 30}
        found = pb.minimize(lambda x: decay([x[0], x[1] / unit, x[2]]), DATA, [1.0, 3.0 * unit, 0.0], **options)
        return found.history["theta"][:6] / [1.0, unit, 1.0]

    assert np.allclose(steps("diagonal", 1e3), steps("diagonal", 1.0), rtol=1e-6)
    assert not np.allclose(steps("identity", 1e3), steps("identity", 1.0), rtol=1e-3)


def test_damping_by_the_identity_copes_with_large_and_singular_information():
    x = np.linspace(0.0, 1.0, 20)
    direction = ("information", {"damping": "identity"})
    found = pb.minimize(lambda p: (p[0] + p[1]) * x, 2.0 * x, [0.0, 0.3], sigma=0.01, direction=direction)
    assert found.success and np.isclose(found.x.sum(), 2.0)


def test_settings_name_direction_and_step(tmp_path):
    found = pb.minimize(decay, DATA, [1.5, 1.0, 0.0], direction=("conjugate_gradient", 5), step=("armijo", {"growth": 2.0}))
    assert found.settings["direction"] == "conjugate_gradient 5" and found.settings["step"] == "armijo growth=2"
    assert "step" not in pb.minimize(decay, DATA, [1.5, 1.0, 0.0]).settings


def rosenbrock(theta):
    return np.array([10.0 * (theta[1] - theta[0] ** 2), 1.0 - theta[0]])


def test_lbfgs_takes_about_as_many_gradients_as_that_of_scipy():
    optimize = pytest.importorskip("scipy.optimize")
    found = pb.minimize(rosenbrock, [0.0, 0.0], [-1.2, 1.0], direction="lbfgs")
    assert found.success and np.allclose(found.x, [1.0, 1.0], atol=1e-6)
    f = lambda x: 0.5 * (rosenbrock(x) ** 2).sum()  # noqa: E731
    slope = lambda x: rosenbrock(x) @ np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])  # noqa: E731
    theirs = optimize.minimize(f, [-1.2, 1.0], jac=slope, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-8})
    assert found.nit < 2 * theirs.nit
    # No tangents: gradients are all that it needs.
    assert found.counts["tangent_solves"] == 0


def test_momentum_is_the_recursion_of_the_heavy_ball():
    a, b = np.array([1.0, 3.0]), np.array([2.0, -1.0])
    rate, beta = 0.1, 0.6
    found = pb.minimize(lambda x: a * x, b, [1.0, 1.0], direction=("momentum", beta), step=("fixed", rate), maxiter=12)
    x, v = np.array([1.0, 1.0]), np.zeros(2)
    points = [x]
    for _ in range(12):
        v = beta * v - a * (a * x - b)
        x = x + rate * v
        points.append(x)
    assert np.allclose(found.history["theta"][:12], points[:12], rtol=1e-10)


def test_adam_is_the_published_recursion():
    a, b = np.array([1.0, 3.0]), np.array([2.0, -1.0])
    found = pb.minimize(lambda x: a * x, b, [1.0, 1.0], direction="adam", step=("fixed", 0.05), maxiter=12)
    x, m, v = np.array([1.0, 1.0]), np.zeros(2), np.zeros(2)
    points = [x]
    for k in range(1, 13):
        g = a * (a * x - b)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        x = x - 0.05 * (m / (1.0 - 0.9**k)) / (np.sqrt(v / (1.0 - 0.999**k)) + 1e-8)
        points.append(x)
    assert np.allclose(found.history["theta"][:12], points[:12], rtol=1e-10)


def test_decaying_rates_fall_as_they_say():
    found = pb.minimize(
        lambda x: x,
        [1.0, 2.0],
        [0.0, 0.0],
        direction="gradient",
        step=("decaying", {"rate": 0.5, "steps": 4, "power": 0.7}),
        maxiter=8,
    )
    scales = found.history["scale"][1:]
    assert np.allclose(scales, 0.5 * (1.0 + np.arange(8) / 4.0) ** -0.7)


def test_the_best_point_is_returned_where_momentum_overshoots():
    found = pb.minimize(lambda x: x, [1.0], [0.0], direction=("momentum", 0.9), step=("fixed", 0.5), maxiter=30)
    assert found.fun == found.history["loss"].min() or found.fun <= found.history["loss"].min()


def test_runs_of_directions_with_a_memory_are_resumed_bit_for_bit(tmp_path):
    options = {"direction": "lbfgs"}
    run = pb.Run(decay, DATA, [1.5, 1.0, 0.0], **options)
    for _ in range(4):
        run.step()
    run.save(tmp_path / "run.pullback")
    again = pb.Run.load(tmp_path / "run.pullback", decay, DATA, **options)
    assert np.array_equal(again.finish().x, run.finish().x)


def test_searches_and_corrections_take_directions_with_options():
    options = {"direction": ("conjugate_gradient", 10), "step": "armijo"}
    search = pb.multistart(decay, DATA, [[1.5, 1.0, 0.0], [2.5, 0.5, 0.1]], **options)
    assert np.allclose(search.best.x, TRUTH, atol=1e-6)
    found = pb.correct(decay, lambda theta, seed: decay(theta), DATA, [1.5, 1.0, 0.0], direction=("conjugate_gradient", 10))
    assert np.allclose(found.x, TRUTH, atol=1e-6)


@pytest.mark.parametrize(
    "options, kind, text",
    [
        ({"direction": "up"}, ValueError, "direction: no 'up'; choose auto"),
        ({"direction": ("gradient", 3)}, ValueError, "direction: 'gradient' takes no number and no options"),
        ({"direction": ("conjugate_gradient", {"steps": 3})}, ValueError, "no option 'steps'; choose iterations"),
        ({"direction": ("conjugate_gradient", 1.5)}, ValueError, "whole number"),
        ({"direction": ("conjugate_gradient", 0)}, ValueError, "iteration"),
        ({"direction": ("sketched", 0)}, ValueError, "probes"),
        ({"direction": ("newton", {"iterations": "few"})}, ValueError, "must be a number, not 'few'"),
        ({"direction": ("newton", 1.0, 2.0)}, ValueError, "direction must be a word, or a word and a number"),
        ({"step": "leap"}, ValueError, "step: no 'leap'; choose trust_ratio, armijo"),
        ({"step": "fixed"}, ValueError, "give \\('fixed', rate\\)"),
        ({"step": ("fixed", 0.0)}, ValueError, "fixed step"),
        ({"step": ("fixed", "slow")}, TypeError, "must be a number"),
        ({"step": ("armijo", {"first": -1.0})}, ValueError, "first step of Armijo"),
        ({"step": ("armijo", {"shrink": 0.5})}, ValueError, "no option 'shrink'; choose first, decrease, growth, damping"),
        ({"step": ("trust_ratio", -1.0)}, ValueError, "damping"),
        ({"step": 0.1}, ValueError, "step must be a word"),
        ({"direction": "momentum"}, ValueError, "direction='momentum' needs a rate.*\\('decaying', rate\\)"),
        ({"direction": ("nesterov", {"inner": "gradient"})}, ValueError, "'nesterov' needs a rate"),
        ({"direction": "adam"}, ValueError, "'adam' needs a rate, the change of a parameter"),
        ({"direction": ("momentum", 1.0), "step": ("fixed", 0.1)}, ValueError, "β of momentum"),
        (
            {"direction": ("momentum", {"inner": "adam"}), "step": ("fixed", 0.1)},
            ValueError,
            "no 'adam'; choose gradient, least_squares",
        ),
        ({"direction": ("momentum", {"inner": 3}), "step": ("fixed", 0.1)}, ValueError, "must be a word, not 3"),
        ({"direction": ("nonlinear_cg", {"formula": "dai_yuan"})}, ValueError, "no 'dai_yuan'; choose polak_ribiere"),
        ({"direction": ("lbfgs", 0)}, ValueError, "remember at least one step"),
        ({"direction": ("adam", 1.0), "step": ("fixed", 0.1)}, ValueError, "β₁ of Adam"),
        ({"direction": ("adam", {"epsilon": 0.0}), "step": ("fixed", 0.1)}, ValueError, "ε of Adam"),
        ({"direction": ("information", {"damping": "none"})}, ValueError, "damping: no 'none'; choose diagonal or identity"),
        ({"direction": ("least_squares", {"damping": 1.0})}, ValueError, "must be a word, not 1"),
        ({"direction": ("least_squares", 1.0)}, ValueError, "cut-off of least squares"),
        ({"step": "decaying"}, ValueError, "give \\('decaying', rate\\)"),
        ({"step": ("decaying", {"rate": 0.1, "steps": 0.0})}, ValueError, "steps of a decay"),
        ({"step": ("strong_wolfe", 2.0)}, ValueError, "curvature of strong Wolfe steps"),
        ({"step": ("grid", {"ratio": 1.5})}, ValueError, "ratio of a grid"),
        ({"step": ("grid", {"count": 0})}, ValueError, "number of scales"),
    ],
)
def test_mistakes_in_directions_and_steps_are_named(options, kind, text):
    with pytest.raises(kind, match=text):
        pb.minimize(decay, DATA, [1.5, 1.0, 0.0], **options)
