"""Factorisations of sparse symmetric positive definite matrices, for the peers beside.

    splu        SuperLU in its symmetric mode, which comes with SciPy
    cholmod     CHOLMOD in the mode and order that are fastest for single columns here, simplicial with nested dissection
                (Debian: libsuitesparse-dev; pip: 'scikit-sparse<0.5' cython)
    supernodal  CHOLMOD with supernodes, for factors and batches
    pardiso     MKL's PARDISO for symmetric positive definite matrices (pip: pypardiso; MKL_NUM_THREADS=1 for one core)

`KINDS[name](a)` analyses the pattern of `a` once. Its `factorise(a)` returns a function that solves.
"""

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

SYMMETRIC = dict(permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=dict(SymmetricMode=True))


class Splu:
    """SuperLU does not keep analyses."""

    def __init__(self, a):
        pass

    def factorise(self, a):
        return splu(a.tocsc(), **SYMMETRIC).solve


class Cholmod:
    mode = "simplicial"

    def __init__(self, a):
        from sksparse.cholmod import analyze

        self.analysis = analyze(a.tocsc(), mode=self.mode, ordering_method="nesdis")

    def factorise(self, a):
        factor = self.analysis.cholesky(a.tocsc())
        return lambda b: factor(b)


class Supernodal(Cholmod):
    mode = "supernodal"


class Pardiso:
    """The upper triangle by rows; phase 11 analyses, 22 factorises, 33 solves."""

    def __init__(self, a):
        from pypardiso import PyPardisoSolver

        self.solver = PyPardisoSolver(mtype=2)
        self._call(11, a, np.zeros(a.shape[0]))

    def _call(self, phase, a, b):
        self.solver.set_phase(phase)
        return self.solver._call_pardiso(sp.triu(a, format="csr") if phase < 33 else a, b)

    def factorise(self, a):
        upper = sp.triu(a, format="csr")
        self._call(22, upper, np.zeros(a.shape[0]))
        # The columns of a batch must follow one another in memory.
        return lambda b: self._call(33, upper, np.asfortranarray(b))


KINDS = dict(splu=Splu, cholmod=Cholmod, supernodal=Supernodal, pardiso=Pardiso)
