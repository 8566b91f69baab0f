"""Sphinx extension that gives the examples in docstrings a heading of their own."""

from typing import Any


def prepare(app: Any, what: str, name: str, thing: Any, options: Any, lines: list) -> None:
    """Changes the lines of a docstring."""
    examples = [i for i, line in enumerate(lines) if line.startswith(">>>")]
    # A line of dashes underlines the heading of a section, which would swallow the examples after it.
    if examples and any(line and set(line) == {"-"} for line in lines[: examples[0]]):
        lines[examples[0] : examples[0]] = ["Examples", "--------"]


def setup(app: Any) -> dict:
    """Registers the change, ahead of those by napoleon."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", prepare, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
