"""Writes samples.json: distances of samples by SciPy, NumPy and POT. Needs scipy and pot."""

import json
from pathlib import Path

import numpy as np
import ot
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance, wasserstein_distance

HERE = Path(__file__).parent


def cloud(count, space, shift):
    """Scattered points that a test makes again from the same formula."""
    k = np.arange(count * space, dtype=float)
    entries = 4 * np.modf(0.3719 * k * k + 1.137 * k + shift)[0] - 2
    return entries.reshape(count, space)


def discrepancy(x, y, kernel):
    return 0.5 * (kernel(cdist(x, x)).mean() - 2 * kernel(cdist(x, y)).mean() + kernel(cdist(y, y)).mean())


def transport(x, y):
    """½W₂² on a line, by linear programming."""
    weights = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y))
    return 0.5 * ot.emd2_1d(x, y, *weights, metric="sqeuclidean")


def main():
    x, y = cloud(30, 1, 0.1), cloud(21, 1, 0.6) + 0.5
    line = {
        "transport": transport(x[:, 0], y[:, 0]),
        "energy": 0.5 * energy_distance(x[:, 0], y[:, 0]) ** 2,
        "first_moment": wasserstein_distance(x[:, 0], y[:, 0]),
    }
    x, y = cloud(30, 3, 0.1), cloud(21, 3, 0.6) + 0.5
    sliced = ot.sliced_wasserstein_distance(x, y, n_projections=400_000, seed=1)
    space = {
        "sliced": 0.5 * 3 * sliced**2,
        "energy": discrepancy(x, y, lambda r: -r),
        "gaussian": discrepancy(x, y, lambda r: np.exp(-(r**2) / (2 * 1.3**2))),
        "multiquadric": discrepancy(x, y, lambda r: 1 / np.sqrt(1 + (r / 1.3) ** 2)),
    }
    text = json.dumps({"line": line, "space": space}, indent=1)
    (HERE / "samples.json").write_text(text + "\n")


main()
