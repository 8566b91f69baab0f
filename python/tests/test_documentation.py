"""Examples in docstrings and on the pages."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import pullback as pb

# PyTorch warns of what it uses itself.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")

ROOT = Path(__file__).parents[2]
MODULES = [pb.__name__] + [f"pullback.{module.name}" for module in pkgutil.iter_modules(pb.__path__)]
#: Libraries without which examples cannot run.
NEEDED = {"from_jax": "jax", "pullback._jax": "jax", "from_torch": "torch", "pullback._torch": "torch", "stencil": "scipy"}
PAGES = ["python/README.md", "docs/python.md", "README.md"]


def need(name):
    if name in NEEDED:
        pytest.importorskip(NEEDED[name], reason=f"{NEEDED[name]} is not installed")


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    need(name)
    module = importlib.import_module(name)
    found = doctest.testmod(module, exclude_empty=True)
    assert found.failed == 0


@pytest.mark.parametrize("name", sorted(set(pb.__all__) - {"__version__"}))
def test_every_name_is_documented_and_its_examples_run(name):
    need(name)
    thing = getattr(pb, name)
    assert ">>> " in thing.__doc__ and "\n--\n" not in thing.__doc__, name
    runner = doctest.DocTestRunner()
    parser = doctest.DocTestParser()
    runner.run(parser.get_doctest(thing.__doc__, {}, name, None, None))
    assert runner.failures == 0


@pytest.mark.parametrize("name", sorted(set(pb.__all__) - {"__version__"}))
def test_bars_are_quoted(name):
    """Sphinx takes a word between bars for a substitution."""
    need(name)
    prose = re.sub(r"``.*?``", "", getattr(pb, name).__doc__, flags=re.DOTALL)
    assert re.search(r"(?<!\w)\|\w[^|\n]*\|", prose) is None


@pytest.mark.parametrize("page", [page for page in PAGES if (ROOT / page).exists()])
def test_examples_of_pages(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    scope = {}
    for block in blocks:
        exec(compile(block, page, "exec"), scope)
