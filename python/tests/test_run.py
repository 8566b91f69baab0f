"""Runs step by step, saved, pickled and resumed."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import pullback as pb

TIMES = np.linspace(0.0, 3.0, 30)


def decay(theta):
    return theta[0] * np.exp(-theta[1] * TIMES) + theta[2]


DATA = decay([2.0, 1.5, 0.3]) + 0.02 * np.sin(37.0 * TIMES)
START = [1.0, 0.3, 0.0]


def same(found, expected):
    """Compares two results in all but their seconds."""
    assert np.array_equal(found.x, expected.x) and found.fun == expected.fun
    assert found.message == expected.message and found.counts == expected.counts
    for name in set(expected.history.dtype.names) - {"seconds"}:
        assert np.array_equal(found.history[name], expected.history[name], equal_nan=True), name


@pytest.mark.parametrize("options", [{}, {"direction": "gradient", "maxiter": 30}, {"bounds": [(0, 3), (0, 1.2), (0, 1)]}])
def test_a_run_is_that_of_minimize(options):
    expected = pb.minimize(decay, DATA, START, **options)
    run = pb.Run(decay, DATA, START, **options)
    losses = [point.fun for point in run]
    assert run.stop is not None and run.step() == expected.reason
    assert np.array_equal(run.history["loss"][1:], losses)
    same(run.result(), expected)
    assert np.array_equal(run.result().cov, expected.cov)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_run_is_copied_pickled_and_saved_halfway(steps, tmp_path):
    expected = pb.minimize(decay, DATA, START, sigma=0.02)
    run = pb.Run(decay, DATA, START, sigma=0.02)
    for _ in range(steps):
        run.step()
    assert len(run.history) == steps
    run.save(tmp_path / "run")
    others = [copy.copy(run), pickle.loads(pickle.dumps(run)), pb.Run.load(tmp_path / "run", decay, DATA, sigma=0.02)]
    for other in others:
        assert np.array_equal(other.theta, run.theta) and other.loss == run.loss
        same(other.finish(), expected)
    same(run.finish(), expected)
    assert os.listdir(tmp_path) == ["run"]


def test_a_run_goes_on_in_another_process(tmp_path):
    expected = pb.minimize(decay, DATA, START)
    run = pb.Run(decay, DATA, START)
    run.step()
    run.save(tmp_path / "run")
    code = f"""
