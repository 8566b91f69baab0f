"""Models of other programs, and models for other programs, over UM-Bridge."""

from __future__ import annotations

import json
import time
from typing import Any, Mapping, Optional

from . import _arguments, _minimize, _pullback
from ._model import Explicit
from .models import Ready

__all__ = ["Remote", "Server", "serve"]


class Remote(Ready):
    """Model of another program behind a UM-Bridge server: the state is the values of the server at theta.

    Parameters
    ----------
    url, name
        Address of the server, such as "http://localhost:4242", and name of the model there.
    config
        Dictionary that is passed with every request.
    parallel
        Number of requests at a time.
    differences
        Relative step of central differences, for servers that compute no derivatives.

    All blocks of inputs together are theta, all blocks of outputs together the state.

    >>> import numpy as np, pullback as pb
    >>> t = np.array([1.0, 2.0, 3.0])
    >>> with pb.serve({"decay": pb.Formula(lambda theta: theta[0] * np.exp(-theta[1] * t), parameters=2)}) as server:
    ...     model = pb.Remote(server.url, "decay")
    ...     pb.minimize(model, 2.0 * np.exp(-0.7 * t), [1.0, 1.0]).x.round(6).tolist()
    [2.0, 0.7]
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        config: Optional[Mapping] = None,
        parallel: int = 1,
        differences: Optional[float] = None,
    ):
        address = {
            "url": url,
            "name": name,
            "config": None if config is None else json.dumps(dict(config)),
            "parallel": _arguments.count("parallel", parallel),
            "differences": differences,
        }
        self._model = _pullback.remote(address)


class Server:
    """Server that answers for models until it is stopped, made by `serve`.

    >>> import pullback as pb
    >>> with pb.serve({"decay": pb.Formula(lambda theta: theta * theta, parameters=2)}) as server:
    ...     server.url.startswith("http")
    True
    """

    def __init__(self, serving: Any):
        self._serving = serving

    @property
    def url(self) -> str:
        """Address for clients."""
        return self._serving.url

    def stop(self) -> None:
        """Ends the server."""
        self._serving.stop()

    def wait(self) -> None:
        """Waits until Ctrl-C, and ends the server."""
        try:
            while True:
                time.sleep(0.2)
        except KeyboardInterrupt:
            self.stop()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Server at {self.url}>"


def serve(
    models: Optional[Mapping[str, Any]] = None,
    posteriors: Optional[Mapping[str, Mapping]] = None,
    *,
    address: str = "127.0.0.1:0",
    threads: int = 1,
) -> Server:
    """Starts a server that speaks UM-Bridge, for samplers and other methods in any language.

    Parameters
    ----------
    models
        Models with their names: theta -> state, with derivatives. A function of theta needs the number of its parameters: pass
        ``pb.Formula(f, parameters=p)``.
    posteriors
        Problems with their names: dictionaries of the arguments of `minimize`, of which model, data and theta0 are needed, and
        what tells the noise: sigma, or the number N of observations for a divergence, unless data are a `likelihood`. The server
        computes theta -> -f(rho(theta)) - R(theta), the logarithm of a density, and its gradient; outside of bounds the lowest
        finite number.
    address
        Address to listen on; port 0 stands for a free one. Anyone who reaches the address can use the server.
    threads
        Number of requests at a time. For models in Python, 1.

    >>> import numpy as np, pullback as pb
    >>> line = pb.Formula(lambda theta: theta[0] + theta[1] * np.arange(3.0), parameters=2)
    >>> problem = {"model": line, "data": [1.0, 2.0, 3.0], "theta0": [0.0, 0.0], "sigma": 0.1}
    >>> server = pb.serve({"line": line}, {"posterior": problem})
    >>> server.url.startswith("http://127.0.0.1:")
    True
    >>> server.stop()
    """
    shown = [(str(name), _served(name, model)) for name, model in dict(models or {}).items()]
    densities = [(str(name), _density(name, given)) for name, given in dict(posteriors or {}).items()]
    if not shown and not densities:
        raise ValueError("models: give at least one model or posterior")
    return Server(_pullback.Serving(shown, densities, str(address), max(1, _arguments.count("threads", threads))))


def _served(name: str, model: Any) -> Any:
    inner = getattr(model, "_model", model)
    if not hasattr(inner, "param_dim") or (isinstance(model, Explicit) and not model.param_dim):
        raise TypeError(f"models: {name!r} must be a model with a number of parameters, such as pb.Formula(f, parameters=p)")
    return inner


def _density(name: str, given: Mapping) -> tuple:
    try:
        options = dict(given)
        model, data, theta0 = (options.pop(key) for key in ("model", "data", "theta0"))
    except (TypeError, ValueError, KeyError) as cause:
        raise ValueError(f"posteriors: {name!r} must be a dictionary with model, data and theta0") from cause
    problem = _minimize.prepared(model, data, theta0, **options)
    unknown = "the width of a density depends on the noise of the data: give sigma"
    reason = problem.loss.no_errors(False) or (problem.loss.no_errors(True) and unknown) or problem.without_errors
    if reason:
        raise ValueError(f"posteriors: {name!r}: {reason}")
    return problem.model, problem.loss, problem.settings
