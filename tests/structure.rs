//! Keeps the house as it was drawn: who may know whom, and how large things may grow.
//!
//! The caps are there to be kept, not raised.

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 60;
const ARGUMENTS: usize = 5;

/// Modules in the order of knowledge: each may use those before it, and itself. Modules in one row may not
/// use each other.
const ROWS: &[&[&str]] = &[
    &["error"],
    &["check", "vector"],
    &["random"],
    &["linalg"],
    &["grid", "coordinates"],
    &["model"],
    &["noise"],
    &["metric"],
    &["loss"],
    &["prior"],
    &["sketch"],
    &["hessian"],
    &["direction", "step"],
    &["posterior"],
    &["descent"],
    &["correction"],
    &["models"],
    &["verify"],
];

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The top-level module that a source file belongs to.
fn module(path: &Path) -> String {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = path.strip_prefix(src).unwrap();
    let first = inside.components().next().unwrap().as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_string()
}

fn row(module: &str) -> usize {
    ROWS.iter()
        .position(|row| row.contains(&module))
        .unwrap_or_else(|| panic!("module `{module}` has no place in the order of knowledge"))
}

/// Names used as `crate::name`; one import a line, so that none hides in braces.
fn uses(text: &str) -> Vec<String> {
    assert!(
        !text.contains("crate::{"),
        "imports from the crate stand one a line"
    );
    let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
    let names = code.flat_map(|line| line.split("crate::").skip(1).map(str::to_string));
    names
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            rest[..end.unwrap_or(rest.len())].to_string()
        })
        .filter(|name| ROWS.iter().any(|row| row.contains(&name.as_str())))
        .collect()
}

#[test]
fn nothing_points_up() {
    for path in sources("src") {
        let own = module(&path);
        if own == "lib" {
            continue;
        }
        for used in uses(&fs::read_to_string(&path).unwrap()) {
            let allowed = used == own || row(&used) < row(&own);
            assert!(
                allowed,
                "{} uses `{used}`, which stands above it",
                path.display()
            );
        }
    }
}

#[test]
fn only_the_backend_knows_solvers_and_features_stand_in_three_places() {
    for path in sources("src") {
        let (own, text) = (module(&path), fs::read_to_string(&path).unwrap());
        if own != "linalg" {
            for solver in [
                "partial_piv_lu",
                "sparse::linalg",
                ".qr()",
                "llt(",
                "cudarc",
            ] {
                assert!(!text.contains(solver), "{} knows a solver", path.display());
            }
        }
        let gate = text.contains("cfg(feature");
        let name = path.to_string_lossy();
        let allowed = name.ends_with("src/lib.rs") || name.ends_with("src/linalg/mod.rs");
        assert!(!gate || allowed, "{} has a feature gate", path.display());
    }
}

#[test]
fn files_and_functions_stay_small() {
    for folder in ["src", "plot/src", "examples", "tests", "benches"] {
        for path in sources(folder) {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().count();
            assert!(lines <= FILE_LINES, "{} has {lines} lines", path.display());
            for (name, length, arguments) in functions(&text) {
                let place = format!("`{name}` in {}", path.display());
                assert!(length <= FUNCTION_LINES, "{place} has {length} lines");
                assert!(
                    arguments <= ARGUMENTS,
                    "{place} takes {arguments} arguments"
                );
            }
        }
    }
}

/// Name, length and number of arguments of every function in rustfmt's layout.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let Some(at) = code.find("fn ").filter(|_| !code.starts_with("//")) else {
            continue;
        };
        let header = &code[..at];
        let words = header
            .split_whitespace()
            .all(|w| w.starts_with("pub") || ["const", "async", "unsafe", "extern"].contains(&w));
        let name: String = code[at + 3..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if !words || name.is_empty() {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        let rest = &lines[start..];
        let length = if rest[0].ends_with(';') || rest[0].ends_with('}') {
            1
        } else {
            rest.iter().position(|l| *l == closing).map_or(1, |n| n + 1)
        };
        found.push((name, length, arguments(&rest.join("\n"))));
    }
    found
}

/// The number of arguments after a function's name, `self` included. The members of a tuple count one by one: packing
/// arguments into a tuple does not make them fewer.
fn arguments(text: &str) -> usize {
    let Some(open) = text.find('(') else { return 0 };
    let (mut depth, mut angles, mut count, mut word) = (0, 0, 0, false);
    let mut last = ' ';
    for c in text[open..].chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '[' | '<' | '{' => angles += 1,
            ']' | '}' => angles -= 1,
            '>' if last != '-' => angles -= 1,
            ',' if angles == 0 => {
                count += usize::from(word);
                word = false;
            }
            _ => {}
        }
        last = c;
        if depth == 0 {
            break;
        }
        word = word || c.is_alphanumeric();
    }
    count + usize::from(word)
}
