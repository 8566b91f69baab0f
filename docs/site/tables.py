"""Sphinx extension that marks long cells of tables, which the style sheet gives a width that can be read on a phone."""

from typing import Any

from docutils import nodes

#: Number of characters from which a cell is long.
LONG = 36


def mark(app: Any, document: nodes.document) -> None:
    """Gives long cells a class."""
    for entry in document.findall(nodes.entry):
        if len(entry.astext()) >= LONG:
            entry["classes"].append("long")


def setup(app: Any) -> dict:
    """Registers the change of pages."""
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
