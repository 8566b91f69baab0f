"""Pages about results."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import pullback as pb

HOSTILE = "<script>alert('x')</script> & \"q\""


def decay(**more):
    t = np.linspace(0.0, 3.0, 20)
    data = 2.0 * np.exp(-0.7 * t) + 0.01 * np.random.default_rng(1).standard_normal(20)
    return pb.minimize(lambda theta: theta[0] * np.exp(-theta[1] * t), data, [1.0, 1.0], **more)


def parsed(page):
    return ElementTree.fromstring(page.replace("<!DOCTYPE html>", ""))


def test_page_is_well_formed_and_tells_the_fit(tmp_path):
    found = decay()
    assert found.html(tmp_path / "run.html", title=HOSTILE, names=["amplitude", HOSTILE]) is None
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    text = " ".join(parsed(page).itertext())
    for part in (
        "amplitude",
        HOSTILE,
        "95 % interval",
        "degrees of freedom",
        "decay.<locals>.<lambda>",
        "NumPy",
        "root mean square",
    ):
        assert part in text
    assert "<script" not in page
    assert f"{found.x[0]:.4f} ± {found.stderr[0]:.4f}" in text


def test_short_form_is_shown_in_notebooks():
    shown = decay()._repr_html_()
    assert parsed(shown).get("class") == "pullback short"
    assert "converged" in shown and " id=" not in shown


def test_residuals_are_in_units_of_the_noise():
    found = decay(sigma=0.01)
    assert found.residuals.shape == (20,)
    assert 0.5 * np.sum(found.residuals**2) == pytest.approx(found.fun)


def test_failed_runs_and_missing_errors_have_pages():
    found = decay(maxiter=1, uncertainty=False)
    page = found.html()
    text = " ".join(parsed(page).itertext())
    assert "not converged" in text and "it was not asked for" in text


def test_fields_are_pictures():
    grid = pb.Grid([(0.0, 1.0, 12), (0.0, 1.0, 12)])
    darcy = pb.Darcy(grid, pressure={(0, "lower"): 1.0, (0, "upper"): 0.0})
    wells = darcy.observe([[0.25, 0.5], [0.75, 0.5]])
    prior = pb.matern(grid, 1.0, 0.5)
    found = pb.minimize(darcy, [0.6, 0.3], np.zeros(144), observe=wells, sigma=0.01, prior=prior, direction="auto")
    page = found.html(shape=(12, 12))
    assert "Field of the parameters" in page and "matern prior" in page
    with pytest.raises(ValueError, match="field"):
        found.html(shape=(5, 5))


def test_pictures_and_names_are_checked(tmp_path):
    found = decay()
    with pytest.raises(TypeError, match="pictures"):
        found.html(pictures={"a": 1})
    with pytest.raises(ValueError, match="names"):
        found.html(names=["one"])
    with pytest.raises(OSError, match="absent"):
        found.html(tmp_path / "absent" / "run.html")
    page = found.html(pictures={"own": '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'})
    assert not re.search(r"https?:", page.replace("http://www.w3.org/2000/svg", ""))
    assert "onload=" not in page


def test_figures_of_matplotlib_are_pictures():
    pyplot = pytest.importorskip("matplotlib.figure")
    figure = pyplot.Figure()
    figure.subplots().plot([0.0, 1.0])
    assert "data:image/svg+xml" in decay().html(pictures={"line": figure})


def test_names_of_a_mixture_are_known():
    grid = pb.Grid([(-6.0, 8.0, 60)])
    mixture = pb.GaussianMixture(grid, [(0.5, -1.0, 1.0), (0.5, 3.0, 1.0)], free=["weight 0", "mean 0"])
    found = pb.minimize(mixture, mixture.predict([0.4, -1.5]), mixture.start, loss="kullback_leibler", metric="wasserstein")
    assert "weight 0" in found.html() and found.residuals is None
