"""Models over UM-Bridge, beside the protocol's own package where it is installed."""

import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

import pullback as pb

T = np.array([1.0, 2.0, 3.0])


def decay():
    return pb.Formula(lambda theta: theta[0] * np.exp(-theta[1] * T), parameters=2)


def jacobian(theta):
    a, b = theta
    return np.stack([np.exp(-b * T), -a * T * np.exp(-b * T)], axis=1)


@pytest.mark.parametrize("own", [False, True])
def test_a_model_comes_back_from_a_server(own):
    explicit = pb.Explicit(lambda theta: theta[0] * np.exp(-theta[1] * T), jacobian)
    model = decay()
    if own:
        pb.solve(explicit, [1.0, 1.0])  # tells the numbers of parameters and values
        model = explicit
    with pb.serve({"decay": model}) as server:
        remote = pb.Remote(server.url, "decay")
        assert remote.shape == (3,) and remote.param_dim == 2
        assert np.array_equal(remote.predict([2.0, 0.7]), 2.0 * np.exp(-0.7 * T))
        assert np.allclose(pb.jacobian(remote, [2.0, 0.7]), jacobian([2.0, 0.7]), rtol=1e-14)
        found = pb.minimize(remote, 2.0 * np.exp(-0.7 * T), [1.0, 1.0])
        assert np.allclose(found.x, [2.0, 0.7])


def test_exceptions_of_a_model_are_told_and_forgotten():
    def values(theta):
        if theta[0] > 5.0:
            raise RuntimeError("too far")
        return theta[0] * T

    model = pb.Explicit(values, lambda theta: T[:, None])
    pb.solve(model, [1.0])
    with pb.serve({"line": model}) as server:
        remote = pb.Remote(server.url, "line")
        for _ in range(2):
            with pytest.raises(Exception, match="too far"):
                remote.predict([6.0])
            assert np.array_equal(remote.predict([2.0]), 2.0 * T)


def test_the_package_umbridge_understands_our_server():
    umbridge = pytest.importorskip("umbridge", reason="umbridge is not installed")
    data, sigma = 2.0 * np.exp(-0.7 * T), 0.1
    problem = {"model": decay(), "data": data, "theta0": [1.0, 1.0], "sigma": sigma, "bounds": [(0.0, 10.0), (0.0, 5.0)]}
    with pb.serve({"decay": decay()}, {"posterior": problem}, threads=2) as server:
        assert umbridge.supported_models(server.url) == ["decay", "posterior"]
        model = umbridge.HTTPModel(server.url, "decay")
        theta, w, v = [1.5, 0.4], [0.3, -1.0, 0.2], [0.7, -0.1]
        assert model.get_input_sizes() == [2] and model.get_output_sizes() == [3]
        assert np.allclose(model([theta]), [theta[0] * np.exp(-theta[1] * T)], rtol=1e-14)
        assert np.allclose(model.gradient(0, 0, [theta], w), jacobian(theta).T @ w, rtol=1e-13)
        assert np.allclose(model.apply_jacobian(0, 0, [theta], v), jacobian(theta) @ v, rtol=1e-13)
        h = 1e-5
        moved = [jacobian(np.add(theta, sign * h * np.array(v))).T @ w for sign in (1, -1)]
        assert np.allclose(model.apply_hessian(0, 0, 0, [theta], w, v), (moved[0] - moved[1]) / (2 * h), rtol=1e-7)
        posterior = umbridge.HTTPModel(server.url, "posterior")
        misfit = (theta[0] * np.exp(-theta[1] * T) - data) / sigma
        assert np.allclose(posterior([theta]), [[-0.5 * misfit @ misfit]], rtol=1e-12)
        assert np.allclose(posterior.gradient(0, 0, [theta], [1.0]), -jacobian(theta).T @ misfit / sigma, rtol=1e-12)
        assert posterior([[11.0, 0.4]])[0][0] < -1e300
        with pytest.raises(Exception, match="InvalidInput"):
            model([[1.0]])


