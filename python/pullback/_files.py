"""Files of results. Modules of formats are imported with the first file, which keeps the import of the package short."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from ._posterior import Posterior

__all__ = ["load_result", "save", "to_xarray"]

#: Entry of an `.npz` file with all that is no array.
REST = "rest"


def save(result: Any, path: Any) -> None:
    """Writes a result in the format that the name of the file asks for."""
    path = os.fspath(path)
    writers = {".npz": save_npz, ".json": save_json, ".csv": save_csv, ".nc": save_netcdf}
    writers[known(path, writers)](result, path)


def load_result(path: Any) -> Any:
    """Reads a result from an `.npz` or `.json` file that `result.save` has written. All arrays are equal to those saved.

    >>> import tempfile, pullback as pb
    >>> result = pb.minimize(lambda theta: theta**2, [4.0], [1.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result.save(folder + "/result.json")
    ...     again = pb.load_result(folder + "/result.json")
    >>> (again.x == result.x).all() and again.message == result.message
    True
    """
    import zipfile

    from . import _result

    path = os.fspath(path)
    readers: dict = {".npz": load_npz, ".json": load_json}
    read = readers[known(path, readers)]
    try:
        found = read(path)
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as fault:
        raise ValueError(f"{path} is no result of pullback, or is damaged: {fault}") from fault
    kind: Any = _result.Result
    return kind(**found)


def known(path: str, kinds: dict) -> str:
    """Returns the ending of a path, which must be one of those known."""
    ending = os.path.splitext(path)[1].lower()
    if ending not in kinds:
        raise ValueError(f"path: no format '{ending}'; choose {', '.join(kinds)}")
    return ending


def save_npz(result: Any, path: str) -> None:
    import json

    arrays: dict = {name: value for name, value in result.items() if isinstance(value, np.ndarray)}
    rest = {name: value for name, value in result.items() if name not in arrays}
    arrays[REST] = np.array(json.dumps(encode(rest)))
    # By the name of a file, NumPy would append ".npz" to ".NPZ".
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def load_npz(path: str) -> dict:
    import json

    # NumPy leaves a file open that it cannot read.
    with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    return {**decode(json.loads(str(found.pop(REST)))), **found}


def save_json(result: Any, path: str) -> None:
    import json

    text = json.dumps(encode(dict(result)), allow_nan=False)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def load_json(path: str) -> dict:
    import json

    with open(path, encoding="utf-8") as file:
        found = decode(json.load(file))
    if not isinstance(found, dict) or not {"x", "fun", "message"} <= found.keys():
        raise ValueError("it has no x, fun and message")
    return found


def encode(value: Any) -> Any:
    """Returns a value as JSON can hold it. Floats that are no JSON number become words."""
    if isinstance(value, np.ndarray) and value.dtype.names:
        return {"table": [[name, encode(value[name])] for name in value.dtype.names]}
    if isinstance(value, np.ndarray):
        return {"array": encode(value.reshape(-1).tolist()), "shape": list(value.shape), "type": value.dtype.str}
    if isinstance(value, Posterior):
        return {"posterior": encode(vars(value))}
    if isinstance(value, dict):
        return {"entries": {name: encode(entry) for name, entry in value.items()}}
    if isinstance(value, (list, tuple)):
        return [encode(entry) for entry in value]
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def decode(value: Any) -> Any:
    """Returns the value that `encode` was given. Tuples become lists."""
    if isinstance(value, list):
        return [decode(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "array" in value:
        return np.array(decode(value["array"]), dtype=np.dtype(value["type"])).reshape(value["shape"])
    if "posterior" in value:
        posterior = Posterior.__new__(Posterior)
        vars(posterior).update(decode(value["posterior"]))
        return posterior
    if "table" in value:
        columns = [(name, decode(column)) for name, column in value["table"]]
        kinds = [(name, column.dtype, column.shape[1:]) for name, column in columns]
        table = np.zeros(len(columns[0][1]), dtype=kinds)
        for name, column in columns:
            table[name] = column
        return table
    return {name: decode(entry) for name, entry in value["entries"].items()}


def save_csv(result: Any, path: str) -> None:
    """Writes a row for every parameter."""
    import csv

    nothing = [""] * result["x"].size
    errors = nothing if result["stderr"] is None else result["stderr"].tolist()
    ends = [("", "")] * result["x"].size if result["intervals"] is None else result["intervals"].tolist()
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["parameter", "value", "stderr", "lower", "upper"])
        names = result.get("names") or range(result["x"].size)
        for name, value, error, (lower, upper) in zip(names, result["x"].tolist(), errors, ends):
            table.writerow([name, value, error, lower, upper])


def save_netcdf(result: Any, path: str) -> None:
    to_xarray(result).to_netcdf(path)


def to_xarray(result: Any) -> Any:
    """Returns a result as an `xarray.Dataset`."""
    try:
        import xarray
    except ImportError as missing:
        raise ImportError("to_xarray and files in NetCDF need xarray: pip install xarray (with netCDF4 or h5netcdf)") from missing
    state, history = result["state"], result["history"]
    parts = {
        "x": ("parameter", result["x"]),
        "gradient": ("parameter", result["jac"]),
        "stderr": ("parameter", result["stderr"]),
        "cov": (("parameter", "parameter2"), result["cov"]),
        "state": ([f"state{axis}" for axis in range(state.ndim)], state),
    }
    for name in history.dtype.names:
        axes = ("iterate", "parameter") if name == "theta" else "iterate"
        parts[f"history_{name}"] = (axes, history[name])
    attributes = {"fun": result["fun"], "message": result["message"], "reason": result["reason"], "success": int(result["success"])}
    return xarray.Dataset({name: part for name, part in parts.items() if part[1] is not None}, attrs=attributes)
