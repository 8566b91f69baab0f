"""Checks the links of the built site: every target and every anchor exists, and nothing is fetched from elsewhere."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

#: Elements and attributes that a browser fetches when it opens a page.
FETCHED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data"), ("embed", "src")}


class Page(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        given = dict(attrs)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        for name, value in given.items():
            if (tag, name) in FETCHED or (tag == "link" and name == "href" and given.get("rel") in ("stylesheet", "icon")):
                self.fetched.append(value or "")
            elif tag == "a" and name == "href":
                self.links.append(value or "")


def faults(html: Path) -> list[str]:
    """Returns what is wrong with the links of the pages, but for those of the reference of Rust."""
    paths = [path for path in sorted(html.rglob("*.html")) if path.relative_to(html).parts[0] not in ("rust", "_static")]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in paths}
    found = []
    for path, page in pages.items():
        name = path.relative_to(html)
        found += [f"{name}: fetches {url}" for url in page.fetched if urlparse(url).scheme not in ("", "data")]
        for url in page.links + page.fetched:
            if urlparse(url).scheme == "" and not leads_somewhere(path, url, pages):
                found.append(f"{name}: dead link {url}")
    return found


def leads_somewhere(path: Path, url: str, pages: dict[Path, Page]) -> bool:
    """Whether a link within the site has a target."""
    place, anchor = urldefrag(url)
    target = (path.parent / unquote(urlparse(place).path)).resolve() if place else path
    if not target.exists():
        return False
    return not anchor or target not in pages or unquote(anchor) in pages[target].anchors


def report(html: Path) -> int:
    """Prints the faults of a site, and returns 1 if there are any."""
    found = faults(html.resolve())
    print("\n".join(found) or "no dead links, and nothing is fetched from elsewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(report(Path(sys.argv[1])))
