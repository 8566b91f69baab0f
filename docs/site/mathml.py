"""Sphinx extension that writes formulas as MathML, which browsers show without scripts, fonts or a network."""

from typing import Any

from docutils.nodes import SkipNode
from latex2mathml.converter import convert


def inline(writer: Any, node: Any) -> None:
    """Writes a formula within a line."""
    writer.body.append(convert(node.astext(), display="inline"))
    raise SkipNode


def block(writer: Any, node: Any) -> None:
    """Writes a formula on a line of its own."""
    writer.body.append(writer.starttag(node, "div", CLASS="math"))
    writer.body.append(convert(node.astext(), display="block") + "</div>\n")
    raise SkipNode


def setup(app: Any) -> dict:
    """Registers the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
