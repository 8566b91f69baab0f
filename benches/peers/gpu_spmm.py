"""Sparse times dense on the GPU: the matrix of the Lorenz generator by rows times 64 columns, in CuPy and in PyTorch.

Beside a copy from device to device of the same block of columns. Bytes are counted as for the products of
`cargo bench --features cuda,internals --bench gpu`, 16 + 56/m an unknown and column (a copy: 16), although a general format
reads its indices besides: it is the useful work that is compared. Times are medians, by events of the device; blocks are
random. The last figure of a line is the largest error beside SciPy's or NumPy's product, relative to the largest number.

    python3 benches/peers/gpu_spmm.py                      # --dry: in SciPy, and in PyTorch on the CPU where it is installed
"""

import argparse
import statistics
import sys
import time

import numpy as np

from problems import lorenz, report

WARM, RUNS = 3, 20


def host_seconds(work):
    times = []
    for run in range(WARM + RUNS):
        begin = time.perf_counter()
        work()
        if run >= WARM:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def device_seconds(event, work):
    """Median of runs between two events; `event` makes one, which records itself and tells elapsed milliseconds."""
    for _ in range(WARM):
        work()
    marks = [event()]
    for _ in range(RUNS):
        work()
        marks.append(event())
    return statistics.median(elapsed(marks)) * 1e-3


def elapsed(marks):
    marks[-1].wait()
    return [a.until(b) for a, b in zip(marks, marks[1:])]


class Torch:
    def __init__(self, dry):
        import torch

        if not dry and not torch.cuda.is_available():
            raise RuntimeError("PyTorch sees no device")
        self.torch, self.device = torch, torch.device("cpu" if dry else "cuda")
        self.name, self.dry = "torch", dry
        torch.manual_seed(3)

    def normal(self, rows, columns):
        return self.torch.randn(rows, columns, dtype=self.torch.float64, device=self.device)

    def csr(self, values, columns, starts, count):
        to = lambda part: self.torch.from_numpy(part).to(self.device)
        arguments = to(starts), to(columns), to(values)
        return self.torch.sparse_csr_tensor(*arguments, size=(count, count), dtype=self.torch.float64)

    def product(self, a, x):
        return self.torch.mm(a, x)

    def copier(self, x):
        y = self.torch.empty_like(x)
        return lambda: y.copy_(x)

    def numpy(self, x):
        return x.cpu().numpy()

    def seconds(self, work):
        return host_seconds(work) if self.dry else device_seconds(self.event, work)

    def event(self):
        made = self.torch.cuda.Event(enable_timing=True)
        made.record()
        return Mark(made, made.synchronize, lambda a, b: a.elapsed_time(b))


class Mark:
    def __init__(self, event, wait, between):
        self.event, self.wait, self.between = event, wait, between

    def until(self, other):
        return self.between(self.event, other.event)


class Cupy:
    def __init__(self):
        import cupy
        import cupyx.scipy.sparse as sparse

        cupy.cuda.Device().synchronize()
        self.cupy, self.sparse, self.name = cupy, sparse, "cupy"
        cupy.random.seed(3)

    def normal(self, rows, columns):
        """By columns, as CuPy hands dense matrices to cuSPARSE: it would turn round others first."""
        return self.cupy.asfortranarray(self.cupy.random.standard_normal((rows, columns)))

    def csr(self, values, columns, starts, count):
        parts = tuple(self.cupy.asarray(part) for part in (values, columns, starts))
        return self.sparse.csr_matrix(parts, shape=(count, count))

    def product(self, a, x):
        return a @ x

    def copier(self, x):
        y = self.cupy.empty_like(x)
        return lambda: self.cupy.copyto(y, x)

    def numpy(self, x):
        return x.get()

    def seconds(self, work):
        return device_seconds(self.event, work)

    def event(self):
        made = self.cupy.cuda.Event()
        made.record()
        return Mark(made, made.synchronize, self.cupy.cuda.get_elapsed_time)


class Scipy:
    name = "scipy"

    def __init__(self):
        self.random = np.random.default_rng(3)

    def normal(self, rows, columns):
        return self.random.standard_normal((rows, columns))

    def csr(self, values, columns, starts, count):
        import scipy.sparse as sp

        return sp.csr_matrix((values, columns, starts), shape=(count, count))

    def product(self, a, x):
        return a @ x

    def copier(self, x):
        y = np.empty_like(x)
        return lambda: np.copyto(y, x)

    def numpy(self, x):
        return x

    def seconds(self, work):
        return host_seconds(work)


def exact(stencil, x):
    """By the arrays of the stencil, a few columns."""
    c, n = stencil.arrays(), stencil.n
    y = c[6][:, None] * x
    for axis, away in enumerate([n * n, n, 1]):
        y[away:] -= c[2 * axis, away:, None] * x[:-away]
        y[:-away] -= c[2 * axis + 1, :-away, None] * x[away:]
    return y


def measure(library, n, columns):
    stencil, count = lorenz(n, True), n**3
    a, x = library.csr(*stencil.sparse(), count), library.normal(count, columns)
    copy = library.seconds(library.copier(x))
    product = library.seconds(lambda: library.product(a, x))
    few = exact(stencil, library.numpy(x[:, :2]))
    error = np.abs(library.numpy(library.product(a, x)[:, :2]) - few).max() / np.abs(few).max()
    report(f"{library.name}-copy", "copy", n, columns, 1, copy, 0.0)
    report(f"{library.name}-csr", "product", n, columns, 1, product, error)
    rates = [1e-9 * count * columns * bytes / s for bytes, s in [(16, copy), (16 + 56 / columns, product)]]
    print(f"{library.name}, {n}^3 x {columns}: copy {rates[0]:.1f} GB/s, product {rates[1]:.1f} GB/s, "
          f"{100 * rates[1] / rates[0]:.0f} % of the copy; error {error:.1e}", flush=True)
    assert error < 1e-13, "the product is wrong"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="*", help="along an axis; 64 and 128 if left out")
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--dry", action="store_true", help="SciPy and PyTorch on the CPU, 16 cells")
    options = parser.parse_args()
    made = [Scipy, lambda: Torch(True)] if options.dry else [Cupy, lambda: Torch(False)]
    for make, name in zip(made, ["SciPy" if options.dry else "CuPy", "PyTorch"]):
        try:
            library = make()
        except Exception as error:
            print(f"skipped: {name} cannot be used here: {error}")
            continue
        for n in options.cells or ([16] if options.dry else [64, 128]):
            measure(library, n, options.columns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
