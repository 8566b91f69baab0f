"""Peer of `cargo bench --bench assembly`: the same matrices of finite elements from triplets in SciPy.

    python3 benches/peers/assembly.py
"""

import time

import numpy as np
import scipy.sparse as sp

VERTICES = 200


def triangles(degree):
    """Number of nodes, and those of every triangle."""
    side = degree * (VERTICES - 1) + 1
    x, y = np.meshgrid(np.arange(VERTICES - 1), np.arange(VERTICES - 1))
    x, y = degree * x.reshape(-1, 1), degree * y.reshape(-1, 1)
    i, j = np.array([(i, j) for j in range(degree + 1) for i in range(degree + 1 - j)]).T
    halves = np.stack([(y + j) * side + x + i, (y + degree - j) * side + x + degree - i], 1)
    return side * side, halves.reshape(-1, len(i))


def shortest(work):
    taken = []
    for _ in range(15):
        clock = time.perf_counter()
        work()
        taken.append(time.perf_counter() - clock)
    return 1e3 * min(taken)


def main():
    print(f"{VERTICES}x{VERTICES} vertices, milliseconds")
    for degree in (1, 2):
        nodes, t = triangles(degree)
        k = t.shape[1]
        rows, cols = np.repeat(t, k, 1).ravel(), np.tile(t, k).ravel()
        values = np.sin(np.arange(rows.size, dtype=float))
        csc = sp.coo_matrix((values, (rows, cols)), (nodes, nodes)).tocsc()
        # Where each triplet goes: the inverse of sorting by column and row.
        _, target = np.unique(cols * np.int64(nodes) + rows, return_inverse=True)
        print(f"P{degree}, {rows.size} triplets")
        print(f"{'coo to csc':>16} {shortest(lambda: sp.coo_matrix((values, (rows, cols)), (nodes, nodes)).tocsc()):8.2f}")
        print(f"{'kept, bincount':>16} {shortest(lambda: np.bincount(target, values, csc.nnz)):8.2f}")
        assert np.allclose(np.bincount(target, values, csc.nnz), csc.data)


main()
