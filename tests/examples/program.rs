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

/// Checks that an example refuses these command lines, words separated by blanks, with the sentence beside each.
pub(crate) fn refuses(name: &str, table: &[(&str, &str)]) {
    for (arguments, sentence) in table {
        let output = program(name).args(arguments.split(' ')).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments} said\n{message}");
        assert!(message.contains(sentence), "{arguments} said\n{message}");
        assert!(message.contains("usage:"), "{arguments} said\n{message}");
    }
}

/// Checks that an example prints its help, with this option, on standard output.
pub(crate) fn helps(name: &str, option: &str) {
    let output = program(name).arg("--help").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(option), "{text}");
}

/// Checks that a folder holds these pictures, as PNG and SVG, and that they are not empty.
pub(crate) fn has_pictures(folder: &Path, stems: &[&str]) {
    for picture in stems {
        for ending in ["png", "svg"] {
            let file = folder.join(format!("{picture}.{ending}"));
            let size = std::fs::metadata(&file).map_or(0, |m| m.len());
            assert!(size > 10_000, "{} has {size} bytes", file.display());
        }
    }
}

/// What an example with a folder `out` prints on so many threads.
pub(crate) fn on_threads(name: &str, arguments: &[&str], (out, threads): (&Path, &str)) -> Vec<u8> {
    let mut command = program(name);
    command.args(arguments).arg("--out").arg(out);
    let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
    std::fs::remove_dir_all(out).unwrap();
    assert!(output.status.success());
    output.stdout
}

/// The path of a folder that does not exist yet, for one test of these.
pub(crate) fn folder(tests: &str, name: &str) -> PathBuf {
    let id = std::process::id();
    let path = std::env::temp_dir().join(format!("pullback-{tests}-{name}-{id}"));
    let _ = std::fs::remove_dir_all(&path);
    path
}
