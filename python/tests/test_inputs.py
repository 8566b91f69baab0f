"""Inputs in all forms that users have, and random ones: they give the same result or an error that names them."""

import inspect
import random
import warnings

import numpy as np
import pytest

import pullback as pb

X = np.arange(1.0, 13.0)
Y = np.array([9.0, 7.0, 6.0, 5.0, 4.0, 4.0, 3.0, 3.0, 2.0, 2.0, 2.0, 1.0])


def curve(t, a, b):
    return a * np.exp(-b * t)


def series(values):
    return pytest.importorskip("pandas", reason="pandas is not installed").Series(values, index=np.arange(values.size) + 5)


def read_only(values):
    found = values.copy()
    found.flags.writeable = False
    return found


FORMS = {
    "float32": lambda v: v.astype(np.float32),
    "whole": lambda v: v.astype(np.int64),
    "list": lambda v: [int(x) for x in v],
    "tuple": tuple,
    "big endian": lambda v: v.astype(">f8"),
    "strided": lambda v: np.repeat(v, 3)[::3],
    "reversed": lambda v: v[::-1].copy()[::-1],
    "read-only": read_only,
    "masked without a mask": np.ma.masked_array,
    "pandas": series,
    "objects": lambda v: v.astype(object),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_data_give_the_same_fit(form):
    make = FORMS[form]
    expected, cov = pb.curve_fit(curve, X, Y, p0=[8.0, 1.0])
    found, found_cov = pb.curve_fit(
        lambda t, a, b: curve(np.asarray(t, dtype=float), a, b), make(X), make(Y), p0=make(np.array([8.0, 1.0]))
    )
    assert np.allclose(found, expected, rtol=1e-9) and np.allclose(found_cov, cov, rtol=1e-6)
    model = lambda theta: curve(X, *theta)  # noqa: E731
    expected = pb.minimize(model, Y, [8.0, 1.0], sigma=np.sqrt(X))
    root = FORMS["pandas"](np.sqrt(X)) if form == "pandas" else np.sqrt(X)
    result = pb.minimize(model, make(Y), make(np.array([8.0, 1.0])), sigma=root)
    assert np.allclose(result.x, expected.x, rtol=1e-9)
    data = make(Y)
    least = pb.least_squares(lambda x: model(x) - np.asarray(data, dtype=float), make(np.array([8.0, 1.0])))
    assert np.allclose(least.x, pb.least_squares(lambda x: model(x) - Y, [8.0, 1.0]).x, rtol=1e-9)


def test_masked_data_are_missing():
    mask = Y < 2.5
    part = pb.minimize(lambda theta: curve(X, *theta)[~mask], Y[~mask], [8.0, 1.0])
    assert np.allclose(pb.minimize(MODEL, np.ma.masked_array(Y, mask), [8.0, 1.0]).x, part.x, rtol=1e-9)
    found, _ = pb.curve_fit(curve, X, np.ma.masked_array(Y, mask), [8.0, 1.0], nan_policy="omit")
    assert np.allclose(found, part.x, rtol=1e-9)


def test_inputs_are_not_changed():
    given = {"x": X.copy(), "y": Y.copy(), "p0": np.array([8.0, 1.0])}
    pb.curve_fit(curve, given["x"], given["y"], given["p0"])
    pb.minimize(lambda theta: curve(X, *theta), given["y"], given["p0"], bounds=[(0.0, 20.0), (0.0, None)])
    assert np.array_equal(given["x"], X) and np.array_equal(given["y"], Y) and np.array_equal(given["p0"], [8.0, 1.0])


MODEL = lambda theta: curve(X, *theta)  # noqa: E731
WRONG = [
    (lambda: pb.curve_fit(3, X, Y, [1.0, 1.0]), TypeError, "f must be callable"),
    (lambda: pb.curve_fit(curve, X, [], [1.0, 1.0]), ValueError, "ydata is empty"),
    (lambda: pb.curve_fit(curve, X, np.ma.masked_array(Y, Y < 3.0), [1.0, 1.0]), ValueError, "ydata .* masked"),
    (lambda: pb.curve_fit(curve, np.ma.masked_array(X, X < 3.0), Y, [1.0, 1.0]), ValueError, "xdata .* masked"),
    (lambda: pb.curve_fit(curve, X, Y * np.nan, [1.0, 1.0]), ValueError, "ydata"),
    (lambda: pb.curve_fit(curve, X, Y, [1.0, np.inf]), ValueError, "p0"),
    (lambda: pb.curve_fit(curve, X, Y * 1j, [1.0, 1.0]), TypeError, "ydata .*complex"),
    (lambda: pb.curve_fit(curve, X, Y, [1.0, 1.0], sigma=Y[:3]), ValueError, "sigma"),
    (lambda: pb.minimize(MODEL, Y, []), ValueError, "theta0 is empty"),
    (lambda: pb.minimize(MODEL, Y, ["a", "b"]), ValueError, "theta0"),
    (lambda: pb.minimize(MODEL, Y, None), ValueError, "theta0"),
    (lambda: pb.minimize(MODEL, Y[:5], [1.0, 1.0]), ValueError, "data has 5 entries"),
    (lambda: pb.minimize(MODEL, 3.0, [1.0, 1.0]), ValueError, "data has 1 entries"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], sigma="small"), (TypeError, ValueError), "sigma"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], sigma=0.0), ValueError, "standard deviation"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], loss="l3"), ValueError, "loss"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], names=["a", "a"]), ValueError, "names has 'a' more than once"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], loss=3), ValueError, "loss"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], metric="l3"), ValueError, "metric"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], direction="up"), ValueError, "direction"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], bounds=[(0.0, 1.0)]), ValueError, "bounds"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], bounds=3), ValueError, "bounds"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], transforms=3), ValueError, "transforms"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], prior=3), TypeError, "prior"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], xtol="small"), (TypeError, ValueError), "xtol"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], target="low"), (TypeError, ValueError), "target"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], maxiter=-1), ValueError, "maxiter"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], maxiter=2.5), TypeError, "maxiter"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], observe=3), ValueError, "observe"),
    (lambda: pb.minimize(MODEL, Y, [1.0, 1.0], callback=3), TypeError, "callback"),
    (lambda: pb.minimize(None, Y, [1.0, 1.0]), TypeError, "model must be"),
    (lambda: pb.multistart(MODEL, Y), ValueError, "starts or within"),
    (lambda: pb.multistart(MODEL, Y, within=[1.0, 2.0]), ValueError, "within"),
    (lambda: pb.multistart(MODEL, Y, [[1.0, 1.0]], seeds=3), TypeError, "seeds"),
    (lambda: pb.profile(MODEL, Y, [5.0, 0.2], parameters=[-1]), ValueError, "parameters"),
    (lambda: pb.Grid(3), TypeError, "axes"),
    (lambda: pb.stencil((0, 3)), ValueError, "shape"),
]


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_wrong_arguments_are_named(case):
    call, kind, match = WRONG[case]
    with pytest.raises(kind, match=match):
        call()


