import json
from pathlib import Path

import pytest

import nist


def pytest_configure(config):
    # A step of a model that overflows is rejected, and NumPy's warning of it is no fault.
    config.addinivalue_line("filterwarnings", "error")
    config.addinivalue_line("filterwarnings", "ignore:.*encountered in.*:RuntimeWarning")


@pytest.fixture(scope="session")
def sets():
    data = Path(__file__).parents[2] / "tests" / "reference" / "nist.json"
    return [nist.Set(entry) for entry in json.loads(data.read_text())]
