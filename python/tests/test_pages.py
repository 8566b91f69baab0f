"""Examples in Python on the pages, each page from top to bottom."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
# `test_documentation.py` runs the page of the package itself.
PAGES = [page.name for page in sorted(DOCS.glob("*.md")) if page.name != "python.md" and "```python\n" in page.read_text()]


def test_the_pages_are_found():
    assert {"first-steps.md", "geometries.md", "uncertainty.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_pages(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = {}
    for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL):
        exec(compile(block, page, "exec"), scope)
