"""Changes of pages for the site, and the check of its links."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import check
import text
from docstrings import prepare
from stage import Stage


def test_lines_that_rustdoc_hides_are_left_out():
    page = "# Title\n\n```rust\nlet x = 1;\n#[derive(Clone)]\n# assert!(true);\n#\n```\n\n```sh\n# a comment\n```\n"
    assert text.without_hidden_lines(page) == "# Title\n\n```rust\nlet x = 1;\n#[derive(Clone)]\n```\n\n```sh\n# a comment\n```\n"


def test_words_for_tests_are_left_out():
    page = "```rust,no_run\na\n```\n\n```python jax\nb\n```\n\n```text\nc\n```\n"
    assert text.with_plain_languages(page) == "```rust\na\n```\n\n```python\nb\n```\n\n```text\nc\n```\n"


def test_blocks_in_both_languages_become_tabs():
    page = "```rust\na\n```\n\n```python\nb\n```\n\n```rust\nc\n```\n\nText.\n\n```python\nd\n```\n"
    shown = text.with_tabs(page)
    assert shown.count("{tab-item}") == 2 and shown.index("Rust") < shown.index("Python")
    assert shown.endswith("```rust\nc\n```\n\nText.\n\n```python\nd\n```\n")


def test_links_lead_to_pages_of_the_site(tmp_path):
    stage = Stage(tmp_path)
    page = "[a](time.md#a-rate) [b](../benches/RESULTS.md) [c](../examples/curve_fit.rs) [d](../src/lib.rs) [e](../python) [f](#x)"
    expected = "[a](time.md#a-rate) [b](measurements.md) [c](gallery/curve_fit.md) [d](source/src/lib.rs.md) e [f](#x)"
    assert stage.relinked(page, "docs/page.md", "page.md") == expected
    assert stage.sources == {"src/lib.rs"}


def test_contents_become_the_navigation():
    tree = text.with_navigation("# All\n\n## Learn\n\n- [Time](time.md): more\n- [Elsewhere](https://example.org)\n")
    assert ":caption: Learn\n\nTime <time.md>\n```" in tree


def test_examples_after_a_list_of_results_get_a_heading():
    lines = ["Adds.", "", "Returns", "-------", "float", "    The sum.", "", ">>> 1 + 1", "2"]
    prepare(None, "function", "add", None, None, lines)
    assert lines[7:10] == ["Examples", "--------", ">>> 1 + 1"]


def test_dead_links_and_fetched_files_are_found(tmp_path):
    (tmp_path / "b.html").write_text('<p id="there"></p>')
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there"></a><a href="b.html#gone"></a><a href="c.html"></a><a href="https://example.org"></a>'
        '<script src="https://example.org/x.js"></script>'
    )
    assert check.faults(tmp_path) == [
        "a.html: fetches https://example.org/x.js",
        "a.html: dead link b.html#gone",
        "a.html: dead link c.html",
    ]
