"""Matrices that several of the scripts here solve, the same as those of `tests/support/lorenz.rs` and of the benches."""

import numpy as np

BOX = [(-25, 25), (-35, 35), (0, 60)]
ALPHA = 1e-6 / (1 - 1e-6) / 5e-4
FLOOR = 1e-8


def velocity(x, axis):
    if axis == 0:
        return 10 * (x[1] - x[0])
    if axis == 1:
        return x[0] * (28 - x[2]) - x[1]
    return x[0] * x[1] - 8 / 3 * x[2]


def inner(axis, shape):
    """The cells below and above the faces along an axis of a box."""
    lower, upper = [slice(None)] * len(shape), [slice(None)] * len(shape)
    lower[axis], upper[axis] = slice(None, -1), slice(1, None)
    return tuple(lower), tuple(upper)


def upwind(n, axis):
    """Rates at which the Lorenz flow carries mass up and down through the centres of the faces along an axis."""
    h = [(upper - lower) / n for lower, upper in BOX]
    centres = [lower + h[d] * (np.arange(n) + 0.5) for d, (lower, _) in enumerate(BOX)]
    centres[axis] = centres[axis][:-1] + 0.5 * h[axis]
    x = np.meshgrid(*centres, indexing="ij", sparse=True)
    shape = [n - 1 if d == axis else n for d in range(3)]
    v = np.broadcast_to(velocity(x, axis) / h[axis], shape)
    return np.maximum(v, 0), np.maximum(-v, 0)


def generator(n):
    """alpha I - K by columns."""
    import scipy.sparse as sp

    index = np.arange(n**3).reshape(n, n, n)
    rows, columns, values = [index.ravel()], [index.ravel()], [np.full(n**3, ALPHA)]
    for axis in range(3):
        lower, upper = (index[side].ravel() for side in inner(axis, index.shape))
        up, down = (rate.ravel() for rate in upwind(n, axis))
        rows += [lower, lower, upper, upper]
        columns += [lower, upper, lower, upper]
        values += [up, -down, -up, down]
    places = np.concatenate(rows), np.concatenate(columns)
    return sp.csc_matrix((np.concatenate(values), places), shape=(n**3, n**3))


class Stencil:
    """(A x)_i = d_i x_i - below_i x_(i below) - above_i x_(i above) along each axis, + gauge sum(x)."""

    def __init__(self, n, gauge=0.0):
        self.n, self.gauge = n, gauge
        self.diagonal = np.zeros((n, n, n))
        self.below = np.zeros((3, n, n, n))
        self.above = np.zeros((3, n, n, n))

    def faces(self, axis, leaves_lower, leaves_upper, transposed=False):
        """Adds what leaves the cells below and above the faces along an axis for each other."""
        lower, upper = inner(axis, self.diagonal.shape)
        self.diagonal[lower] += leaves_lower
        self.diagonal[upper] += leaves_upper
        into_upper, into_lower = leaves_lower, leaves_upper
        if transposed:
            into_upper, into_lower = into_lower, into_upper
        self.below[axis][upper] += into_upper
        self.above[axis][lower] += into_lower

    def scaled(self):
        """A D^-1: with it Jacobi's preconditioner costs nothing. The gauge has to be applied to D^-1 x."""
        scaled, w = Stencil(self.n, self.gauge), 1 / self.diagonal
        scaled.diagonal = np.ones_like(w)
        for axis in range(3):
            lower, upper = inner(axis, w.shape)
            scaled.below[axis][upper] = self.below[axis][upper] * w[lower]
            scaled.above[axis][lower] = self.above[axis][lower] * w[upper]
        return scaled

    def arrays(self):
        """below and above along each axis in turn, then the diagonal: 7 rows, one column for each cell."""
        pairs = [side[axis].ravel() for axis in range(3) for side in (self.below, self.above)]
        return np.stack(pairs + [self.diagonal.ravel()])

    def sparse(self):
        """By rows, without the gauge and without entries beyond the box: values, columns, starts; 32 bits suffice."""
        n, count = self.n, self.n**3
        cells = np.arange(count, dtype=np.int32)
        shifts = np.array([-n * n, -n, -1, 0, 1, n, n * n], dtype=np.int32)
        order = [0, 2, 4, 6, 5, 3, 1]
        values = self.arrays()[order].T.copy()
        values[:, [0, 1, 2, 4, 5, 6]] *= -1
        index = np.stack(np.unravel_index(cells, (n, n, n)))
        there = np.ones((count, 7), dtype=bool)
        for axis in range(3):
            there[:, axis] = index[axis] > 0
            there[:, 6 - axis] = index[axis] < n - 1
        columns = cells[:, None] + shifts
        starts = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
        return values[there], columns[there], starts


def lorenz(n, transposed=False):
    """alpha I - K + 11^T/N, or its transpose, for adjoints."""
    a = Stencil(n, gauge=1 / n**3)
    a.diagonal += ALPHA
    for axis in range(3):
        up, down = upwind(n, axis)
        a.faces(axis, up, down, transposed)
    return a


def weighted(rho):
    """-div(rho grad), with rho over eight decades, pinned in the densest cell."""
    n = round(len(rho) ** (1 / 3))
    r = np.maximum(rho, FLOOR * rho.max()).reshape(n, n, n)
    a, square = Stencil(n), 0.0
    for axis, (low, high) in enumerate(BOX):
        lower, upper = inner(axis, r.shape)
        w = 0.5 * (r[lower] + r[upper]) * (n / (high - low)) ** 2
        a.faces(axis, w, w)
        square += (n / (high - low)) ** 2
    a.diagonal.ravel()[np.argmax(r)] += r.max() * square
    return a


def plane(n):
    """A Laplacian with lognormal weights (w_i + w_j)/2 over squared spacings, pinned in the cell in the middle."""
    import scipy.sparse as sp

    w = np.exp(np.random.default_rng(1).standard_normal((n, n)))
    index = np.arange(n * n).reshape(n, n)
    entries = []
    for axis in range(2):
        lower, upper = inner(axis, w.shape)
        c = (0.5 * (w[lower] + w[upper]) * n * n).ravel()
        i, j = index[lower].ravel(), index[upper].ravel()
        entries += [(i, i, c), (j, j, c), (i, j, -c), (j, i, -c)]
    rows, columns, values = (np.concatenate(part) for part in zip(*entries))
    a = sp.csc_matrix((values, (rows, columns)), shape=(n * n, n * n))
    pin = np.zeros(n * n)
    pin[n * n // 2] = a.diagonal()[n * n // 2]
    return (a + sp.diags(pin)).tocsc()


def report(peer, problem, size, columns, iterations, seconds, residual):
    """A line for `benches/gpu.sh`, which makes tables of them."""
    each = seconds / columns
    print(f"{peer},{problem},{size},{columns},{iterations},{seconds:.6g},{each:.6g},{residual:.3e}", flush=True)
    return f"| {problem} | {size} | {columns} | {peer} | {iterations} | {seconds:.4g} | {1e3 * each:.4g} | {residual:.1e} |"


def table(rows):
    print("\n| problem | cells along an axis | columns | by | iterations | seconds | ms a column | residual |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(rows), flush=True)
