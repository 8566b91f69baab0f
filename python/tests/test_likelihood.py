"""Tables of measurements and their likelihood, against closed forms and SciPy's densities."""

import numpy as np
import pytest
import scipy.stats

import pullback as pb

TIMES = np.linspace(0.5, 8.0, 16)
COLUMNS = {
    "observable": ["blood"] * 16,
    "condition": ["low"] * 8 + ["high"] * 8,
    "time": list(TIMES[:8]) + list(TIMES[4:12]),
    "value": list(np.random.default_rng(3).lognormal(0.0, 0.2, 16) + 0.5),
}


def decay(data, noise=None):
    """x(t) = dose exp(−k t), observed as x/volume."""
    dose = {"low": 100.0, "high": 300.0}
    return pb.Dynamics(
        lambda t, x, p: [-p[0] * x[0]],
        [data.experiment(name, given={"dose": dose[name]}) for name in data.conditions],
        parameters=["k", "volume", "sigma", "dose"] if noise else ["k", "volume", "dose"],
        start=["dose"],
        observe=lambda t, x, p: {"blood": x[0] / p[1]},
        noise=noise,
    )


@pytest.mark.parametrize(
    ("family", "density"),
    [
        ("gaussian", lambda y, m, s: scipy.stats.norm(m, s).logpdf(y)),
        ("laplace", lambda y, m, s: scipy.stats.laplace(m, s).logpdf(y)),
        ("log_normal", lambda y, m, s: scipy.stats.lognorm(s, scale=m).logpdf(y)),
        ("log10_normal", lambda y, m, s: scipy.stats.lognorm(s * np.log(10.0), scale=m).logpdf(y)),
        (("student", 3.0), lambda y, m, s: scipy.stats.t(3.0, m, s).logpdf(y)),
    ],
)
def test_a_likelihood_is_the_sum_of_the_logarithms_of_densities(family, density):
    data = pb.Measurements(COLUMNS)
    model = decay(data)
    theta = [0.3, 90.0]
    mean = model.predict(theta).ravel()
    dose = np.where(np.array(COLUMNS["condition"]) == "low", 100.0, 300.0)
    assert np.allclose(mean, dose / 90.0 * np.exp(-0.3 * np.array(COLUMNS["time"])), rtol=1e-7)
    loss = pb.likelihood(model, data, family=family, sigma={"blood": 0.4})
    expected = -density(np.array(COLUMNS["value"]), mean, 0.4).sum()
    assert np.isclose(loss.value(mean), expected, rtol=1e-13)


def test_forms_of_a_table_are_equal(tmp_path):
    lines = ["observable;condition;time;value"]
    lines += [";".join(map(str, row)) for row in zip(*COLUMNS.values())]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines))
    forms = [COLUMNS, "\n".join(lines), path, str(path)]
    try:
        import pandas
    except ImportError:
        pass
    else:
        forms.append(pandas.DataFrame(COLUMNS))
    rows = [pb.Measurements(form)._table.rows for form in forms]
    assert all(found == rows[0] for found in rows) and len(rows[0]) == 16


def test_a_noise_level_is_estimated_with_its_error():
    rng = np.random.default_rng(1)
    times = np.linspace(0.0, 4.0, 200)
    values = 100.0 / 20.0 * np.exp(-0.5 * times + 0.1 * rng.standard_normal(200))
    data = pb.Measurements({"observable": ["blood"] * 200, "condition": ["low"] * 200, "time": times, "value": values})
    model = decay(data, noise=lambda t, x, p: {"blood": p[2]})
    found = pb.minimize(model, pb.likelihood(model, data, family="log_normal"), [1.0, 10.0, 0.5], transforms="log")
    assert found.success and model.parameters == ["k", "volume", "sigma"]
    # ln y = ln 100 − ln volume − k t: a line with the closed form of least squares.
    design = np.stack([-times, -np.ones(200)], axis=1)
    solution, residual, *_ = np.linalg.lstsq(design, np.log(values / 100.0), rcond=None)
    sigma = np.sqrt(residual[0] / 200)
    errors = sigma * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    assert np.allclose(found.x, [solution[0], np.exp(solution[1]), sigma], rtol=1e-6)
    assert np.allclose(found.stderr, [errors[0], errors[1] * np.exp(solution[1]), sigma / np.sqrt(400)], rtol=1e-4)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"table": {**COLUMNS, "observable": ["urine"] * 16}}, ValueError, "urine"),
        ({"table": {**COLUMNS, "condition": ["medium"] * 16}}, ValueError, "medium"),
        ({"table": {**COLUMNS, "time": [0.25] * 16}}, ValueError, "0.25"),
        ({"table": {**COLUMNS, "time": [1.0]}}, ValueError, "different lengths"),
        ({"table": 3}, TypeError, "DataFrame"),
        ({"family": "uniform"}, ValueError, "uniform"),
        ({"family": {"urine": "laplace"}}, ValueError, "no observable 'urine'"),
        ({"sigma": None}, ValueError, "noise"),
        ({"model": pb.JakStat([1.0])}, TypeError, "Dynamics"),
    ],
)
def test_what_does_not_match_is_named(given, error, text):
    arguments = {"model": decay(pb.Measurements(COLUMNS)), "table": COLUMNS, "sigma": 1.0, **given}
    with pytest.raises(error, match=text):
        pb.likelihood(arguments.pop("model"), arguments.pop("table"), **arguments)


def test_a_likelihood_bears_no_second_noise():
    data = pb.Measurements(COLUMNS)
    model = decay(data)
    with pytest.raises(ValueError, match="sigma has no effect"):
        pb.minimize(model, pb.likelihood(model, data, sigma=1.0), [0.3, 90.0], sigma=1.0)
    with pytest.raises(ValueError, match="no 'medium'"):
        data.times("medium")
