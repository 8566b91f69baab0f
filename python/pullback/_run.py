"""Runs that are taken step by step, saved and resumed."""

from __future__ import annotations

import os
from typing import Any, Optional

import numpy as np

from . import _minimize, _pullback, _result
from ._threads import threads

__all__ = ["Run"]


class Run:
    """Descent in progress, with the arguments of `minimize` except `callback`, `posterior`, `save`, `save_every` and `resume`.

    Every step is yours to take. The run ends as `minimize` does, bit for bit, also if it was pickled halfway and went on in another
    process. So does one that was saved to a file, with one exception: a function without derivatives for which complex steps failed on the
    way, and differences took their place, starts again with complex steps (see `Explicit`).

    Attributes
    ----------
    theta, loss
        Current point and its objective.
    stop
        Why the run has ended, or None.
    history
        Structured array of the iterates so far. The current point is added at the beginning of the next step.

    An exception of your model, or Ctrl-C, comes out of `step`; the run is then where it was before the step, and may go on.
    The run computes in a thread of its own, and so do the functions of your model. The limit of `threads` is that of its beginning.
    A process that was forked has no such thread: pickle the run before, or load it from a file.

    >>> import numpy as np, pullback as pb
    >>> t = np.linspace(0.0, 2.0, 20)
    >>> decay = lambda theta: theta[0] * np.exp(-theta[1] * t)
    >>> run = pb.Run(decay, decay([2.0, 1.5]), [1.0, 1.0])
    >>> for point in run:
    ...     if point.fun < 1e-3:
    ...         break
    >>> run.stop is None
    True
    >>> run.result().success, run.finish().x.round(6).tolist()
    (False, [2.0, 1.5])

    `save` writes a run to a file and `load` resumes it, with the same model, data and options:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run.save(folder + "/fit.pullback")
    ...     again = pb.Run.load(folder + "/fit.pullback", decay, decay([2.0, 1.5]))
    >>> again.stop == run.stop
    True
    """

    def __init__(self, model: Any, data: Any, theta0: Any, **options: Any) -> None:
        self._begin((model, data, theta0, options), None)

    def _begin(self, arguments: tuple, saved: Optional[bytes], learnt: Optional[tuple] = None) -> None:
        model, data, theta0, options = arguments
        foreign = {"callback", "posterior", "save", "save_every", "resume"} & options.keys()
        if foreign:
            raise TypeError(f"Run takes no {sorted(foreign)[0]}: look at the run between its steps, and call its `save`")
        self._arguments = arguments
        options = dict(options)
        n_jobs = options.pop("n_jobs", None)
        self._problem = problem = _minimize.prepared(model, data, theta0, **options)
        derivative = getattr(problem.model, "derivative", None)
        if learnt is not None and derivative is not None:
            derivative.mode, derivative.checked = learnt
        with threads(n_jobs):
            self._session = _pullback.Session(problem.model, problem.loss, problem.start, problem.settings, saved)

    def _learnt(self) -> Optional[tuple]:
        """Returns how derivatives are found, which a run finds out on its way."""
        derivative = getattr(self._problem.model, "derivative", None)
        return None if derivative is None else (derivative.mode, derivative.checked)

    @classmethod
    def load(cls, path: Any, model: Any, data: Any, **options: Any) -> Run:
        """Resumes a run from a file. A file of another problem, or a damaged one, is a `ValueError` that says so."""
        theta, saved = _pullback.saved_theta(os.fspath(path))
        run = cls.__new__(cls)
        run._begin((model, data, theta, options), saved)
        return run

    def save(self, path: Any) -> None:
        """Writes the run to a file, which is replaced as a whole or not at all."""
        self._session.save(os.fspath(path))

    def step(self) -> Optional[str]:
        """Takes a step. Returns the reason for stopping once the run has ended, in a word or two."""
        return self._session.step()

    def finish(self) -> Any:
        """Takes all further steps, and returns the result."""
        while self.step() is None:
            pass
        return self.result()

    def result(self) -> Any:
        """Returns the result at the best point so far, as `minimize` does."""
        return self._problem.result(self._session.outcome())

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> Any:
        if self._session.stop is not None or self.step() is not None:
            raise StopIteration
        return _result.plain()(x=self.theta, fun=self.loss)

    @property
    def theta(self) -> np.ndarray:
        return self._session.theta

    @property
    def loss(self) -> float:
        return self._session.loss

    @property
    def stop(self) -> Optional[str]:
        found = self._session.stop
        return None if found is None else found[1]

    @property
    def history(self) -> np.ndarray:
        return _result.history(self._session.history())

    def __reduce__(self) -> tuple:
        return _restore, (type(self), self._arguments, self._session.saved(), self._learnt())

    def __repr__(self) -> str:
        state = self.stop or "in progress"
        return f"Run: {state} (objective {self.loss:.6e})"


def _restore(cls: type[Run], arguments: tuple, saved: bytes, learnt: Optional[tuple] = None) -> Run:
    """Returns the run of a pickle."""
    run = cls.__new__(cls)
    run._begin(arguments, saved, learnt)
    return run
