//! The example programs, and folders for their files.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A command that runs an example. Cargo builds examples beside the folder of the test binaries.
pub(crate) fn program(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples").join(name);
    assert!(
        binary.exists(),
        "{} is not built; run `cargo test` without --test",
        binary.display()
    );
    Command::new(binary)
}

/// The path of a folder that does not exist yet, for one test of these.
pub(crate) fn folder(tests: &str, name: &str) -> PathBuf {
    let id = std::process::id();
    let path = std::env::temp_dir().join(format!("pullback-{tests}-{name}-{id}"));
    let _ = std::fs::remove_dir_all(&path);
    path
}
