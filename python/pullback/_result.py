"""Results of descents."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np

from . import _files, _page

__all__ = ["Result", "correlation", "history", "plain"]  # noqa: F822 (made with the first result)


class Display(dict):
    """How a result is shown, and what follows from its entries."""

    def __repr__(self) -> str:
        lines = [f"{self['message']} ({self['nit']} steps, objective {self['fun']:.6e})"]
        lines.append(self["table"] or self._values())
        if self["undetermined"]:
            names = self.get("names") or [f"θ{i}" for i in range(self["x"].size)]
            names = ", ".join(names[i] for i in self["undetermined"])
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
        return _page.html(self, short=True) or ""

    def html(
        self,
        path: Any = None,
        *,
        title: Optional[str] = None,
        names: Optional[Sequence[str]] = None,
        shape: Optional[Sequence[int]] = None,
        pictures: Optional[dict] = None,
        combinations: Any = None,
    ) -> Optional[str]:
        """Writes a page about the run: one HTML file without scripts that needs no network. Without a path it is returned.

        Parameters
        ----------
        path
            File to write.
        title
            Title of the page.
        names
            Names of the parameters.
        shape
            Shape of the grid whose field the parameters are.
        pictures
            Pictures by their titles: figures of Matplotlib, or texts of SVGs.
        combinations
            What `combinations` returns: which combinations of the parameters the data determine.

        >>> import numpy as np, pullback as pb
        >>> t = np.linspace(0.0, 3.0, 20)
        >>> found = pb.minimize(lambda theta: theta[0] * np.exp(-theta[1] * t), 2.0 * np.exp(-0.7 * t), [1.0, 1.0], sigma=0.1)
        >>> page = found.html(title="Decay", names=["amplitude", "rate"])
        >>> page.startswith("<!DOCTYPE html>"), "amplitude" in page
        (True, True)
        """
        return _page.html(self, path, title=title, names=names, shape=shape, pictures=pictures, combinations=combinations)


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
