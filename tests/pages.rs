//! Keeps the pages together: no link is dead, every page can be found, and every block of code is run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files of a folder with this ending, by their paths from the root.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let names = fs::read_dir(root().join(folder)).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = names
        .filter(|name| name.ends_with(ending))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    found.sort();
    found
}

/// Every page that is written by hand.
fn pages() -> Vec<String> {
    let beside = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
    let elsewhere = ["benches/RESULTS.md", "python/README.md"];
    let mut found = files("docs", ".md");
    found.extend(beside.iter().chain(&elsewhere).map(|s| s.to_string()));
    found
}

/// Lines of a page that are not in a block of code, and the languages of the blocks.
fn prose(text: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut lines, mut languages, mut fence) = (Vec::new(), Vec::new(), None);
    for line in text.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            None if ticks >= 3 => {
                let word = line[ticks..].split(',').next();
                languages.push(word.unwrap_or_default().trim());
                fence = Some(ticks);
            }
            None => lines.push(line),
            Some(open) if ticks >= open && line.trim_end().len() == ticks => fence = None,
            Some(_) => (),
        }
    }
    (lines, languages)
}

/// Targets of the links and pictures of a page.
fn links(text: &str) -> Vec<String> {
    let (lines, _) = prose(text);
    let parts = lines.iter().flat_map(|line| line.split("](").skip(1));
    let targets = parts.filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_string()).collect()
}

/// Anchors of the headings of a page, as GitHub and the site make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let (lines, _) = prose(text);
    let headings = lines.iter().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => (),
            other => plain.push(other),
        }
    }
    plain
}

/// The dead links of a page with this path from the root.
fn dead(page: &str, text: &str) -> Vec<String> {
    let folder = root().join(page);
    let folder = folder.parent().unwrap();
    let leads_nowhere = |link: &String| {
        if link.contains("://") || link.starts_with("mailto:") {
            return false;
        }
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = plain(&folder.join(path));
        if !path.is_empty() && !target.exists() {
            return true;
        }
        let there = match path {
            "" => anchors(text),
            _ if path.ends_with(".md") => anchors(&read(&target)),
            _ => return false,
        };
        !anchor.is_empty() && !there.contains(anchor)
    };
    links(text).into_iter().filter(leads_nowhere).collect()
}

#[test]
fn no_link_is_dead() {
    for page in pages() {
        let found = dead(&page, &read(&root().join(&page)));
        assert!(found.is_empty(), "{page} has dead links: {found:?}");
    }
}

#[test]
fn dead_links_are_found() {
    let text = "# A title, with `code`\n[a](#a-title-with-code) [b](time.md#a-rate) [c](../src/lib.rs)\n\
        ```text\n[d](nowhere.md)\n```\n[e](nowhere.md) [f](#b) [g](time.md#nowhere) ![h](pictures/none.png)";
    let found = dead("docs/page.md", text);
    assert_eq!(
        found,
        ["nowhere.md", "#b", "time.md#nowhere", "pictures/none.png"]
    );
}

#[test]
fn every_page_and_notebook_is_in_the_contents() {
    let contents = links(&read(&root().join("docs/index.md")));
    let listed: BTreeSet<PathBuf> = contents
        .iter()
        .map(|link| plain(&root().join("docs").join(link)))
        .collect();
    let notebooks = files("examples/notebooks", ".ipynb");
    for page in files("docs", ".md").iter().chain(&notebooks) {
        let found = page == "docs/index.md" || listed.contains(&root().join(page));
        assert!(found, "{page} is not in docs/index.md");
    }
}

#[test]
fn blocks_in_rust_are_tested_and_those_in_python_are_found() {
    let library = ["src/lib.rs", "bridge/src/lib.rs"].map(|file| read(&root().join(file)));
    for page in pages() {
        let text = read(&root().join(&page));
        let (_, languages) = prose(&text);
        let of_library = format!("#[doc = include_str!(\"../{page}\")]");
        let of_bridge = format!("#[doc = include_str!(\"../../{page}\")]");
        let tested = library[0].contains(&of_library) || library[1].contains(&of_bridge);
        assert_eq!(
            languages.contains(&"rust"),
            tested,
            "{page}: blocks in Rust, and their tests in a lib.rs"
        );
        assert!(
            !languages.contains(&"py"),
            "{page}: tests look for the word `python`"
        );
        assert!(
            !languages.contains(&""),
            "{page}: a block without a language would be run as Rust"
        );
    }
}

#[test]
fn every_example_is_in_the_gallery() {
    let gallery = read(&root().join("docs/site/gallery.py"));
    let single = files("examples", ".rs").into_iter();
    let single = single.map(|path| path.replace("examples/", "").replace(".rs", ""));
    let folders = fs::read_dir(root().join("examples")).unwrap();
    let folders = folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("main.rs").exists());
    let folders = folders.map(|path| path.file_name().unwrap().to_string_lossy().to_string());
    for name in single.chain(folders) {
        assert!(
            gallery.contains(&format!("Example(\"{name}\"")),
            "{name} is not in docs/site/gallery.py"
        );
    }
}

#[test]
fn notebooks_hold_no_outputs() {
    for path in files("examples/notebooks", ".ipynb") {
        let notebook: Value = serde_json::from_str(&read(&root().join(&path))).unwrap();
        for cell in notebook["cells"].as_array().unwrap() {
            let code = cell["cell_type"] == "code";
            let empty = cell["outputs"].as_array().is_some_and(Vec::is_empty);
            assert!(
                !code || (empty && cell["execution_count"].is_null()),
                "{path} has outputs"
            );
        }
    }
}
