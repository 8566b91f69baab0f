"""Problems in the format PEtab, against SciPy."""

import numpy as np
import pytest

import petab_problem
import pullback as pb

pytest.importorskip("petab", reason="needs petab")
pytest.importorskip("libsbml", reason="needs python-libsbml")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    return pb.from_petab(petab_problem.write(tmp_path_factory.mktemp("petab")))


def test_the_tables_are_read(problem):
    assert problem.parameters == ["ka", "km", "strong", "scale", "sd"]
    assert problem.scales == ["log10", "log", "lin", "log10", "log10"]
    assert problem.nominal.tolist() == list(petab_problem.THETA.values())
    assert problem.bounds[1] == (0.01, 100.0) and problem.transforms[2:4] == ["identity", "log"]
    assert sorted(problem.model.states) == ["B", "G", "seen"]
    assert [e.name for e in problem.model.experiments] == ["low", "high", "driven after basal"]


@pytest.mark.parametrize("factor", [1.0, 1.3])
def test_the_objective_is_that_of_the_definitions(problem, factor):
    theta = {name: factor * value for name, value in petab_problem.THETA.items()}
    found = problem.objective(list(theta.values()))
    expected = petab_problem.negative_log_likelihood(theta)
    assert np.isclose(found, expected, rtol=1e-7)
    prior = problem.objective(list(theta.values()), prior=True) - found
    assert np.isclose(prior, petab_problem.negative_log_prior(theta), rtol=1e-7)


def test_derivatives_are_exact(problem):
    theta = problem.nominal
    pb.verify(problem.model.keep_steps(theta), theta)


def test_a_fit_finds_the_parameters_that_made_the_data(tmp_path):
    path = petab_problem.write(tmp_path)
    table = (tmp_path / "measurements.tsv").read_text().splitlines()
    true = pb.from_petab(path)
    means = true.model.predict(true.nominal).reshape(-1)
    values = [means[place] for place in places(true)]
    cells = [line.split("\t") for line in table[1:]]
    lines = ["\t".join([*row[:3], repr(float(y)), *row[4:]]) for row, y in zip(cells, values)]
    observables = petab_problem.OBSERVABLES.replace("0.05 + 0.1 * sum\tlin\tlaplace", "0.1\tlin\tnormal")
    changed = {"measurements.tsv": "\n".join([table[0], *lines]) + "\n", "observables.tsv": observables}
    parameters = petab_problem.PARAMETERS.replace("\nsd\tlog10\t0.001\t10\t0.2\t1", "\nsd\tlog10\t0.001\t10\t0.2\t0")
    problem = pb.from_petab(petab_problem.write(tmp_path, **{**changed, "parameters.tsv": parameters}))
    found = problem.minimize(problem.nominal * 1.3, prior=False)
    assert found.success and np.allclose(found.x, problem.nominal, rtol=1e-5)


def places(problem):
    """Entries of the state that are the means of the measurements."""
    outputs = len(problem.model.outputs)
    order = {"low": 0, "high": 1, "driven after basal": 2}
    times = {e.name: e.times for e in problem.model.experiments}
    firsts = np.cumsum([0, len(times["low"]), len(times["high"])])
    kinds = {("conc", "scale"): 0, ("conc", "1.5"): 1, ("sum", ""): 2}
    for before, condition, observable, t, scale, _ in petab_problem.ROWS:
        name = f"{condition} after {before}" if before else condition
        yield outputs * (firsts[order[name]] + times[name].index(t)) + kinds[(observable, scale)]


ONE = '<math xmlns="http://www.w3.org/1998/Math/MathML"><cn>1</cn></math>'


@pytest.mark.parametrize(
    ("name", "old", "new", "text"),
    [
        ("model.xml", "<lt/>", "<factorial/>", "factorial"),
        ("observables.tsv", "lin\tlaplace", "log\tlaplace", "'laplace' of 'sum' on the scale 'log'"),
        ("parameters.tsv", "parameterScaleNormal", "logNormal", "logNormal"),
        ("model.xml", "</trigger>", f"</trigger><delay>{ONE}</delay>", "'dose' has a delay"),
        ("model.xml", "<geq/>", "<eq/>", "a trigger with"),
        ("model.xml", 'fast="false"', 'fast="true"', "'absorption' is fast"),
        ("model.xml", "</listOfRules>", f"<algebraicRule>{ONE}</algebraicRule></listOfRules>", "algebraic"),
        ("conditions.tsv", "driven\t\t", "driven\t4\t", "'G' after the state has settled"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path, name, old, new, text):
    texts = {"model.xml": petab_problem.MODEL, "observables.tsv": petab_problem.OBSERVABLES}
    texts |= {"parameters.tsv": petab_problem.PARAMETERS, "conditions.tsv": petab_problem.CONDITIONS}
    path = petab_problem.write(tmp_path, **{name: texts[name].replace(old, new)})
    with pytest.raises(ValueError, match=text):
        pb.from_petab(path)


TIME = '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/time">t</csymbol>'


def with_trigger(folder, condition):
    """Returns the problem with another condition at which the dose is given."""
    begin = petab_problem.MODEL.index("<apply><geq/>")
    end = petab_problem.MODEL.index("</math></trigger>")
    folder.mkdir()
    model = petab_problem.MODEL[:begin] + condition + petab_problem.MODEL[end:]
    return pb.from_petab(petab_problem.write(folder, **{"model.xml": model}))


def test_a_short_trigger_fires(problem, tmp_path):
    short = f"<apply><and/><apply><geq/>{TIME}<cn>1.2</cn></apply><apply><lt/>{TIME}<cn>1.2001</cn></apply></apply>"
    found = with_trigger(tmp_path / "short", short)
    assert np.allclose(found.model.predict(found.nominal), problem.model.predict(problem.nominal), rtol=1e-7)


def test_a_trigger_that_time_makes_true_at_the_start_fires_just_after_it(tmp_path):
    after = with_trigger(tmp_path / "after", f"<apply><gt/>{TIME}<cn>0</cn></apply>")
    late = with_trigger(tmp_path / "late", f"<apply><geq/>{TIME}<cn>1e-9</cn></apply>")
    never = with_trigger(tmp_path / "never", f"<apply><geq/>{TIME}<cn>0</cn></apply>")
    states = [each.model.predict(each.nominal) for each in (after, late, never)]
    assert np.allclose(states[0], states[1], rtol=1e-7) and not np.allclose(states[1], states[2], rtol=1e-2)
