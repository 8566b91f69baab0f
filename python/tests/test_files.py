"""Results in files."""

import builtins
import csv
import json

import numpy as np
import pytest

import pullback as pb

TIMES = np.linspace(0.0, 1.0, 20)


def results():
    line = 3.0 * TIMES + 1.0 + 0.1 * np.cos(50.0 * TIMES)
    return {
        "with errors": pb.minimize(lambda theta: theta[0] * TIMES + theta[1], line, [1.0, 0.0]),
        "undetermined": pb.minimize(lambda theta: (theta[0] + theta[1]) * TIMES + theta[2], line, [1.0, 1.0, 0.0], sigma=0.1),
        "without errors": pb.minimize(lambda theta: theta**2, [4.0], [1.0], uncertainty=False),
    }


@pytest.mark.parametrize("ending", ["npz", "json"])
@pytest.mark.parametrize("kind", ["with errors", "undetermined", "without errors"])
def test_a_result_is_read_as_it_was_written(kind, ending, tmp_path):
    found = results()[kind]
    found.save(tmp_path / f"result.{ending}")
    again = pb.load_result(tmp_path / f"result.{ending}")
    assert type(again) is type(found) and again.keys() == found.keys() and repr(again) == repr(found)
    for name, value in found.items():
        other = again[name]
        if isinstance(value, np.ndarray):
            assert value.dtype == other.dtype and value.shape == other.shape, name
            assert value.tobytes() == other.tobytes(), name
        else:
            assert other == value, name


@pytest.mark.parametrize("ending", ["npz", "json", "NPZ", "JSON"])
def test_a_posterior_is_read_as_it_was_written(ending, tmp_path):
    prior = pb.gaussian([0.0, 1.0], 2.0)
    line = 3.0 * TIMES + 1.0
    options = {"sigma": 0.1, "prior": prior, "posterior": {"samples": 3}}
    found = pb.minimize(lambda theta: theta[0] * TIMES + theta[1], line, [1.0, 0.0], **options)
    found.save(str(tmp_path / f"result.{ending}"))
    assert [path.name for path in tmp_path.iterdir()] == [f"result.{ending}"]
    again = pb.load_result(tmp_path / f"result.{ending}").posterior
    assert isinstance(again, pb.Posterior) and again.message == found.posterior.message
    assert np.array_equal(again.samples, found.posterior.samples) and again.samples.shape == (3, 2)
    assert np.array_equal(again.intervals(), found.posterior.intervals())


def test_json_is_plain_json(tmp_path):
    results()["undetermined"].save(tmp_path / "result.json")

    def refuse(word):
        raise AssertionError(word)

    json.loads((tmp_path / "result.json").read_text(), parse_constant=refuse)


def test_a_table_of_the_parameters(tmp_path):
    for found in results().values():
        found.save(tmp_path / "result.csv")
        with open(tmp_path / "result.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [float(row["value"]) for row in rows] == found.x.tolist()
        if found.stderr is not None:
            assert [float(row["stderr"]) for row in rows] == found.stderr.tolist()


def test_a_dataset():
    pytest.importorskip("xarray")
    found = results()["with errors"]
    data = found.to_xarray()
    assert np.array_equal(data["x"], found.x) and np.array_equal(data["cov"], found.cov)
    assert np.array_equal(data["history_loss"], found.history["loss"]) and data["history_theta"].dims == ("iterate", "parameter")
    assert data.attrs["message"] == found.message
    assert "stderr" not in results()["without errors"].to_xarray()


def test_what_cannot_be_read_or_written(tmp_path, monkeypatch):
    found = results()["without errors"]
    with pytest.raises(ValueError, match="no format '.txt'; choose .npz, .json, .csv, .nc"):
        found.save(tmp_path / "result.txt")
    with pytest.raises(ValueError, match="no format '.csv'"):
        pb.load_result(tmp_path / "result.csv")
    with pytest.raises(OSError):
        pb.load_result(tmp_path / "none.npz")
    for ending in ["npz", "json"]:
        path = tmp_path / f"result.{ending}"
        found.save(path)
        whole = path.read_bytes()
        for broken in [whole[: len(whole) // 2], b"", b"[1, 2]"]:
            path.write_bytes(broken)
            with pytest.raises(ValueError, match="is no result of pullback, or is damaged"):
                pb.load_result(path)
    plain = builtins.__import__

    def without(name, *rest, **more):
        if name == "xarray":
            raise ImportError(name)
        return plain(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install xarray"):
        found.to_xarray()