class Fuzz:
    """Random values: sound ones, near ones and nonsense."""

    def __init__(self, seed):
        self.random, self.numpy = random.Random(seed), np.random.default_rng(seed)

    def array(self):
        shape = self.random.choice([(), (0,), (1,), (2,), (3,), (12,), (2, 2), (12, 2), (1, 0), (2, 3, 4)])
        kind = self.random.choice(["f8", "f4", "i8", "?", "c16", "O", "U3", "M8[s]"])
        values = self.numpy.normal(size=shape) * self.random.choice([1.0, 1e-300, 1e300, 0.0])
        if self.random.random() < 0.2 and values.size:
            values = np.where(self.numpy.random(shape) < 0.3, self.random.choice([np.nan, np.inf, -np.inf]), values)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return values.astype("i8").astype(kind) if kind.startswith("M8") else values.astype(kind)

    def value(self):
        word = self.random.choice(["l2", "log", "auto", "wasserstein", "huber", "cs", "omit", "", "θ", "a b c"])
        number = self.random.choice([0, 1, -1, 2, 10**30, 0.5, -0.5, 1e-320, 1e308, float("nan"), float("inf"), True, 3 + 1j])
        return self.random.choice(
            [
                self.array,
                self.array,
                lambda: word,
                lambda: number,
                lambda: None,
                lambda: [number, word],
                lambda: [(0.0, 1.0), (None, 5.0)],
                lambda: ([0.0, 0.0], [9.0, 9.0]),
                lambda: {"rank": number},
                lambda: (0, number),
                lambda: object(),
                lambda: lambda *arguments: number,
                lambda: pb.gaussian([5.0, 0.2], 1.0),
                lambda: pb.Grid([(0.0, 1.0, 12)]),
                lambda: np.array([5.0, 0.2]),
                lambda: Y,
                lambda: X,
            ]
        )()


