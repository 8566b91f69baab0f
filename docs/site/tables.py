"""Sphinx extension that marks cells of tables by their length, to which the style sheet gives widths that can be read on a phone."""

from typing import Any

from docutils import nodes

#: Numbers of characters from which a cell has a class.
CLASSES = [(30, "long"), (10, "medium")]


def mark(app: Any, document: nodes.document) -> None:
    """Gives longer cells a class."""
    for entry in document.findall(nodes.entry):
        length = len(entry.astext())
        entry["classes"] += [name for least, name in CLASSES if length >= least][:1]


def setup(app: Any) -> dict:
    """Registers the change of pages."""
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
