"""Pages about runs, written by the compiled part."""

from __future__ import annotations

import io
import os
import platform
from typing import Any, Optional, Sequence

import numpy as np

from . import _pullback
from ._combinations import Combinations

__all__ = ["html", "settings"]

#: Names of the tolerances, in the order of the settings of a descent.
TOLERANCES = ("decrease", "step", "loss", "gradient")

#: Level of the intervals of a result.
LEVEL = 0.95


def settings(model: Any, chosen: dict, **given: Any) -> dict:
    """Returns what a run was told, as texts."""
    limits = ", ".join(f"{name} {value:g}" for name, value in zip(TOLERANCES, chosen["tolerances"]) if value)
    target = "" if chosen["target"] is None else f", target {chosen['target']:g}"
    found = {
        "model": text(model),
        "metric": "that of the loss" if chosen["metric"] is None else str(chosen["metric"]),
        "direction": str(chosen["direction"]),
        **({} if chosen["step"] is None else {"step": str(chosen["step"])}),
        "tolerances": f"{limits}{target}, at most {chosen['iterations']} steps",
    }
    found.update({name: text(value) for name, value in given.items() if value is not None})
    return found


def text(value: Any) -> str:
    """Returns a short text that describes an argument."""
    function = getattr(value, "f", None) or getattr(value, "residual", None)
    if callable(function):
        return f"{type(value).__name__} of {getattr(function, '__qualname__', type(function).__name__)}"
    if isinstance(value, str) or callable(value):
        return getattr(value, "__qualname__", str(value))
    if isinstance(value, np.ndarray):
        return str(value.tolist()) if value.size <= 8 else f"array of the shape {value.shape}"
    described = repr(value)
    if " object at 0x" in described or described.startswith("<builtins."):
        described = type(value).__name__
    return described if len(described) <= 200 else f"{described[:200]}…"


def html(
    found: Any,
    path: Any = None,
    *,
    title: Optional[str] = None,
    names: Optional[Sequence[str]] = None,
    shape: Optional[Sequence[int]] = None,
    pictures: Optional[dict] = None,
    combinations: Optional[Combinations] = None,
    short: bool = False,
) -> Optional[str]:
    """Returns the page about a result, or writes it to a file."""
    versions = {"Python": platform.python_version(), "NumPy": np.__version__}
    named = found.get("names") if names is None else names
    chosen = {
        "title": title,
        "names": None if named is None else [str(name) for name in named],
        "shape": [] if shape is None else [int(n) for n in shape],
        "pictures": [(str(name), as_svg(picture)) for name, picture in (pictures or {}).items()],
        "settings": list({**found.get("settings", {}), **versions}.items()),
        "short": short,
    }
    return _pullback.page(
        {**contents(found), "combinations": seen(combinations)}, chosen, None if path is None else os.fspath(path)
    )


def contents(found: Any) -> dict:
    """Returns the parts of a result in the types that the compiled part reads."""
    history = found["history"]
    columns = {name: np.ascontiguousarray(history[name]) for name in ("loss", "gradient", "step", "damping", "trials", "seconds")}
    accuracy = None
    if found["cov"] is not None:
        accuracy = {
            "errors": np.ascontiguousarray(found["stderr"]),
            "intervals": [tuple(pair) for pair in np.asarray(found["intervals"]).tolist()],
            "covariance": found["cov"],
            "null_space": found["null_space"],
            "held": found["held"],
            "variance": 1.0 if found.get("variance") is None else found["variance"],
            "notes": found.get("notes", []),
            "level": LEVEL,
        }
    return {
        "outcome": found["message"],
        "converged": bool(found["success"]),
        "theta": np.ascontiguousarray(found["x"]),
        "loss": float(found["fun"]),
        "rows": list(history["theta"]),
        "columns": columns,
        "tests": found.get("tests", []),
        "counts": list(found["counts"].items()),
        "solvers": found.get("solvers", []),
        "remarks": found.get("remarks", []),
        "accuracy": accuracy,
        "no_accuracy": found["cov_message"] or "none was computed",
        "residuals": found.get("residuals"),
    }


def seen(combinations: Optional[Combinations]) -> Optional[dict]:
    """Returns combinations in the types that the compiled part reads."""
    if combinations is not None and not isinstance(combinations, Combinations):
        raise TypeError(f"combinations must be what pullback.combinations returns, not {type(combinations).__name__}")
    return None if combinations is None else vars(combinations)


def as_svg(picture: Any) -> str:
    """Returns the text of an SVG, that of a figure of Matplotlib for instance."""
    if isinstance(picture, str):
        return picture
    if not hasattr(picture, "savefig"):
        raise TypeError(f"pictures must be figures of Matplotlib or texts of SVGs, not {type(picture).__name__}")
    file = io.BytesIO()
    picture.savefig(file, format="svg")
    return file.getvalue().decode()