SERVER = """
import sys, umbridge
import numpy as np

class Model(umbridge.Model):
    def __init__(self):
        super().__init__("forward")
    def get_input_sizes(self, config):
        return [1, 1]
    def get_output_sizes(self, config):
        return [config.get("points", 2)]
    def __call__(self, parameters, config):
        (a,), (b,) = parameters
        return [[a * b ** i for i in range(config.get("points", 2))]]
    def gradient(self, out_wrt, in_wrt, parameters, sens, config):
        (a,), (b,) = parameters
        n = config.get("points", 2)
        column = [b ** i for i in range(n)] if in_wrt == 0 else [a * i * b ** max(i - 1, 0) for i in range(n)]
        return [float(np.dot(sens, column))]
    def supports_evaluate(self):
        return True
    def supports_gradient(self):
        return True

umbridge.serve_models([Model()], int(sys.argv[1]))
"""


def test_a_server_of_the_package_umbridge_is_a_model():
    pytest.importorskip("umbridge", reason="umbridge is not installed")
    with pb.serve({"any": decay()}) as server:
        port = int(server.url.rsplit(":", 1)[1])
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVER), str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{url}/Info")
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        model = pb.Remote(url, "forward", config={"points": 4})
        assert model.shape == (4,) and model.param_dim == 2
        assert pb.verify(model, [1.5, 0.8]) is not None
        found = pb.minimize(model, 1.5 * 0.8 ** np.arange(4), [1.0, 1.0])
        assert np.allclose(found.x, [1.5, 0.8])
    finally:
        process.terminate()
        process.wait()


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="check that the server is running"):
        pb.Remote("http://127.0.0.1:9", "any")
    with pytest.raises(ValueError, match="at least one"):
        pb.serve()
    with pytest.raises(TypeError, match="'f' must be a model"):
        pb.serve({"f": lambda theta: theta})
    with pytest.raises(ValueError, match="with model, data and theta0"):
        pb.serve(posteriors={"p": {"model": decay()}})
    with pytest.raises(ValueError, match="cannot listen on nonsense"):
        pb.serve({"decay": decay()}, address="nonsense")
    with pb.serve({"decay": decay()}) as server, pytest.raises(ValueError, match="no model 'growth', but 'decay'"):
        pb.Remote(server.url, "growth")


def test_posteriors_of_unknown_noise_are_refused():
    grid = pb.Grid([(-6.0, 8.0, 70)])
    mixture = pb.GaussianMixture(grid, [(1.0, 0.0, 1.0)], free=["mean 0"])
    curve = {"model": decay(), "data": 2.0 * np.exp(-0.7 * T), "theta0": [1.0, 1.0]}
    density = {"model": mixture, "data": mixture.predict([0.5]), "theta0": [0.0]}
    for problem, text in [
        (curve, "'p': the width of a density depends on the noise of the data: give sigma"),
        ({**density, "loss": "l2"}, "give sigma"),
        ({**density, "loss": "kullback_leibler"}, r"give loss=\('kullback_leibler', N\)"),
        ({**density, "loss": "sobolev"}, "no likelihood"),
    ]:
        with pytest.raises(ValueError, match=text):
            pb.serve(posteriors={"p": problem})
    with pytest.warns(UserWarning, match="sigma"), pytest.raises(ValueError, match="give sigma"):
        pb.serve(posteriors={"p": {**curve, "prior": pb.gaussian([1.0, 1.0], 1.0)}})
    model = pb.Dynamics(lambda t, x, p: [-p[0] * x[0]], T, start=[1.0], parameters=1, noise=lambda t, x, p: [0.1])
    table = {"observable": ["x0"] * 3, "time": T, "value": np.exp(-T)}
    known = {"model": model, "data": pb.likelihood(model, table), "theta0": [0.8]}
    robust = {**curve, "sigma": 0.1, "loss": "huber"}
    for problem in ({**curve, "sigma": 1.0}, {**density, "loss": ("kullback_leibler", 50)}, robust, known):
        pb.serve(posteriors={"p": problem}).stop()
