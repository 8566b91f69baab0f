"""Changes of Markdown for the site."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCED = re.compile(r"^(```+)(\w*)[^\n]*\n.*?^\1[ \t]*$\n?", re.MULTILINE | re.DOTALL)


def text_of(source: str) -> str:
    """Returns the text of a file of the repository."""
    return (ROOT / source).read_text(encoding="utf-8")


def fenced(language: str, text: str) -> str:
    """Returns a block of code whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


def outside_of_blocks(text: str, change: Callable[[str], str]) -> str:
    """Applies a change to what is no block of code."""
    parts, end = [], 0
    for block in FENCED.finditer(text):
        parts += [change(text[end : block.start()]), block.group()]
        end = block.end()
    return "".join(parts) + change(text[end:])


def with_plain_languages(text: str) -> str:
    """Leaves only the language of every block of code, without the words that its test reads, as in `rust,no_run`."""
    return re.sub(r"^(```+(?:rust|python))[ ,][^\n]*$", r"\1", text, flags=re.MULTILINE)


def without_hidden_lines(text: str) -> str:
    """Leaves out the lines of blocks in Rust that rustdoc hides."""

    def shown(block: re.Match) -> str:
        if block.group(2) != "rust":
            return block.group()
        lines = [line for line in block.group().splitlines() if line.strip() != "#" and not line.lstrip().startswith("# ")]
        return "\n".join(lines) + "\n"

    return FENCED.sub(shown, text)


def with_tabs(text: str) -> str:
    """Makes tabs of blocks in Rust and in Python with nothing but blank lines between them."""
    pair = re.compile(r"^```rust\n((?:(?!```).*\n)*)```\n\s*^```python\n((?:(?!```).*\n)*)```$", re.MULTILINE)
    tab = ":::{{tab-item}} {}\n:sync: {}\n```{}\n{}```\n:::\n"

    def tabs(match: re.Match) -> str:
        rust, python = match.groups()
        items = tab.format("Rust", "rust", "rust", rust) + tab.format("Python", "python", "python", python)
        return f"::::{{tab-set}}\n:sync-group: language\n{items}::::"

    return pair.sub(tabs, text)


def with_navigation(text: str) -> str:
    """Adds a hidden table of contents for every list of links, under the heading above it."""
    trees = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        entries = re.findall(r"^- \[([^\]]+)\]\(([^)#:]+)\)", body, re.MULTILINE)
        if entries:
            lines = "".join(f"{name} <{target}>\n" for name, target in entries)
            trees.append(f"```{{toctree}}\n:hidden:\n:caption: {heading.strip()}\n\n{lines}```\n")
    return text + "\n" + "\n".join(trees)
