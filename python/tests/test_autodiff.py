"""Models written with JAX and PyTorch, against closed forms and models with derivatives by hand."""

import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import pullback as pb

# PyTorch warns of what it uses itself.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")

T = np.linspace(0.0, 3.0, 25)
N = 6


class Jax:
    """Functions of both libraries by the same names."""

    def __init__(self):
        jax = pytest.importorskip("jax", reason="JAX is not installed")
        self.np, self.make, self.jax = jax.numpy, pb.from_jax, jax
        self.roll = jax.numpy.roll

    def array(self, values):
        return np.asarray(values, dtype=float)

    def direct(self, product, b):
        """Solves by the matrix, which is formed column by column."""
        a = self.jax.vmap(lambda e: product(e.reshape(b.shape)).reshape(-1))(self.np.eye(b.size)).T
        return self.np.linalg.solve(a, b.reshape(-1)).reshape(b.shape)


class Torch:
    def __init__(self):
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        self.np, self.make, self.torch = torch, pb.from_torch, torch

    def roll(self, x, shift, axis):
        return self.torch.roll(x, shift, axis)

    def array(self, values):
        return self.torch.tensor(np.asarray(values, dtype=float))

    def direct(self, product, b):
        """Solves by the matrix, which is formed column by column."""
        unit = self.torch.eye(b.numel(), dtype=b.dtype)
        a = self.torch.stack([product(e.reshape(b.shape)).reshape(-1) for e in unit], dim=1)
        return self.torch.linalg.solve(a, b.reshape(-1)).reshape(b.shape)


@pytest.fixture(params=[Jax, Torch], ids=["jax", "torch"])
def lib(request):
    return request.param()


def decay(lib):
    t = lib.array(T)
    return lambda theta: theta[0] * lib.np.exp(-theta[1] * t) + theta[2]


def reaction(lib, n=N):
    """−Δu/10 + θ₀ u + θ₁ u³ = 1 + sin(x) sin(y) on a periodic square."""
    x = 2.0 * np.pi * np.arange(n) / n
    source = lib.array(1.0 + np.sin(x)[:, None] * np.sin(x))
    h = 2.0 * np.pi / n

    def residual(u, theta):
        neighbours = lib.roll(u, 1, 0) + lib.roll(u, -1, 0) + lib.roll(u, 1, 1) + lib.roll(u, -1, 1)
        return (4.0 * u - neighbours) / (10.0 * h**2) + theta[0] * u + theta[1] * u**3 - source

    return residual


def by_hand(n=N):
    """The same equations with NumPy and SciPy."""
    x = 2.0 * np.pi * np.arange(n) / n
    source, h = (1.0 + np.sin(x)[:, None] * np.sin(x)).reshape(-1), 2.0 * np.pi / n
    ring = sp.diags([2.0, -1.0, -1.0], [0, 1, -1], shape=(n, n)).tolil()
    ring[0, -1] = ring[-1, 0] = -1.0
    one = sp.identity(n)
    a = (sp.kron(ring, one) + sp.kron(one, ring)) / (10.0 * h**2)
    return pb.Implicit(
        n * n,
        lambda u, theta: a @ u + theta[0] * u + theta[1] * u**3 - source,
        lambda u, theta: (a + sp.diags(theta[0] + 3.0 * theta[1] * u**2)).tocsc(),
        lambda u, theta: np.stack([u, u**3], axis=1),
    )


@pytest.mark.parametrize("jacobian", ["auto", "array", "products"])
def test_a_formula_is_fitted_as_with_numpy(lib, jacobian):
    data = 2.0 * np.exp(-0.7 * T) + 0.5 + 0.01 * np.cos(40.0 * T)
    plain = pb.minimize(lambda theta: theta[0] * np.exp(-theta[1] * T) + theta[2], data, [1.0, 1.0, 0.0])
    found = pb.minimize(lib.make(decay(lib), jacobian=jacobian), data, [1.0, 1.0, 0.0])
    assert found.success and np.allclose(found.x, plain.x, rtol=1e-9) and np.allclose(found.cov, plain.cov, rtol=1e-6)
    assert found.state.shape == T.shape


