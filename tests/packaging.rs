//! Keeps what is published consistent: the oldest Rust that builds it, and version numbers.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const OLDEST_RUST: &str = env!("CARGO_PKG_RUST_VERSION");

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Major, minor and patch of a version, where what is missing is 0.
fn numbers(version: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> = version.split('.').map(|n| n.parse().unwrap()).collect();
    numbers.resize(3, 0);
    numbers
}

/// All packages that the workspace is built from.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--all-features",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn the_oldest_rust_builds_all_dependencies() {
    let ours = numbers(OLDEST_RUST);
    let mut newer = Vec::new();
    let packages = packages();
    for package in &packages {
        let (name, version) = (&package["name"], &package["version"]);
        if let Some(needed) = package["rust_version"].as_str()
            && numbers(needed) > ours
        {
            newer.push(format!("{name} {version} needs Rust {needed}"));
        }
    }
    assert!(packages.len() > 50, "only {} packages", packages.len());
    assert!(newer.is_empty(), "{newer:#?}");
}

#[test]
fn all_parts_name_the_same_version() {
    let ours = packages()
        .into_iter()
        .filter(|p| p["source"].is_null())
        .map(|p| format!("{} {}", p["name"], p["version"]))
        .collect::<Vec<_>>();
    assert!(ours.len() >= 3, "{ours:?}");
    for part in &ours {
        assert!(part.ends_with(&format!("\"{VERSION}\"")), "{part}");
    }
    let citation = read("CITATION.cff");
    assert!(
        citation
            .lines()
            .any(|line| line == format!("version: {VERSION}")),
        "CITATION.cff names another version than {VERSION}"
    );
    assert!(
        read("CHANGELOG.md")
            .lines()
            .any(|line| line.starts_with(&format!("## {VERSION}"))),
        "CHANGELOG.md has no heading for {VERSION}"
    );
    assert!(
        read("Cargo.toml").contains(&format!("pullback-plot = {{ version = \"{VERSION}\"")),
        "the library needs another version of pullback-plot than {VERSION}"
    );
}

#[test]
fn the_readme_names_the_oldest_rust() {
    for file in ["README.md", "python/README.md", "docs/python.md"] {
        assert!(
            read(file).contains(&format!("Rust {OLDEST_RUST} or newer")),
            "{file} does not name Rust {OLDEST_RUST}"
        );
    }
}
