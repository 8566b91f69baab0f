"""Builds the site: `python docs/site/build.py` in the environment with what `requirements.txt` names and the package `pullback`.

The result in `target/site/html` needs no network and no server. Examples without results in `target/gallery` are run first. The
reference of the Rust library is copied in if `cargo doc` has made it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import check
import gallery
from sphinx.cmd.build import build_main
from stage import ROOT, Stage

HERE = Path(__file__).resolve().parent
ONLINE = "https://docs.rs/pullback/latest/"


def with_rust(html: Path, rustdoc: Path) -> None:
    """Copies the reference of the Rust library, and lets links to docs.rs lead there."""
    shutil.copytree(
        rustdoc, html / "rust", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.lock", "pullback_python", "_pullback")
    )
    for page in html.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(ONLINE, "rust/"), encoding="utf-8")


def main() -> int:
    """Builds the site, with warnings as errors, and checks its links."""
    parser = argparse.ArgumentParser(description="Builds the site.")
    parser.add_argument("--out", type=Path, default=ROOT / "target" / "site", help="folder to build in")
    parser.add_argument("--results", type=Path, default=gallery.RESULTS, help="folder of the examples' outputs and pictures")
    given = parser.parse_args()
    out, rustdoc = given.out.resolve(), ROOT / "target" / "doc"
    pages, html = out / "pages", out / "html"
    if pages.exists():
        shutil.rmtree(pages)
    stage = Stage(pages)
    stage.write()
    gallery.write(stage, given.results.resolve())
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    status = build_main(
        ["-q", "-W", "--keep-going", "-b", "html", "-c", str(HERE), "-d", str(out / "cache"), str(pages), str(html)]
    )
    if status == 0 and (rustdoc / "pullback" / "index.html").exists():
        with_rust(html, rustdoc)
    return status or check.report(html)


if __name__ == "__main__":
    sys.exit(main())