def test_jax_computes_in_double_precision_whatever_its_default_is():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    seen = []

    def f(theta):
        seen.append(theta.dtype)
        return theta[0] * jax.numpy.exp(-theta[1] * T) + theta[2]

    assert jax.numpy.ones(1).dtype == np.float32
    found = pb.minimize(pb.from_jax(f), 2.0 * np.exp(-0.7 * T) + 0.5, [1.0, 1.0, 0.0])
    assert found.fun < 1e-25 and np.allclose(found.x, [2.0, 0.7, 0.5], rtol=1e-12)
    assert set(seen) == {np.dtype(float)} and jax.numpy.ones(1).dtype == np.float32


def test_constants_of_jax_in_single_precision_are_warned_of():
    jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed")
    t, whole = jnp.linspace(0.0, 3.0, 25), jnp.arange(25.0)
    with pytest.warns(UserWarning, match=r"arrays of float32, of the shape \(25,\)"):
        pb.solve(pb.from_jax(lambda theta: theta[0] * t + whole), [1.0])
    pb.solve(pb.from_jax(lambda theta: theta[0] * whole), [1.0])


def test_a_function_in_single_precision_is_refused(lib):
    single = lib.np.float32
    convert = (lambda y: y.astype(single)) if hasattr(lib, "jax") else (lambda y: y.to(single))
    model = lib.make(lambda theta: convert(theta * 2.0))
    with pytest.raises(pb.ModelError, match="float32, but .*float64 is needed"):
        pb.minimize(model, [1.0, 2.0], [1.0, 1.0])


@pytest.mark.parametrize("shape", [(40, 7), (7, 40)], ids=["tall", "wide"])
def test_jacobians_of_all_forms_and_widths_agree(lib, shape):
    a = np.random.default_rng(5).standard_normal(shape)
    matrix = lib.array(a)
    theta = np.linspace(0.1, 1.0, shape[1])
    exact = a * np.cos(theta)
    for batch in (1, 3, 16):
        for options in ({"jacobian": "array"}, {"jacobian": "products"}, {"sparsity": np.ones(shape)}):
            model = lib.make(lambda theta: matrix @ lib.np.sin(theta), batch=batch, **options)
            model.prepare(theta)
            found = model.jacobian(theta)
            if options.get("jacobian") == "products":
                assert np.allclose(found.rmatmat(np.eye(shape[0])), exact.T, rtol=1e-12)
                found = found.matmat(np.eye(shape[1]))
            found = found.toarray() if sp.issparse(found) else found
            assert np.allclose(found, exact, rtol=1e-12, atol=1e-14)


FORMS = ["array", "products", "sparse", "own solver"]


def options(lib, form):
    if form == "sparse":
        return {"sparsity": pb.stencil((N, N), periodic=True)}
    return {"linear_solver": lib.direct} if form == "own solver" else {"jacobian": form}


@pytest.mark.parametrize("form", FORMS)
def test_equations_are_solved_and_fitted_as_by_hand(lib, form):
    model = lib.make(reaction(lib), np.zeros((N, N)), **options(lib, form))
    hand = by_hand()
    state = pb.solve(model, [1.0, 0.5])
    assert state.shape == (N, N) and np.allclose(state.reshape(-1), pb.solve(hand, [1.0, 0.5]), rtol=1e-10)
    seen = state + 0.01 * np.random.default_rng(3).standard_normal((N, N))
    found = pb.minimize(model, seen, [0.5, 1.0], sigma=0.01)
    expected = pb.minimize(hand, seen, [0.5, 1.0], sigma=0.01)
    assert found.success and np.allclose(found.x, expected.x, rtol=1e-7) and np.allclose(found.cov, expected.cov, rtol=1e-6)
    assert found.state.shape == (N, N)


@pytest.mark.parametrize("form", ["array", "own solver"])
def test_derivatives_of_equations_pass_verification(lib, form):
    pb.verify(lib.make(reaction(lib, 3), np.zeros((3, 3)), **options(lib, form)), [1.0, 0.5])


def test_a_sparsity_that_lacks_entries_is_refused(lib):
    model = lib.make(reaction(lib), np.zeros((N, N)), sparsity=pb.stencil((N, N)))
    with pytest.raises(pb.ModelError, match="sparsity lacks entries"):
        pb.solve(model, [1.0, 0.5])
    model = lib.make(reaction(lib), np.zeros((N, N)), sparsity=np.ones((3, 3)))
    with pytest.raises(pb.ModelError, match=r"sparsity has the shape \(3, 3\)"):
        pb.solve(model, [1.0, 0.5])


