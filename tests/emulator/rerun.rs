//! Runs tests of this program again on an emulated device. Substitutes for the libraries of the driver and the compiler
//! run the source of the kernels thread by thread on the processor.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Folder of the emulator's sources.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/emulator");

/// Runs the tests whose names contain `tests` with these environment variables and the emulated libraries in the
/// directory `libraries`. Prints a note and returns without a C++ compiler.
pub(crate) fn rerun(tests: &str, libraries: &Path, variables: &[(&str, &str)]) {
    if build(libraries).is_none() {
        println!("skipped: no C++ compiler for the emulated device (set CXX)");
        return;
    }
    run(tests, libraries, variables);
    // A result that depends on the order of blocks would differ in this run.
    let reversed = [("EMULATED_ORDER", "reversed")];
    run(tests, libraries, &[variables, &reversed].concat());
}

/// Builds the emulated libraries in a directory. Returns `None` without a C++ compiler.
fn build(into: &Path) -> Option<()> {
    let compiler = env::var("CXX").unwrap_or_else(|_| "g++".into());
    if Command::new(&compiler).arg("--version").output().is_err() {
        return None;
    }
    fs::create_dir_all(into).unwrap();
    for file in fs::read_dir(SOURCES).unwrap() {
        let file = file.unwrap().path();
        fs::copy(&file, into.join(file.file_name().unwrap())).unwrap();
    }
    for (source, library) in [("driver.cpp", "libcuda.so"), ("nvrtc.cpp", "libnvrtc.so")] {
        let mut command = Command::new(&compiler);
        command.args(["-O2", "-std=c++17", "-fPIC", "-shared", "-pthread", "-o"]);
        command
            .args([into.join(library), into.join(source)])
            .arg("-ldl");
        let output = command.output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{source}: {words}");
    }
    Some(())
}

/// Runs the tests with additional environment variables.
fn run(tests: &str, libraries: &Path, more: &[(&str, &str)]) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([tests, "--test-threads=2"]);
    command.env("LD_LIBRARY_PATH", libraries);
    command.env("PULLBACK_REQUIRE_GPU", "1");
    command.envs(more.iter().copied());
    let output = command.output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|o| String::from_utf8_lossy(o));
    println!("{out}{err}");
    assert!(output.status.success(), "see above");
}
