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
    &["saving"],
    &["random"],
    &["linalg"],
    &["grid", "coordinates"],
    &["model"],
    &["automatic"],
    &["evolution"],
    &["noise"],
    &["metric"],
    &["loss"],
    &["prior"],
    &["sketch"],
    &["hessian"],
    &["direction", "step"],
    &["posterior"],
    &["design", "curvature"],
    &["descent"],
    &["stochastic"],
    &["multistart", "continuation", "profile", "fits"],
    &["correction"],
    &["models"],
    &["verify"],
    &["page"],
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

/// Files of a folder that a source uses as `super::name`, by their names.
fn siblings(text: &str) -> Vec<String> {
    let imports = text.lines().filter(|line| line.contains("use super::"));
    let names = imports.filter_map(|line| {
        let (name, _) = line.split_once("use super::")?.1.split_once("::")?;
        Some(name.to_string())
    });
    names.filter(|name| name != "super").collect()
}

/// Whether the names lead back to `start`.
fn leads_back(files: &[(PathBuf, Vec<String>)], start: &Path) -> bool {
    let beside = |name: &String| start.with_file_name(format!("{name}.rs"));
    let (mut seen, mut open) = (Vec::new(), vec![start.to_path_buf()]);
    while let Some(path) = open.pop() {
        let Some((_, names)) = files.iter().find(|(file, _)| *file == path) else {
            continue;
        };
        for next in names.iter().map(beside) {
            if next == start {
                return true;
            }
            if !seen.contains(&next) {
                seen.push(next.clone());
                open.push(next);
            }
        }
    }
    false
}

#[test]
fn files_of_a_folder_form_no_circle() {
    let read = |path: PathBuf| (path.clone(), siblings(&fs::read_to_string(path).unwrap()));
    let files: Vec<_> = sources("src").into_iter().map(read).collect();
    for (path, _) in files.iter().filter(|(path, _)| !path.ends_with("mod.rs")) {
        assert!(!leads_back(&files, path), "{} uses itself", path.display());
    }
}

#[test]
fn every_file_belongs_to_a_module() {
    for path in sources("src") {
        let name = path.file_stem().unwrap().to_string_lossy().to_string();
        let parent = path.parent().unwrap();
        let (name, home) = match name.as_str() {
            "lib" => continue,
            "mod" => (
                parent.file_name().unwrap().to_string_lossy().to_string(),
                parent.parent().unwrap().to_path_buf(),
            ),
            _ => (name, parent.to_path_buf()),
        };
        let homes = [home.join("mod.rs"), home.join("lib.rs")];
        let declared = homes
            .iter()
            .filter_map(|home| fs::read_to_string(home).ok());
        let declaration = format!("mod {name};");
        let found = declared.into_iter().any(|text| text.contains(&declaration));
        // Declared by their paths, next to the gates of features in `linalg/mod.rs`.
        let gated = ["linalg/cpu/stencil/kernels.rs", "linalg/no_cuda.rs"];
        let elsewhere = gated.iter().any(|file| path.ends_with(file));
        assert!(found || elsewhere, "no module declares {}", path.display());
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

/// A closure that is not inlined into the function with vector instructions is compiled without them.
#[test]
fn vectorised_closures_are_inlined() {
    for path in sources("src") {
        let text = fs::read_to_string(&path).unwrap();
        let bare = text.lines().position(|line| line.contains("vectorised(|"));
        let place = bare.map(|line| line + 1);
        assert_eq!(
            place,
            None,
            "a closure in {} lacks #[inline(always)]",
            path.display()
        );
    }
}

#[test]
fn files_and_functions_stay_small() {
    for folder in [
        "src",
        "bridge/src",
        "plot/src",
        "python/src",
        "examples",
        "tests",
        "benches",
    ] {
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
        let after = &code[at + 3 + name.len()..];
        let text = format!("{after}\n{}", rest[1..].join("\n"));
        found.push((name, length, arguments(&text)));
    }
    found
}

/// Number of arguments of a function, `self` included, in the text after its name. Members of a tuple count one by one:
/// packing arguments into a tuple does not make them fewer. The arguments of a closure do not count.
fn arguments(text: &str) -> usize {
    let code = text.lines().map(|l| l.split("//").next().unwrap_or(""));
    let text = code.collect::<Vec<_>>().join("\n");
    let generics = if text.starts_with('<') {
        closing(&text) + 1
    } else {
        0
    };
    let list = &text[generics..];
    let argument = |argument: &str| {
        // The pattern and the type, which may both be tuples.
        let parts = split(argument, ':');
        parts.into_iter().take(2).map(members).max().unwrap_or(0)
    };
    let list = split(&list[1..closing(list)], ',');
    list.into_iter().map(argument).sum()
}

/// Number of members of a pattern or type: 1, or the sum over the members of a tuple.
fn members(text: &str) -> usize {
    let text = text.trim().trim_start_matches('&');
    if !text.starts_with('(') {
        return 1;
    }
    let tuple = split(&text[1..closing(text)], ',');
    tuple.into_iter().map(members).sum()
}

/// Position, character and depth of brackets after it, for every character.
fn depths(text: &str) -> impl Iterator<Item = (usize, char, i32)> {
    let (mut depth, mut last) = (0, ' ');
    text.char_indices().map(move |(at, c)| {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if last != '-' => depth -= 1,
            _ => {}
        }
        last = c;
        (at, c, depth)
    })
}

/// Position of the bracket that closes the one at the start of the text.
fn closing(text: &str) -> usize {
    let closed = depths(text).find(|&(.., depth)| depth == 0);
    closed.map_or(text.len(), |(at, ..)| at)
}

/// Pieces of a text between separators outside brackets, without empty ones.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut ends: Vec<usize> = depths(text)
        .filter(|&(_, c, depth)| c == separator && depth == 0)
        .map(|(at, ..)| at)
        .collect();
    ends.push(text.len());
    let starts = std::iter::once(0).chain(ends.iter().map(|end| end + 1));
    let pieces = starts.zip(&ends).map(|(start, &end)| &text[start..end]);
    pieces.filter(|piece| !piece.trim().is_empty()).collect()
}

#[test]
fn members_of_tuples_count_as_arguments() {
    for (text, expected) in [
        ("fn none() {}", 0),
        (
            "pub(crate) fn plain(&mut self, x: std::fmt::Alignment, mut y: [f64; 2]) {}",
            3,
        ),
        (
            "fn patterns(self: Box<Self>, // a value\n    (a, [b, c]): (&[F], [u8; 2]),\n) {}",
            3,
        ),
        (
            "pub(super) fn generic<'a, F: Fn(u8, u8) -> u8>(f: F, g: (&'a str, u8)) {}",
            3,
        ),
        (
            "fn types(pairs: (u8, (u8, u8)), of: &(u8, u8), list: &[(u8, u8)]) {}",
            6,
        ),
        (
            "fn closures(f: impl Fn(u8, (u8, u8)) -> u8, (g, h): (&dyn Fn(u8), fn(u8, u8))) {}",
            3,
        ),
    ] {
        let counts: Vec<usize> = functions(text).iter().map(|f| f.2).collect();
        assert_eq!(counts, [expected], "{text}");
    }
}
