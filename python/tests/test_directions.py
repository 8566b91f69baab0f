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
        (None, None),
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


def test_settings_name_direction_and_step(tmp_path):
    found = pb.minimize(decay, DATA, [1.5, 1.0, 0.0], direction=("conjugate_gradient", 5), step=("armijo", {"growth": 2.0}))
    assert found.settings["direction"] == "conjugate_gradient 5" and found.settings["step"] == "armijo growth=2"
    assert "step" not in pb.minimize(decay, DATA, [1.5, 1.0, 0.0]).settings


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
    ],
)
def test_mistakes_in_directions_and_steps_are_named(options, kind, text):
    with pytest.raises(kind, match=text):
        pb.minimize(decay, DATA, [1.5, 1.0, 0.0], **options)
