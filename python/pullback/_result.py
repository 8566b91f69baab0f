"""Results of descents."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from . import _files

__all__ = ["Result", "correlation", "history", "plain"]


class Display(dict):
    """How a result is shown, and what follows from its entries."""

    def __repr__(self) -> str:
        lines = [f"{self['message']} ({self['nit']} steps, objective {self['fun']:.6e})"]
        lines.append(self["table"] or self._values())
        if self["undetermined"]:
            names = ", ".join(f"θ{i}" for i in self["undetermined"])
            lines.append(f"undetermined by the data: {names}")
        return "\n".join(lines)

    def save(self, path: Any) -> None:
        """Writes the result to a file: `.npz` and `.json` hold all of it and are read by `load_result`, `.csv` holds the
        parameters with their errors, and `.nc` (NetCDF) what `to_xarray` returns.

        >>> import tempfile, pullback as pb
        >>> result = pb.minimize(lambda theta: theta**2, [4.0, 9.0], [1.0, 1.0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result.save(folder + "/result.npz")
        ...     pb.load_result(folder + "/result.npz").x.round(6).tolist()
        [2.0, 3.0]
        """
        _files.save(self, path)

    def to_xarray(self) -> Any:
        """Returns parameters, errors, state and iterates as an `xarray.Dataset`. Needs xarray."""
        return _files.to_xarray(self)

    def _values(self) -> str:
        x = self["x"]
        shown = ", ".join(f"{value:.8g}" for value in x[:10])
        return f"x = [{shown}{', …' if x.size > 10 else ''}]"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>θ<sub>{i}</sub></td><td>{value:.8g}</td><td>{error}</td></tr>"
            for i, (value, error) in enumerate(zip(self["x"][:50], self._errors()))
        )
        head = "<tr><th>parameter</th><th>value</th><th>standard error</th></tr>"
        status = "converged" if self["success"] else "not converged"
        text = html.escape(f"{self['message']} ({self['nit']} steps, objective {self['fun']:.6e})")
        return f"<p><b>{status}</b>: {text}</p><table>{head}{rows}</table>"

    def _errors(self) -> list:
        if self["stderr"] is None:
            return ["–"] * self["x"].size
        return ["undetermined" if np.isinf(e) else f"{e:.2g}" for e in self["stderr"]]


class Attributes(dict):
    """Dictionary whose keys are attributes, in place of SciPy's `OptimizeResult` where SciPy is not installed."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as missing:
            raise AttributeError(name) from missing

    __setattr__ = dict.__setitem__  # type: ignore[assignment]
    __delattr__ = dict.__delitem__  # type: ignore[assignment]

    def __dir__(self) -> list:
        return list(self.keys())


def plain() -> type:
    """Returns SciPy's `OptimizeResult`, or a substitute."""
    try:
        from scipy.optimize import OptimizeResult
    except ImportError:
        return Attributes
    return OptimizeResult


def __getattr__(name: str) -> Any:
    # SciPy is imported with the first result, which keeps the import of the package short.
    if name != "Result":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    content = {"__doc__": "Result of `pullback.minimize`, a `scipy.optimize.OptimizeResult`.", "__module__": __name__}
    globals()["Result"] = type("Result", (Display, plain()), content)
    return globals()["Result"]


def history(columns: dict) -> np.ndarray:
    """Returns the iterates as a structured array."""
    theta = columns.pop("theta")
    kinds = [(name, float) for name in columns] + [("theta", float, (theta.shape[1],))]
    table = np.zeros(theta.shape[0], dtype=kinds)
    for name, column in columns.items():
        table[name] = column
    table["theta"] = theta
    return table


def correlation(cov: np.ndarray) -> np.ndarray:
    """Returns the correlations, NaN for parameters without a variance."""
    deviations = np.sqrt(np.diag(cov))
    with np.errstate(all="ignore"):
        found = cov / np.outer(deviations, deviations)
    found[~np.isfinite(found)] = np.nan
    return found
