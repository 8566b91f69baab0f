"""Models in Python, against SciPy and closed forms."""

import time
import traceback

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
import scipy.sparse.linalg

import pullback as pb

T = np.linspace(0.0, 3.0, 25)


class DoubleWell:
    """Stationary density of dX = (aX − bX³) dt + √(2D) dW by finite volumes, with the mass in place of the last equation."""

    def __init__(self, n=120, d=0.5, form=lambda a: a):
        self.state_dim, self.d, self.form = n, d, form
        self.h = 6.0 / n
        self.faces = -3.0 + self.h * np.arange(1, n)
        self.centres = -3.0 + self.h * (np.arange(n) + 0.5)

    def matrix(self, theta):
        drift = 0.5 * (theta[0] * self.faces - theta[1] * self.faces**3)
        up, low = drift + self.d / self.h, drift - self.d / self.h
        n = self.state_dim
        flux = sp.lil_matrix((n, n))
        for i in range(n - 1):
            flux[i, i] += up[i]
            flux[i, i + 1] += low[i]
            flux[i + 1, i] -= up[i]
            flux[i + 1, i + 1] -= low[i]
        flux[n - 1] = self.h
        return flux.tocsc()

    def residual(self, rho, theta):
        g = self.matrix(theta) @ rho
        g[-1] -= 1.0
        return g

    def state_jacobian(self, rho, theta):
        return self.form(self.matrix(theta))

    def param_jacobian(self, rho, theta):
        mean = 0.5 * (rho[:-1] + rho[1:])
        c = np.zeros((self.state_dim, 2))
        for j, change in enumerate((self.faces, -(self.faces**3))):
            c[:-1, j] += change * mean
            c[1:, j] -= change * mean
        c[-1] = 0.0
        return c


FORMS = {
    "csc": lambda a: a,
    "csr": lambda a: a.tocsr(),
    "coo with duplicates": lambda a: sp.coo_matrix(
        (np.tile(a.tocoo().data / 2, 2), (np.tile(a.tocoo().row, 2), np.tile(a.tocoo().col, 2))), shape=a.shape
    ),
    "array": lambda a: a.toarray(),
    "Fortran order": lambda a: np.asfortranarray(a.toarray()),
    "products": lambda a: pb.Products(a.shape, lambda v: a @ v, lambda w: a.T @ w),
    "LinearOperator": lambda a: scipy.sparse.linalg.aslinearoperator(a),
}