def test_an_index_beyond_the_parameters_is_an_error(lib):
    with pytest.raises(pb.ModelError, match="IndexError"):
        pb.minimize(lib.make(lambda theta: theta[5] * lib.array(T) + theta[0]), T, [1.0, 1.0])
    with pytest.raises(pb.ModelError, match="IndexError"):
        pb.solve(lib.make(lambda rho, theta: rho - theta[3], np.zeros(1)), [1.0])


def test_exceptions_of_the_function_are_the_cause(lib):
    def broken(theta):
        raise KeyError("my own")

    with pytest.raises(pb.ModelError, match="KeyError") as caught:
        pb.minimize(lib.make(broken), [1.0], [1.0])
    assert isinstance(caught.value.__cause__, KeyError)


def test_exceptions_of_the_linear_solver_are_the_cause(lib):
    def broken(product, b):
        raise KeyError("my own")

    with pytest.raises(pb.ModelError, match="KeyError"):
        pb.solve(lib.make(reaction(lib, 3), np.ones((3, 3)), linear_solver=broken), [1.0, 0.5])


def test_equations_without_a_solution_are_an_error(lib):
    model = lib.make(lambda rho, theta: rho**2 + theta, np.ones(1), linear_solver=lib.direct)
    with pytest.raises(pb.ModelError):
        pb.solve(model, [1.0])
    found = pb.minimize(lib.make(lambda rho, theta: rho**2 - theta, np.ones(1), linear_solver=lib.direct), [0.5], [4.0])
    assert found.success and np.allclose(found.x, [0.25])


def test_results_have_the_same_bits_with_any_number_of_threads_and_in_a_search(lib):
    data = 2.0 * np.exp(-0.7 * T) + 0.5 + 0.01 * np.cos(40.0 * T)
    model = lib.make(decay(lib))
    expected = pb.minimize(model, data, [1.0, 1.0, 0.0]).x
    assert np.array_equal(pb.minimize(model, data, [1.0, 1.0, 0.0], n_jobs=2).x, expected)
    found = pb.multistart(model, data, [[1.0, 1.0, 0.0], [3.0, 0.5, 0.0]])
    assert np.allclose(found.best.x, expected, rtol=1e-8) and len(found.optima) == 1


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"jacobian": "dense"}, "jacobian must be one of"),
        ({"batch": 0}, "batch must be positive"),
        ({"guess": lambda theta: 0.0}, "guess is for equations"),
        ({"state": []}, "state must be a finite array"),
        ({"state": [np.nan]}, "state must be a finite array"),
        ({"state": [0.0], "solve": 3}, "solve must be callable"),
        ({"sparsity": "dense"}, "sparsity must be a matrix"),
    ],
)
def test_arguments_are_named(lib, arguments, match):
    with pytest.raises((ValueError, TypeError), match=match):
        lib.make(lambda theta: theta, **arguments)


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_a_missing_library_is_named_with_its_remedy(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"pip install {name}"):
        getattr(pb, f"from_{name}")(lambda theta: theta)


@pytest.mark.parametrize("name", ["jax"])
def test_examples_of_the_page(name):
    pytest.importorskip(name, reason=f"{name} is not installed")
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
    scope = {"np": np, "pb": pb}
    blocks = re.findall(rf"```python {name}\n(.*?)```", page, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), scope)


@pytest.mark.parametrize(("shape", "periodic", "diagonal"), [((5,), True, False), ((3, 4), False, True), ((4, 4, 3), True, False)])
def test_stencils_join_the_neighbours(shape, periodic, diagonal):
    found = pb.stencil(shape, periodic=periodic, diagonal=diagonal).toarray()
    cells = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, len(shape))
    apart = np.abs(cells[:, None] - cells[None])
    if periodic:
        apart = np.minimum(apart, np.array(shape) - apart)
    near = apart.max(axis=-1) <= 1 if diagonal else apart.sum(axis=-1) <= 1
    assert np.array_equal(found, near.astype(float))


