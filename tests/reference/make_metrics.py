"""Reference values for the metrics and losses on small grids, from their definitions with dense matrices.

Every metric is formed as a dense M, with the projection on both sides where it has one, M = Πᵀ M₀ Π; from it
follow G = ZᵀMZ, the covector c = Πᵀu, the gradient g = Zᵀc and the direction η = −G⁻¹g. Nothing is shared with
the library: no square roots of metrics, cosine transforms, pinned cells or sparse factors. Cells are ordered
with the last axis fastest, densities are per volume, and derivatives are by the numbers ρᵢ, so contain volumes.

    OPENBLAS_NUM_THREADS=1 python3 tests/reference/make_metrics.py

writes metrics.json next to this file, which needs to be run again only when a definition changes.
"""

import json
from pathlib import Path

import numpy as np

GRIDS = {
    "line": [(0.0, 2.0, 7)],
    "plane": [(-1.0, 1.0, 4), (0.0, 2.0, 5)],
    "box": [(0.0, 1.0, 3), (0.0, 2.0, 2), (0.0, 1.0, 4)],
}


def logarithmic(a, b):
    x = (a - b) / (a + b)
    return (a + b) / 2 * np.where(x == 0, 1, x / np.arctanh(np.where(x == 0, 0.5, x)))


FACE_MEANS = {
    "arithmetic": lambda a, b: (a + b) / 2,
    "logarithmic": logarithmic,
    "geometric": lambda a, b: np.sqrt(a * b),
    "harmonic": lambda a, b: 2 * a * b / (a + b),
}


def differences(axes):
    """∇ as faces × cells, and the pair of cells at each face; only faces inside the box."""
    index = np.arange(np.prod([n for _, _, n in axes])).reshape([n for _, _, n in axes])
    rows, pairs = [], []
    for axis, (a, b, n) in enumerate(axes):
        h = (b - a) / n
        lower = index.take(range(n - 1), axis).ravel()
        upper = index.take(range(1, n), axis).ravel()
        for i, j in zip(lower, upper):
            row = np.zeros(index.size)
            row[i], row[j] = -1 / h, 1 / h
            rows.append(row)
            pairs.append((i, j))
    return np.array(rows), np.array(pairs)


def spread(gradient, pairs, rho, mean):
    """B Bᵀ with B = −∇·(√ρ ·) and this mean of ρ on faces."""
    b = gradient.T * np.sqrt(mean(rho[pairs[:, 0]], rho[pairs[:, 1]]))
    return b @ b.T


def metrics(axes, rho, u):
    """Name, parameters, M₀, Π and covector of every case."""
    k = len(rho)
    one, ones = np.eye(k), np.ones(k)
    vol = np.prod([(b - a) / n for a, b, n in axes])
    gradient, pairs = differences(axes)
    minus_laplacian = gradient.T @ gradient
    along_rho = one - np.outer(rho, ones) / rho.sum()
    along_one = one - np.outer(ones, ones) / k

    yield "L2", {}, vol * one, one, u
    yield "FisherRao", {"mass_fixed": True}, np.diag(vol / rho), along_rho, u
    yield "FisherRao", {"mass_fixed": False}, np.diag(vol / rho), one, u
    for s in (1, -1, 2, -2):
        m = vol * np.linalg.matrix_power(one + minus_laplacian, s)
        yield "Sobolev", {"order": s, "homogeneous": False}, m, one, u
    for s, m in ((1, minus_laplacian), (-1, np.linalg.pinv(minus_laplacian, rcond=1e-12, hermitian=True))):
        yield "Sobolev", {"order": s, "homogeneous": True}, vol * m, along_one, u
    for name, mean in FACE_MEANS.items():
        m = vol * np.linalg.pinv(spread(gradient, pairs, rho, mean), rcond=1e-12, hermitian=True)
        yield "Wasserstein2", {"face_mean": name}, m, along_rho, u
    for alpha, beta in ((1.0, 1.0), (0.5, 2.0)):
        inverse = alpha * spread(gradient, pairs, rho, FACE_MEANS["arithmetic"]) + beta * np.diag(rho)
        params = {"alpha": alpha, "beta": beta, "face_mean": "arithmetic"}
        yield "HellingerKantorovich", params, vol * np.linalg.inv(inverse), one, u

    a, i = np.arange(3)[:, None], np.arange(k)
    operator = np.where(i % 3 == a, 1.0, 0.1 * (a + 1))
    noise = 0.3 * np.exp(-abs(a - a.T)) + 0.1 * np.eye(3)
    data = 0.1 * (np.arange(3) + 1)
    covector = operator.T @ np.linalg.solve(noise, operator @ rho - data)
    params = {"operator": operator, "noise": noise, "data": data, "u": covector}
    yield "Observed", params, operator.T @ np.linalg.solve(noise, operator), one, covector


