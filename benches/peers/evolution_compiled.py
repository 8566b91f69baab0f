"""Milliseconds for the problems of benches/evolution.rs with solvers whose rates are compiled: SUNDIALS through casadi, diffrax on
one CPU, and the Python package of diffsol. Errors are relative, of the states at the last time and of the gradient of the sum over
times of x₀ + 2x₁ + ….

    pip install casadi diffrax pydiffsol
    python benches/peers/evolution_compiled.py
"""

import os
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np

LOTKA = {
    "x0": np.array([1.0, 1.0]),
    "theta": np.array([1.5, 1.0, 1.0, 3.0]),
    "times": 0.1 * np.arange(1, 101),
    "last": np.array([1.0263447675750927, 0.9096910781360394]),
    "gradient": np.array([84.24521400302343, -311.39762366525065, -349.67072192533567, 68.89484631787133]),
    "rate": lambda x, q: [q[0] * x[0] - q[1] * x[0] * x[1], q[2] * x[0] * x[1] - q[3] * x[1]],
    "weights": np.array([1.0, 1.0]),
    "code": """in_i { a = 1, b = 1, c = 1, d = 1 }
u_i { x = 1, y = 1 }
F_i { a * x - b * x * y, c * x * y - d * y }
""",
}
ROBERTSON = {
    "x0": np.array([1.0, 0.0, 0.0]),
    "theta": np.array([0.04, 1e4, 3e7]),
    "times": 0.4 * 10.0 ** np.arange(9),
    "last": np.array([5.203071844117e-5, 2.081335731891e-10, 0.99994796907342]),
    "gradient": np.array([38.0546056924, -1.31359381569e-4, 2.1893555195e-8]),
    "rate": lambda x, q: [
        q[1] * x[1] * x[2] - q[0] * x[0],
        q[0] * x[0] - q[1] * x[1] * x[2] - q[2] * x[1] * x[1],
        q[2] * x[1] * x[1],
    ],
    "weights": np.array([1e-2, 1e-6, 1e-2]),
    "code": """in_i { a = 1, b = 1, c = 1 }
u_i { x = 1, y = 0, z = 0 }
F_i { b * y * z - a * x, a * x - b * y * z - c * y * y, c * y * y }
""",
}


def shortest(work, runs):
    best = np.inf
    for _ in range(runs):
        clock = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - clock)
    return 1e3 * best


def error(found, exact):
    return np.max(np.abs(np.ravel(found) / exact - 1))


def report(name, problem, forward, tangents, adjoint, runs=50):
    """Prints a row. `forward` returns x at the last time, the others return the gradient, or are None."""
    cells, errors = [], []
    for work, exact in [(forward, problem["last"]), (tangents, problem["gradient"]), (adjoint, problem["gradient"])]:
        try:
            if work is None:
                raise RuntimeError("none")
            errors.append(f"{error(work(), exact):8.1e}")
            cells.append(f"{shortest(work, runs):8.3f}")
        except Exception as failure:
            errors.append(f"{str(failure).splitlines()[0][:8]:>8}")
            cells.append(" " * 8)
    print(f"{name:<36} {' '.join(cells)}   {' '.join(errors)}", flush=True)