def test_a_field_of_parameters_is_found_by_products_alone():
    """The source of −Δu/100 + u + u³ = q on a periodic square, from 60 values of u, with conjugate gradients and transforms of Fourier."""
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jnp, n = jax.numpy, 32
    wave = 2.0 * np.cos(2.0 * np.pi * np.fft.fftfreq(n))
    symbol = 0.01 * n**2 * (4.0 - wave[:, None] - wave) + 2.0

    def residual(u, q):
        neighbours = jnp.roll(u, 1, 0) + jnp.roll(u, -1, 0) + jnp.roll(u, 1, 1) + jnp.roll(u, -1, 1)
        return 0.01 * n**2 * (4.0 * u - neighbours) + u + u**3 - q.reshape(n, n)

    def solver(product, b):
        return jax.scipy.sparse.linalg.cg(product, b, tol=1e-12, M=lambda r: jnp.fft.ifft2(jnp.fft.fft2(r) / symbol).real)[0]

    model = pb.from_jax(residual, np.ones((n, n)), linear_solver=solver)
    x = (np.arange(n) + 0.5) / n
    truth = 1.0 + np.sin(2.0 * np.pi * x)[:, None] * np.cos(4.0 * np.pi * x)
    cells = np.random.default_rng(0).permutation(n * n)[:60]
    wells = sp.csr_matrix((np.ones(60), (np.arange(60), cells)), shape=(60, n * n))
    seen = wells @ pb.solve(model, truth.ravel()).ravel() + 0.005 * np.random.default_rng(1).standard_normal(60)
    prior = pb.matern(pb.Grid([(0.0, 1.0, n)] * 2), 1.0, 0.3)
    options = {"observe": wells, "sigma": 0.005, "prior": prior, "posterior": {"rank": 60}}
    found = pb.minimize(model, seen, np.ones(n * n), direction="conjugate_gradient", **options)
    other = pb.minimize(model, seen, np.ones(n * n), direction="data_space", **options)
    assert found.success and np.allclose(found.x, other.x, atol=1e-6) and np.abs(found.jac).max() < 1e-5
    assert np.mean(np.abs(found.x - truth.ravel()) < 2.0 * found.posterior.std) > 0.9


def test_a_field_of_65536_cells_in_time_is_fitted_by_products_alone():
    """Gray and Scott's reaction: u′ = a Δu − u v² + f (1 − u), v′ = b Δv + u v² − (f + k) v, by explicit steps."""
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jnp, n, steps = jax.numpy, 256, 60
    x = np.arange(n) / n
    bumps = np.exp(-30.0 * ((x[:, None] - 0.4) ** 2 + (x - 0.6) ** 2)) + np.sin(9.0 * x)[:, None] ** 8 * np.sin(7.0 * x) ** 8

    def laplacian(u):
        return jnp.roll(u, 1, 0) + jnp.roll(u, -1, 0) + jnp.roll(u, 1, 1) + jnp.roll(u, -1, 1) - 4.0 * u

    def field(theta):
        a, b, f, k = theta

        def step(state, _):
            u, v = state
            rate = u * v**2
            return (u + a * laplacian(u) - rate + f * (1.0 - u), v + b * laplacian(v) + rate - (f + k) * v), None

        (u, v), _ = jax.lax.scan(step, (jnp.asarray(1.0 - 0.5 * bumps), jnp.asarray(0.3 * bumps)), length=steps)
        return jnp.stack([u, v])

    truth = np.array([0.16, 0.08, 0.035, 0.06])
    model = pb.from_jax(field, jacobian="products")
    clean = model.predict(truth)
    seen = clean + 0.01 * np.random.default_rng(1).standard_normal(clean.shape)
    began = time.perf_counter()
    found = pb.minimize(model, seen, 1.2 * truth, sigma=0.01, transforms="log")
    seconds = time.perf_counter() - began
    print(f"\n{seconds:.1f} s for {found.nit} steps with {clean.size} data and 4 parameters")
    assert found.success and np.all(np.abs(found.x - truth) < 5.0 * found.stderr) and np.all(found.stderr < 0.01 * truth)


def test_equations_of_65536_cells_are_fitted_with_a_sparse_jacobian():
    class Library(Jax):
        pass

    lib, n = Library(), 256
    model = lib.make(reaction(lib, n), np.ones((n, n)), sparsity=pb.stencil((n, n), periodic=True))
    seen = pb.solve(model, [1.0, 0.5]) + 0.01 * np.random.default_rng(3).standard_normal((n, n))
    began = time.perf_counter()
    found = pb.minimize(model, seen, [0.5, 1.0], sigma=0.01)
    print(f"\n{time.perf_counter() - began:.1f} s for {found.nit} steps with {n * n} unknowns")
    assert found.success and np.all(np.abs(found.x - [1.0, 0.5]) < 5.0 * found.stderr)
