"""Prepares the pages of the repository for Sphinx.

The pages are written for readers of the repository: they link to files beside them, and stand in `docs/` and a few other places. They
are copied into one folder, with these changes:

- links lead to pages of the site, and to a page with the text of the file where it is a source;
- a block in Rust that is followed at once by one in Python becomes a pair of tabs;
- lines that only make a block in Rust compile (`# …`) are left out;
- the lists of the contents become the navigation.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from gallery import EXAMPLES
from reference import reference_of_python
from text import ROOT, fenced, outside_of_blocks, text_of, with_navigation, with_plain_languages, with_tabs, without_hidden_lines

CONTENTS = "docs/index.md"
ELSEWHERE = {"benches/RESULTS.md": "measurements.md", "CHANGELOG.md": "changelog.md", "examples": "gallery/index.md"}
LANGUAGES = {".rs": "rust", ".py": "python", ".sh": "sh"}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|!?\[[^\]]*\](?:\([^)]*\))?)*)\]\(([^()\s]+)\)")


def pages() -> dict[str, str]:
    """Returns the place in the site of every page of the repository."""
    written = {f"docs/{path.name}": path.name for path in sorted((ROOT / "docs").glob("*.md"))}
    notebooks = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
    return {**written, **{f"examples/notebooks/{path.name}": f"notebooks/{path.name}" for path in notebooks}, **ELSEWHERE}


def examples() -> dict[str, str]:
    """Returns the page of the gallery for every example's main file."""
    return {example.source: f"gallery/{example.name}.md" for example in EXAMPLES}


class Stage:
    """Folder of pages for Sphinx."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.places = {**pages(), **examples()}
        self.sources: set[str] = set()

    def write(self) -> None:
        """Writes all pages but those of the gallery."""
        for source, place in pages().items():
            if source.endswith(".md"):
                self.page(place, self.converted(source, place))
            elif source.endswith(".ipynb"):
                self.copy(source, place)
        for source in sorted(self.sources):
            language = LANGUAGES.get(Path(source).suffix, "text")
            self.page(f"source/{source}.md", f"---\norphan: true\n---\n\n# {source}\n\n{fenced(language, text_of(source))}")

    def page(self, place: str, text: str) -> None:
        """Writes a page, unless it is there with the same text."""
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")

    def picture(self, place: str, content: bytes) -> None:
        """Writes a picture."""
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def copy(self, source: str, place: str) -> None:
        """Copies a file of the repository."""
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, path)

    def converted(self, source: str, place: str) -> str:
        """Returns the text of a page for the site."""
        text = with_plain_languages(text_of(source))
        text = outside_of_blocks(text, lambda part: self.relinked(part, source, place))
        text = with_tabs(without_hidden_lines(text)).replace("<!-- reference of Python -->", reference_of_python())
        return with_navigation(text) if source == CONTENTS else text

    def relinked(self, text: str, source: str, place: str) -> str:
        """Returns text whose links lead to pages of the site."""

        def replaced(match: re.Match) -> str:
            image, label, target = match.groups()
            label = self.relinked(label, source, place)
            if re.match(r"[a-z]+:|#", target):
                return f"{image}[{label}]({target})"
            path, _, anchor = target.partition("#")
            found = self.place_of(os.path.normpath(os.path.join(os.path.dirname(source), path)), image)
            if found is None:
                return label
            away = os.path.relpath(found, os.path.dirname(place) or ".").replace(os.sep, "/")
            return f"{image}[{label}]({away}{'#' + anchor if anchor else ''})"

        return LINK.sub(replaced, text)

    def place_of(self, path: str, image: str) -> str | None:
        """Returns the place of a file in the site, or None for a folder without a page."""
        path = path.replace(os.sep, "/")
        if path in self.places:
            return self.places[path]
        if image:
            place = path.removeprefix("docs/")
            self.copy(path, place)
            return place
        if (ROOT / path).is_dir():
            return None
        self.sources.add(path)
        return f"source/{path}.md"