def losses(axes, rho, q):
    """Name, value and gradient of every loss against the target q."""
    vol = np.prod([(b - a) / n for a, b, n in axes])
    gradient, _ = differences(axes)
    smooth = np.linalg.solve(np.eye(len(rho)) + gradient.T @ gradient, rho - q)
    yield "L2", vol * np.sum((rho - q) ** 2) / 2, vol * (rho - q)
    yield "KullbackLeibler", vol * np.sum(q * np.log(q / rho) - q + rho), vol * (1 - q / rho)
    yield "ReverseKullbackLeibler", vol * np.sum(rho * np.log(rho / q) - rho + q), vol * np.log(rho / q)
    yield "Hellinger", vol * np.sum((np.sqrt(rho) - np.sqrt(q)) ** 2) / 2, vol * (1 - np.sqrt(q / rho)) / 2
    yield "ChiSquared", vol * np.sum((rho - q) ** 2 / q), 2 * vol * (rho - q) / q
    yield "SobolevMinus1", vol * (rho - q) @ smooth / 2, vol * smooth


def case(name, axes):
    k = int(np.prod([n for _, _, n in axes]))
    i = np.arange(k)
    rho = 0.2 + 0.15 * np.sin(1.3 * i + 0.4) + 0.05 * (i % 3)
    z = np.cos(0.7 * np.outer(i, np.arange(3) + 1) + 0.3 * np.arange(3))
    q = 0.25 + 0.1 * np.cos(0.8 * i)
    u = np.sin(0.9 * i + 0.2)
    entries = []
    for metric, params, m, projection, covector in metrics(axes, rho, u):
        info = z.T @ projection.T @ m @ projection @ z
        info = (info + info.T) / 2
        c = projection.T @ covector
        g = z.T @ c
        eta = -np.linalg.solve(info, g)
        entries.append({"name": metric, "params": params, "G": info, "c": c, "gradient": g, "eta": eta})
    values = [{"name": n, "value": f, "gradient": g} for n, f, g in losses(axes, rho, q)]
    inputs = {"name": name, "axes": axes, "rho": rho, "z": z.T, "u": u, "target": q}
    return inputs | {"metrics": entries, "losses": values}


def text(value, depth=0):
    """JSON with one line a metric, loss or array, and all digits that matter."""
    if isinstance(value, (dict, list)) and depth < 4:
        keys = [f'"{k}": ' for k in value] if isinstance(value, dict) else [""] * len(value)
        items = value.values() if isinstance(value, dict) else value
        lines = [" " * (depth + 1) + k + text(v, depth + 1) for k, v in zip(keys, items)]
        left, right = "{}" if isinstance(value, dict) else "[]"
        return "\n".join([left, ",\n".join(lines), " " * depth + right])
    return json.dumps(value, default=lambda array: array.tolist())


def main():
    result = {"grids": [case(name, axes) for name, axes in GRIDS.items()]}
    path = Path(__file__).with_name("metrics.json")
    path.write_text(text(result) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
