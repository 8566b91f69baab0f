//! The examples with streams that take nothing, arguments that are no text, and folders that cannot be made.

#![cfg(target_os = "linux")]
use crate::program::{self, program};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const EXAMPLES: [&str; 6] = [
    "cuda",
    "darcy",
    "gaussian_mixture",
    "lorenz",
    "multistart",
    "sketch_accuracy",
];

fn example(name: &str, arguments: &[&str]) -> Command {
    let mut command = program(name);
    command.args(arguments);
    command
}

fn folder(name: &str) -> PathBuf {
    program::folder("streams", name)
}

/// A stream to a disk without room.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// A stream whose reader is gone.
fn broken() -> Stdio {
    let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = reader.stdin.take().unwrap();
    reader.wait().unwrap();
    pipe.into()
}

/// Fails with a sentence about the stream, and without a panic.
fn complains(output: &Output) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    let named = message.contains("No space left") || message.contains("Broken pipe");
    assert!(named && !message.contains("panicked"), "{message}");
}

#[test]
fn help_that_nobody_can_read_is_no_panic() {
    for name in EXAMPLES {
        complains(&example(name, &["--help"]).stdout(full()).output().unwrap());
        complains(
            &example(name, &["--help"])
                .stdout(broken())
                .output()
                .unwrap(),
        );
        let both = example(name, &["--nonsense"])
            .stderr(full())
            .status()
            .unwrap();
        assert_eq!(both.code(), Some(2), "{name}");
    }
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    for name in EXAMPLES {
        let argument = OsStr::from_bytes(b"\xff");
        let output = example(name, &["--quick"]).arg(argument).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {message}");
        assert!(message.contains("is not UTF-8"), "{name}: {message}");
    }
}

#[test]
fn a_map_that_nobody_can_read_is_no_panic() {
    let out = folder("darcy");
    let arguments = ["--quick", "--out", out.to_str().unwrap()];
    complains(
        &example("darcy", &arguments)
            .stdout(full())
            .output()
            .unwrap(),
    );
    complains(
        &example("darcy", &arguments)
            .stdout(broken())
            .output()
            .unwrap(),
    );
    let json = [&arguments[..], &["--json"]].concat();
    complains(&example("darcy", &json).stdout(full()).output().unwrap());
    std::fs::remove_dir_all(out).unwrap();
}

#[test]
fn no_work_is_lost_where_standard_error_is_full() {
    for (name, arguments) in [
        ("darcy", &["--quick", "--json"][..]),
        (
            "gaussian_mixture",
            &["--quick", "--case", "a", "--metric", "l2"],
        ),
        (
            "lorenz",
            &["--quick", "--data", "twin", "--n", "6", "--loss", "l2"],
        ),
        ("multistart", &["--starts", "3"]),
        (
            "sketch_accuracy",
            &["--quick", "--n", "4", "--seeds", "2", "--metric", "l2"],
        ),
    ] {
        let out = folder(&format!("{name}-full"));
        let mut command = example(name, arguments);
        let status = command
            .arg("--out")
            .arg(&out)
            .stdout(Stdio::null())
            .stderr(full());
        assert!(status.status().unwrap().success(), "{name}");
        assert!(std::fs::read_dir(&out).unwrap().count() > 0, "{name}");
        std::fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn folders_are_made_before_the_work() {
    for name in [
        "darcy",
        "gaussian_mixture",
        "lorenz",
        "multistart",
        "sketch_accuracy",
    ] {
        let output = example(name, &["--quick", "--out", "Cargo.toml"])
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {message}");
        let expected = "--out: cannot create the folder Cargo.toml";
        assert!(message.contains(expected), "{name}: {message}");
        assert!(output.stdout.is_empty(), "{name}");
    }
}