def binned(model):
    return sp.kron(sp.eye(20), np.full((1, model.state_dim // 20), model.h)).tocsc()


@pytest.mark.parametrize("form", FORMS)
def test_state_is_the_same_for_every_form_of_the_jacobian(form):
    model = DoubleWell(form=FORMS[form])
    if form in ("products", "LinearOperator"):
        # An iteration without a preconditioner: a smaller problem with fewer cells.
        model = DoubleWell(20, form=FORMS[form])
    rho = pb.solve(model, [1.2, 0.8])
    unit = np.zeros(model.state_dim)
    unit[-1] = 1.0
    expected = sp.linalg.spsolve(model.matrix([1.2, 0.8]), unit)
    assert np.allclose(rho, expected, rtol=1e-8, atol=1e-10)


def test_density_is_that_of_gibbs():
    model = DoubleWell(400)
    rho = pb.solve(model, [1.2, 0.8])
    gibbs = np.exp((0.6 * model.centres**2 - 0.2 * model.centres**4) / model.d)
    assert np.abs(rho - gibbs / (model.h * gibbs.sum())).max() < 1e-3


def test_minimum_and_covariance_are_those_of_scipy():
    model = DoubleWell()
    bins, sigma = binned(model), 0.003
    seen = bins @ pb.solve(model, [1.2, 0.8]) + sigma * np.random.default_rng(7).standard_normal(20)
    found = pb.minimize(model, seen, [0.5, 1.5], observe=bins, sigma=sigma)

    def residual(theta):
        unit = np.zeros(model.state_dim)
        unit[-1] = 1.0
        return (bins @ sp.linalg.spsolve(model.matrix(theta), unit) - seen) / sigma

    least = scipy.optimize.least_squares(residual, [0.5, 1.5], xtol=1e-14, ftol=1e-14, gtol=1e-14, jac="3-point")
    cov = np.linalg.inv(least.jac.T @ least.jac)
    assert found.success and np.allclose(found.x, least.x, rtol=1e-7)
    assert np.isclose(found.fun, least.cost, rtol=1e-9)
    assert np.allclose(found.cov, cov, rtol=1e-5) and np.allclose(found.stderr, np.sqrt(np.diag(cov)), rtol=1e-5)
    assert np.isclose(found.correlation[0, 1], cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]), rtol=1e-5)
    assert pb.verify(model, [1.0, 1.0])


@pytest.mark.parametrize(
    "jac",
    [
        None,
        lambda theta: np.stack([np.exp(-theta[1] * T), -theta[0] * T * np.exp(-theta[1] * T)], axis=1),
        lambda theta: sp.csr_matrix(np.stack([np.exp(-theta[1] * T), -theta[0] * T * np.exp(-theta[1] * T)], axis=1)),
    ],
    ids=["none", "array", "sparse"],
)
def test_explicit_models_reach_the_parameters(jac):
    model = pb.Explicit(lambda theta: theta[0] * np.exp(-theta[1] * T), jac)
    found = pb.minimize(model, 2.0 * np.exp(-0.7 * T), [1.0, 1.0])
    assert found.success and np.allclose(found.x, [2.0, 0.7], rtol=1e-9)
    assert found.state.shape == T.shape and np.allclose(found.jac, 0.0, atol=1e-9)


def test_a_model_that_raises_gives_a_model_error_with_its_traceback():
    def broken(theta):
        if theta[0] != 1.0:
            raise KeyError("my own")
        return theta[0] * T

    with pytest.raises(pb.ModelError, match="`values` raised KeyError") as caught:
        pb.minimize(pb.Explicit(broken, jac=lambda theta: T[:, None]), 2.0 * T, [1.0])
    cause = caught.value.__cause__
    assert isinstance(cause, KeyError)
    assert any(frame.name == "broken" for frame in traceback.extract_tb(cause.__traceback__))


@pytest.mark.parametrize("method", ["residual", "state_jacobian", "param_jacobian", "guess"])
def test_every_method_of_an_implicit_model_may_raise(method):
    def fail(*arguments):
        raise ZeroDivisionError("here")

    model = DoubleWell(20)
    setattr(model, method, fail)
    with pytest.raises(pb.ModelError, match=f"`{method}` raised ZeroDivisionError: here") as caught:
        pb.minimize(model, np.ones(20), [0.5, 1.5])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_exceptions_that_are_no_errors_come_through():
    def leave(theta):
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        pb.minimize(pb.Explicit(lambda theta: theta * 2.0, jac=leave), [2.0], [0.5])


def test_answers_of_the_wrong_shape_or_kind_are_named():
    model = DoubleWell(20)
    model.residual = lambda rho, theta: np.zeros(3)
    with pytest.raises(ValueError, match="what the model's `residual` returned has 3 entries, but 20 are needed"):
        pb.solve(model, [1.0, 1.0])
    model = DoubleWell(20, form=lambda a: a[:5])
    with pytest.raises(ValueError, match="`state_jacobian` returned is 5 × 20, but must be 20 × 20"):
        pb.solve(model, [1.0, 1.0])
    model = DoubleWell(20, form=lambda a: "matrix")
    with pytest.raises(TypeError, match="`state_jacobian` returned must be an array of numbers"):
        pb.solve(model, [1.0, 1.0])
    model = pb.Explicit(lambda theta: theta * 1j)
    with pytest.raises(TypeError, match="complex"):
        pb.minimize(model, [1.0], [2.0])


@pytest.mark.parametrize("side", ["jvp", "vjp"])
def test_products_of_the_wrong_shape_or_that_raise_are_named(side):
    def wrong(v):
        return np.ones((7, v.shape[1]))

    def fail(v):
        raise KeyError("here")

    right = {"jvp": lambda v: T[:, None] @ v, "vjp": lambda w: T[None, :] @ w}
    for replaced, kind, match in [
        (wrong, ValueError, "a product by .*`jacobian` returned is 7 ×"),
        (fail, pb.ModelError, "KeyError"),
    ]:
        products = pb.Products((25, 1), **{**right, side: replaced})
        with pytest.raises(kind, match=match):
            pb.minimize(pb.Explicit(lambda theta: theta[0] * T, lambda theta: products), 2.0 * T, [1.0])


def test_equations_without_a_solution_are_a_model_error():
    model = pb.Implicit(1, lambda r, t: r**2 + t, lambda r, t: 2.0 * r, lambda r, t: np.ones((1, 1)), guess=lambda t: np.ones(1))
    with pytest.raises(pb.ModelError, match="start elsewhere with a `guess`"):
        pb.solve(model, [1.0])


def test_a_solver_of_the_users_replaces_newton():
    starts = []

    def solve(rho, theta):
        starts.append(rho.copy())
        return np.sqrt(theta)

    model = pb.Implicit(2, lambda r, t: r**2 - t, lambda r, t: 2.0 * r, lambda r, t: -np.eye(2), solve=solve)
    found = pb.minimize(model, [3.0, 2.0], [1.0, 1.0], transforms="log")
    assert np.allclose(found.x, [9.0, 4.0], rtol=1e-8)
    assert not starts[0].any() and starts[-1].all()


def test_a_wrong_derivative_is_found():
    wrong = pb.Explicit(lambda theta: theta[0] * np.exp(-theta[1] * T), lambda theta: np.ones((25, 2)))
    with pytest.raises(AssertionError, match="∂"):
        pb.verify(wrong, [1.0, 1.0])


@pytest.mark.parametrize("dtype", [float, complex])
def test_a_function_may_reuse_its_array_and_change_its_argument(dtype):
    out = np.empty(25, dtype=dtype)

    def f(theta):
        out[:] = theta[0] * np.exp(-theta[1] * T)
        theta[:] = 0.0
        return out if dtype is float or np.any(out.imag) else out.real

    data = 2.0 * np.exp(-0.7 * T)
    assert np.allclose(pb.minimize(f, data, [1.0, 1.0]).x, [2.0, 0.7], rtol=1e-7)
    assert np.allclose(pb.least_squares(lambda x: f(x) - data, [1.0, 1.0]).x, [2.0, 0.7], rtol=1e-7)
    assert np.allclose(pb.curve_fit(lambda t, a, b: f(np.array([a, b])), T, data)[0], [2.0, 0.7], rtol=1e-7)


def test_values_that_are_not_finite_reject_steps():
    found = pb.minimize(lambda theta: np.log(theta), np.log([5.0, 0.1]), [0.5, 0.5])
    assert found.success and np.allclose(found.x, [5.0, 0.1])


def test_a_call_costs_at_most_20_microseconds():
    calls = []

    class Quick:
        state_dim, param_dim = 30, 2

        def values(self, theta):
            calls.append(0)
            return T30

        def jacobian(self, theta):
            calls.append(0)
            return J30

    T30, J30 = np.ones(30), np.ones((30, 2))
    from pullback import _pullback

    model = Quick()
    times = []
    for _ in range(5):
        calls.clear()
        began = time.perf_counter()
        for _ in range(2000):
            _pullback.solve(model, np.ones(2))
        times.append((time.perf_counter() - began) / len(calls))
    print(f"\n{1e6 * min(times):.1f} µs for a computation of a state by a call")
    assert min(times) < 20e-6
