"""Numbers of threads."""

from __future__ import annotations

import contextlib
import operator
from typing import Iterator, Optional

from . import _pullback

__all__ = ["set_threads", "threads"]

#: Largest number of threads.
MOST = 1024


def number(name: str, given: Optional[int]) -> int:
    """Returns a number of threads, 0 for the default, from an argument as that of scikit-learn."""
    if given is None:
        return 0
    try:
        found = operator.index(given)
    except TypeError as cause:
        raise TypeError(f"{name} must be a whole number or None, not {given!r}") from cause
    if found == 0 or found > MOST:
        raise ValueError(f"{name} is {found}, but must be a number of threads up to {MOST}, or -1 for one per processor")
    return found if found > 0 else max(1, _pullback.all_threads() + 1 + found)


@contextlib.contextmanager
def threads(n_jobs: Optional[int]) -> Iterator[int]:
    """Limits the number of threads of the computations in a block, and returns it.

    -1 stands for one thread per processor, -2 for one less, and so on; None changes nothing. Without a limit there are as many
    threads as the environment variable ``RAYON_NUM_THREADS`` says, and otherwise one per processor. Results have the same bits
    with any number of threads. The limit is for the calling thread of Python only.

    >>> import pullback as pb
    >>> with pb.threads(2) as count:
    ...     print(count)
    2
    """
    count = number("n_jobs", n_jobs)
    if count == 0:
        yield _pullback.get_threads()
        return
    before = _pullback.swap_threads(count)
    try:
        yield count
    finally:
        _pullback.swap_threads(before)


def set_threads(n_jobs: Optional[int]) -> None:
    """Sets the number of threads for all computations that `threads` and ``n_jobs`` do not limit, None for the default.

    >>> import pullback as pb
    >>> pb.set_threads(2)
    >>> pb.set_threads(None)
    """
    _pullback.set_threads(number("n_jobs", n_jobs))
