"""Reference of the Python package, from its docstrings."""

from __future__ import annotations

import pullback


def reference_of_python() -> str:
    """Returns the directives that show the documentation of every public name of the package."""
    names = [name for name in pullback.__all__ if name != "__version__"]
    kinds = [("Functions", "function"), ("Classes", "class"), ("Exceptions", "exception")]
    parts = []
    for heading, kind in kinds:
        chosen = [name for name in names if kind_of(getattr(pullback, name)) == kind]
        option = "   :members:\n   :inherited-members: dict\n" if kind == "class" else ""
        directives = "\n".join(f".. auto{kind}:: pullback.{name}\n{option}" for name in chosen)
        parts.append(f"### {heading}\n\n```{{eval-rst}}\n{directives}```\n")
    return "\n".join(parts)


def kind_of(thing: object) -> str:
    """Returns the word for a thing that Sphinx documents."""
    if isinstance(thing, type):
        return "exception" if issubclass(thing, BaseException) else "class"
    return "function"