def sundials(name, problem, accuracy, multistep):
    import casadi as ca

    n, p, count = len(problem["x0"]), len(problem["theta"]), len(problem["times"])
    x, q = ca.MX.sym("x", n), ca.MX.sym("q", p)
    sx, sq = ca.SX.sym("x", n), ca.SX.sym("q", p)
    # SUNDIALS takes one absolute accuracy here: the state is scaled by the weights of the components.
    scale = problem["weights"] / problem["weights"].max()
    ode = ca.vertcat(*problem["rate"](ca.vertsplit(sx * scale), ca.vertsplit(sq))) / scale
    options = {
        "reltol": accuracy,
        "abstol": accuracy * problem["weights"].max(),
        "linear_multistep_method": multistep,
        "nonlinear_solver_iteration": "newton" if multistep == "bdf" else "functional",
        "max_num_steps": 100000,
        "steps_per_checkpoint": 1000,
    }
    solver = ca.integrator("F", "cvodes", {"x": sx, "p": sq, "ode": ode}, 0.0, list(problem["times"]), options)
    states = solver(x0=problem["x0"] / scale, p=q)["xf"]
    states = states * ca.repmat(ca.DM(scale), 1, count)
    sum_ = ca.sum2(ca.mtimes(ca.DM(np.arange(1, n + 1)).T, states))
    forward = ca.Function("forward", [q], [states[:, -1]])
    # Tangents for all parameters at once, and one adjoint.
    tangents = ca.Function("tangents", [q], [ca.jtimes(sum_, q, ca.DM.eye(p))])
    adjoint = ca.Function("adjoint", [q], [ca.jtimes(sum_, q, ca.DM(1), True)])
    works = [lambda f=f: np.array(f(problem["theta"])) for f in (forward, tangents, adjoint)]
    report(f"{name}, CVODES {multistep} {accuracy:.0e}", problem, *works)


def diffrax_solver(name, problem, accuracy, solver_name):
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    times, x0 = jnp.array(problem["times"]), jnp.array(problem["x0"])
    weights = jnp.arange(1.0, len(x0) + 1)
    term = diffrax.ODETerm(lambda t, x, q: jnp.stack(problem["rate"](x, q)))
    controller = diffrax.PIDController(rtol=accuracy, atol=accuracy * jnp.array(problem["weights"]))

    def solve(q, adjoint):
        found = diffrax.diffeqsolve(
            term, getattr(diffrax, solver_name)(), 0.0, times[-1], None, x0, q, max_steps=4096,
            saveat=diffrax.SaveAt(ts=times), stepsize_controller=controller, adjoint=adjoint,
        )
        return found.ys

    q = jnp.array(problem["theta"])
    total = lambda adjoint: lambda q: jnp.sum(solve(q, adjoint) * weights)
    forward = jax.jit(lambda q: solve(q, diffrax.ForwardMode())[-1])
    tangents = jax.jit(jax.jacfwd(total(diffrax.ForwardMode())))
    adjoint = jax.jit(jax.grad(total(diffrax.RecursiveCheckpointAdjoint())))
    works = [lambda f=f: np.array(f(q)) for f in (forward, tangents, adjoint)]
    report(f"{name}, diffrax {solver_name} {accuracy:.0e}", problem, *works, runs=10)


def diffsol(name, problem, accuracy, solver_name):
    import pydiffsol as ds

    ode = ds.Ode(
        problem["code"], matrix_type=ds.nalgebra_dense, scalar_type=ds.f64, ode_solver=getattr(ds, solver_name)
    )
    ode.rtol, ode.atol = accuracy, accuracy * problem["weights"].max()
    weights = np.arange(1, len(problem["x0"]) + 1)

    def tangents():
        sens = ode.solve_fwd_sens(problem["theta"], problem["times"]).sens
        return np.array([np.sum(np.asarray(s) * weights[:, None]) for s in sens])

    forward = lambda: np.asarray(ode.solve_dense(problem["theta"], problem["times"]).ys)[:, -1]
    report(f"{name}, pydiffsol {solver_name} {accuracy:.0e}", problem, forward, tangents, None)


print(f"{'milliseconds, and errors':<36} {'forward':>8} {'tangents':>8} {'adjoint':>8}   {'states':>8} {'tangents':>8} {'adjoint':>8}")
for accuracy in (1e-8, 1e-9):
    sundials("Lotka-Volterra", LOTKA, accuracy, "adams")
    diffrax_solver("Lotka-Volterra", LOTKA, accuracy, "Tsit5")
    diffsol("Lotka-Volterra", LOTKA, accuracy, "tsit45")
for accuracy in (1e-6, 1e-7, 1e-8):
    sundials("Robertson", ROBERTSON, accuracy, "bdf")
    # At 1e-8 it reaches no end within its steps.
    if accuracy > 1e-8:
        diffrax_solver("Robertson", ROBERTSON, accuracy, "Kvaerno5")
    diffsol("Robertson", ROBERTSON, accuracy, "bdf")