SOUND = {
    "f": lambda t, a, b: curve(t, a, b),
    "fun": lambda x: curve(X, *x) - Y,
    "model": MODEL,
    "simulate": lambda theta, seed: curve(X, *theta),
    "data": Y,
    "ydata": Y,
    "xdata": X,
    "x": np.array([9.0, 0.2]),
    "x0": [8.0, 0.3],
    "p0": [8.0, 0.3],
    "theta0": [8.0, 0.3],
    "theta": [8.0, 0.3],
    "starts": [[8.0, 0.3]],
    "grid": pb.Grid([(0.0, 1.0, 12)]),
    "weight": 1.0,
    "range": 0.5,
    "sigma": 1.0,
    "mean": [0.0, 0.0],
    "shape": (3, 4),
    "axes": [(0.0, 1.0, 12)],
    "times": [1.0, 2.0],
    "components": [(1.0, 0.5, 0.1)],
    "free": ["mean 0"],
    "flow": "van_der_pol",
    "population": 1e3,
    "state_dim": 1,
    "residual": lambda rho, theta: rho - theta[:1],
    "state_jac": lambda rho, theta: None,
    "param_jac": lambda rho, theta: -np.eye(1, 2),
    "jvp": lambda v: v,
    "vjp": lambda w: w,
    "n_jobs": 1,
    "prior": None,
    "maxiter": 20,
    "count": 2,
    "maxfev": 200,
    "max_nfev": 200,
}
SKIPPED = {"Combinations", "Curvature", "ModelError", "Observation", "Prior", "Posterior", "set_threads", "threads"}
PUBLIC = sorted(set(pb.__all__) - {"__version__"} - SKIPPED)


def parameters(thing):
    try:
        return [p.name for p in inspect.signature(thing).parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    except ValueError:
        return {"Grid": ["axes"], "gaussian": ["mean", "sigma"]}.get(thing.__name__, ["grid", "weight", "range"])


def required(thing, names):
    try:
        signature = inspect.signature(thing).parameters
        return [n for n in names if signature[n].default is inspect.Parameter.empty]
    except (ValueError, KeyError):
        return names


#: As SciPy's, `curve_fit` raises RuntimeError where it does not converge. `verify` reports wrong derivatives, and a text may be the path of
#: a file that is not there.
MISSING = dict.fromkeys(("Measurements", "likelihood", "from_petab"), (OSError,))
OTHERS = {"curve_fit": (RuntimeError,), "verify": (AssertionError,), **MISSING}


@pytest.mark.parametrize("name", PUBLIC)
def test_random_inputs_give_results_or_errors_of_the_known_kinds(name):
    if name.startswith("from_"):
        pytest.importorskip(name[5:], reason=f"{name[5:]} is not installed")
    thing = getattr(pb, name)
    names = parameters(thing)
    needed = set(required(thing, names))
    if name == "posterior":
        needed.add("sigma")
    allowed = (ValueError, TypeError, pb.ModelError, *OTHERS.get(name, ()))
    for seed in range(300):
        fuzz = Fuzz(seed)
        given = {n: SOUND[n] for n in names if n in needed | {"n_jobs", "maxiter"} and n in SOUND}
        for wrong in fuzz.random.sample(names, min(len(names), fuzz.random.choice([1, 1, 2]))):
            given[wrong] = fuzz.value()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = thing(**given)
            except allowed as error:
                assert "panic" not in str(error).lower(), (given, error)
                continue
            if hasattr(found, "predict") and hasattr(found, "param_dim") and found.param_dim:
                try:
                    assert np.isfinite(found.predict(np.ones(found.param_dim))).all()
                except allowed:
                    continue
        x = getattr(found, "x", None)
        assert x is None or np.isfinite(x).all(), given
        assert repr(found)


def test_every_public_thing_says_what_it_is():
    grid = pb.Grid([(0.0, 1.0, 12)])
    things = [
        grid,
        pb.gaussian([0.0, 1.0], 2.0),
        pb.matern(grid, 1.0, 0.5),
        pb.smoothness(grid, 1.0),
        pb.Explicit(MODEL),
        pb.Implicit(1, lambda r, t: r - t, lambda r, t: None, lambda r, t: -np.eye(1)),
        pb.Products((2, 3), lambda v: v, lambda w: w),
        pb.Darcy(grid).observe([[0.5]]),
        pb.LotkaVolterra([1.0, 2.0]),
    ]
    for thing in things:
        assert " at 0x" not in repr(thing), repr(thing)
