"""Runs and pools in several threads and processes, and what is pickled."""

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import pullback as pb

TIMES = np.linspace(0.0, 3.0, 30)


def decay(theta):
    return theta[0] * np.exp(-theta[1] * TIMES) + theta[2]


DATA = decay([2.0, 1.5, 0.3]) + 0.02 * np.sin(37.0 * TIMES)
START = [1.0, 0.3, 0.0]

CHILD = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, pullback as pb
from test_processes import DATA, START, decay
{before}
child = os.fork()
if child == 0:
    signal.alarm(30)
{inside}
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize(
    "before, inside",
    [
        ("pb.minimize(decay, DATA, START, n_jobs=2)", "pb.minimize(decay, DATA, START, n_jobs=2)"),
        ("pb.multistart(decay, DATA, [START])", "pb.multistart(decay, DATA, [START])"),
        ("pb.Run(decay, DATA, START, n_jobs=2).step()", "pb.Run(decay, DATA, START, n_jobs=2).finish()"),
        ("pb.Run(decay, DATA, START).step()", "pb.Run(decay, DATA, START).finish()"),
        (
            "run = pb.Run(decay, DATA, START); run.step()",
            "try:\n    run.step()\nexcept RuntimeError as error:\n    assert 'forked' in str(error)\nelse:\n    os._exit(1)",
        ),
    ],
)
def test_a_forked_process_computes_or_says_why_not(before, inside):
    code = CHILD.format(before=before, inside="\n".join(f"    {line}" for line in inside.split("\n")))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=os.path.dirname(__file__))


def test_threads_share_a_run():
    run = pb.Run(decay, DATA, START, ftol=0.0, xtol=0.0, gtol=0.0, maxiter=60)
    faults = []

    def work(ask):
        try:
            for _ in range(200):
                ask()
        except Exception as fault:
            faults.append(fault)

    asks = [run.step, run.result, lambda: run.history, lambda: pickle.dumps(run)]
    workers = [threading.Thread(target=work, args=(ask,)) for ask in asks]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert faults == []


def test_a_run_has_the_bits_of_any_number_of_threads():
    expected = pb.minimize(decay, DATA, START)
    for begin in (lambda: pb.Run(decay, DATA, START, n_jobs=1), lambda: pb.Run(decay, DATA, START, n_jobs=3)):
        run = begin()
        run.step()
        for other in (run, pickle.loads(pickle.dumps(run))):
            assert np.array_equal(other.finish().x, expected.x)
    with pytest.raises(ValueError, match="n_jobs is 0"):
        pb.Run(decay, DATA, START, n_jobs=0)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
@pytest.mark.parametrize("options, before", [("n_jobs=1", ""), ("", "pb.set_threads(1)")])
def test_a_run_is_limited_in_its_threads(options, before):
    code = f"""
import os, numpy as np, pullback as pb
{before}
rows = np.random.default_rng(1).normal(size=(900, 600))
threads = lambda: len(os.listdir("/proc/self/task"))
first = threads()
model = pb.Explicit(lambda theta: rows @ theta, lambda theta: rows)
run = pb.Run(model, rows.sum(axis=1), np.zeros(600), {options})
run.finish()
assert threads() <= first + 2, (first, threads())
"""
    environment = {**os.environ, "RAYON_NUM_THREADS": "6", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env=environment)


def jagged(theta):
    """Function that is not analytic, so that differences take the place of complex steps."""
    return np.abs(theta[0]) * np.exp(-theta[1] * TIMES) + abs(theta[2] - 0.3) ** 1.5 * TIMES


def test_a_pickled_run_keeps_the_way_to_its_derivatives():
    expected = pb.minimize(jagged, DATA, START)
    run = pb.Run(jagged, DATA, START)
    run.step()
    again = pickle.loads(pickle.dumps(run))
    assert again._problem.model.derivative.mode == run._problem.model.derivative.mode == "differences"
    assert again._problem.model.derivative.checked == run._problem.model.derivative.checked
    assert np.array_equal(again.finish().x, expected.x)
    assert again.result().counts == expected.counts


def rate(t, x, p):
    return [-p[0] * x[0]]


def residual(rho, theta):
    return rho - theta[0]


def formula(theta):
    return theta[0] * np.exp(-theta[1] * np.array([0.5, 1.0, 2.0]))


GRID = pb.Grid([(-3.0, 3.0, 12), (0.0, 1.0, 5)])
LINE = pb.Grid([(0.0, 1.0, 16)])
MODELS = {
    "mixture": (pb.GaussianMixture(GRID, [(1.0, [0.0, 0.5], 1.0)], free=["mean 0 0"]), [0.2]),
    "measure": (pb.InvariantMeasure(pb.Grid([(-4.0, 4.0, 8), (-6.0, 6.0, 8)]), "van_der_pol", diffusion=0.1), [1.0]),
    "darcy": (pb.Darcy(LINE, pressure={(0, "lower"): 1.0}, sources=[np.ones(16), np.zeros(16)]), np.zeros(16)),
    "dynamics": (pb.LotkaVolterra(range(5), [3.0, 1.0], rtol=1e-9, atol=1e-9), [0.5, 0.2, 0.2, 0.8]),
    "epidemic": (pb.Epidemic([1.0, 2.0], population=1e3, infectious=1.0, latent=True), [1.5, 1.0, 0.5]),
    "traced": (pb.Dynamics(rate, [1.0, 2.0], start=[1.0], parameters=["k"]), [0.3]),
    "kept": (pb.Dynamics(rate, [1.0, 2.0], start=[1.0], parameters=["k"]).keep_steps([0.4]), [0.3]),
    "equations": (pb.Equations(residual, unknowns=1, parameters=1), [0.3]),
    "formula": (pb.Formula(formula, parameters=2), [0.3, 0.4]),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_ready_and_traced_models_are_pickled(name):
    model, theta = MODELS[name]
    expected = model.predict(theta)
    for again in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)):
        assert type(again) is type(model) and np.array_equal(again.predict(theta), expected)


def test_a_model_is_pickled_as_it_was_made():
    times = np.array([1.0, 2.0])
    model = pb.LotkaVolterra(times, [3.0, 1.0])
    times[:] = 5.0
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict([0.5, 0.2, 0.2, 0.8]), model.predict([0.5, 0.2, 0.2, 0.8]))


def test_grids_and_priors_are_pickled():
    assert pickle.loads(pickle.dumps(GRID)).axes == GRID.axes
    data = np.linspace(-1.0, 1.0, 16)
    for prior in (pb.gaussian(np.zeros(16), 2.0), pb.smoothness(LINE, 0.5, range=0.3), pb.matern(LINE, 1.0, 0.2, mean=[0.1] * 16)):
        again = pickle.loads(pickle.dumps(prior))
        assert isinstance(again, pb.Prior) and repr(again) == repr(prior)
        found = [pb.minimize(pb.Explicit(np.copy), data, np.zeros(16), sigma=0.5, prior=p).x for p in (prior, again)]
        assert np.array_equal(*found)


def test_a_run_of_a_ready_model_is_pickled():
    mixture = pb.GaussianMixture(LINE, [(0.5, 0.2, 0.01), (0.5, 0.7, 0.01)], free=["mean 0", "mean 1"])
    run = pb.Run(mixture, mixture.predict([0.3, 0.6]), mixture.start, loss="kullback_leibler", prior=pb.gaussian([0.3, 0.6], 1.0))
    run.step()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(pb.Run.finish, (run,))
    assert np.array_equal(found.x, run.finish().x)


def test_a_traced_lambda_is_not_pickled():
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(pb.Formula(lambda theta: theta[0], parameters=1))