import test_run, pullback as pb
run = pb.Run.load({str(tmp_path / "run")!r}, test_run.decay, test_run.DATA)
run.finish().save({str(tmp_path / "result.npz")!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=os.path.dirname(__file__))
    same(pb.load_result(tmp_path / "result.npz"), expected)


def test_a_ready_model_goes_on(tmp_path):
    grid = pb.Grid([(-6.0, 8.0, 140)])
    mixture = pb.GaussianMixture(grid, [(0.5, -1.0, 1.0), (0.5, 3.0, 1.0)], free=["weight 0", "mean 0", "mean 1"])
    data, options = mixture.predict([0.3, -2.0, 2.0]), {"loss": "kullback_leibler", "metric": "wasserstein"}
    expected = pb.minimize(mixture, data, mixture.start, **options)
    run = pb.Run(mixture, data, mixture.start, **options)
    run.step()
    run.save(tmp_path / "run")
    same(pb.Run.load(tmp_path / "run", mixture, data, **options).finish(), expected)


def test_minimize_saves_and_resumes(tmp_path):
    path = tmp_path / "fit.pullback"
    expected = pb.minimize(decay, DATA, START)
    calls = []

    def failing(theta):
        calls.append(theta)
        if len(calls) > 12:
            raise ZeroDivisionError
        return decay(theta)

    with pytest.raises(pb.ModelError):
        pb.minimize(failing, DATA, START, save=path, save_every=1)
    found = pb.minimize(decay, DATA, START, save=path, save_every=2, resume=True)
    assert np.array_equal(found.x, expected.x) and found.nit == expected.nit
    # The file is that of the end, and the end stays.
    again = pb.minimize(decay, DATA, START, save=path, resume=True)
    assert np.array_equal(again.x, expected.x) and again.message == expected.message
    anew = pb.minimize(decay, DATA, START, save=tmp_path / "new", resume=True)
    assert np.array_equal(anew.x, expected.x) and (tmp_path / "new").exists()


@pytest.mark.parametrize("calls", [1, 4])
def test_a_run_that_a_callback_stops_is_saved(calls, tmp_path):
    path, seen = tmp_path / "fit", []

    def stop(intermediate_result):
        seen.append(intermediate_result.x)
        return len(seen) == calls

    found = pb.minimize(decay, DATA, START, save=path, callback=stop)
    assert np.array_equal(pb.Run.load(path, decay, DATA).theta, seen[-1]) and found.reason == "observer"
    same_end = pb.minimize(decay, DATA, START, save=path, resume=True)
    assert np.array_equal(same_end.x, pb.minimize(decay, DATA, START).x)
    with pytest.raises(ZeroDivisionError):
        pb.minimize(decay, DATA, START, save=tmp_path / "none", callback=lambda intermediate_result: 1 / 0)
    assert not (tmp_path / "none").exists()


def test_a_run_survives_an_exception_of_the_model():
    broken = [False]

    def model(theta):
        if broken[0]:
            raise ZeroDivisionError("no")
        return decay(theta)

    # Automatic derivatives would change from complex steps to differences at an exception.
    def jacobian(theta):
        e = np.exp(-theta[1] * TIMES)
        return np.stack([e, -theta[0] * TIMES * e, np.ones_like(e)], axis=1)

    expected = pb.minimize(pb.Explicit(decay, jacobian), DATA, START)
    run = pb.Run(pb.Explicit(model, jacobian), DATA, START)
    run.step()
    before = run.theta
    broken[0] = True
    for _ in range(2):
        with pytest.raises(pb.ModelError) as caught:
            run.step()
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert np.array_equal(run.theta, before) and run.stop is None
    broken[0] = False
    found = run.finish()
    assert np.array_equal(found.x, expected.x) and found.nit == expected.nit


def slow(theta):
    time.sleep(0.02)
    return theta**2


def test_ctrl_c_comes_out_of_a_step_and_the_run_goes_on():
    sent = []

    def send():
        time.sleep(0.3)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    run = pb.Run(slow, [1e9], [1.0], direction="gradient", ftol=0.0, xtol=0.0, maxiter=10**6)
    threading.Thread(target=send).start()
    with pytest.raises(KeyboardInterrupt):
        run.finish()
    assert time.perf_counter() - sent[0] < 1.0
    before = run.loss
    run.step()
    assert run.loss <= before and not run.result().success


def test_errors(tmp_path):
    run = pb.Run(decay, DATA, START)
    run.step()
    path = tmp_path / "run"
    run.save(path)
    with pytest.raises(ValueError, match="data, loss or priors have changed"):
        pb.Run.load(path, decay, DATA + 1.0)
    with pytest.raises(ValueError, match="the model has changed"):
        pb.Run.load(path, lambda theta: 1.1 * decay(theta), DATA)
    with pytest.raises(ValueError, match="another direction"):
        pb.Run.load(path, decay, DATA, direction="gradient")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="run is truncated"):
        pb.Run.load(path, decay, DATA)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="no saved run"):
        pb.Run.load(path, decay, DATA)
    with pytest.raises(OSError, match="check the path"):
        pb.Run.load(tmp_path / "none", decay, DATA)
    with pytest.raises(OSError, match="create the folder first"):
        run.save(tmp_path / "none" / "run")
    with pytest.raises(TypeError, match="Run takes no callback"):
        pb.Run(decay, DATA, START, callback=print)
    with pytest.raises(ValueError, match="give save"):
        pb.minimize(decay, DATA, START, save_every=2)
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(pb.Run(lambda theta: decay(theta), DATA, START))
    assert "in progress" in repr(run)
