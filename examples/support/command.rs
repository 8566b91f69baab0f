//! What the examples do with their command lines.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::vec::IntoIter;

pub type Failure = Box<dyn std::error::Error>;

/// Runs an example with what it reads from its arguments: 0 if that succeeds or help was asked for, 2 for arguments that
/// cannot be, 1 for what fails later.
pub fn main<T>(
    (name, usage): (&str, &str),
    read: impl FnOnce(IntoIter<String>) -> Result<Option<T>, String>,
    run: impl FnOnce(&T) -> Result<(), Failure>,
) -> ExitCode {
    let outcome = match arguments().and_then(read) {
        Ok(Some(wanted)) => run(&wanted),
        Ok(None) => writeln!(io::stdout(), "{usage}").map_err(Failure::from),
        Err(message) => {
            complain(&format!("{usage}\n\n{name}: {message}"));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{name}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The arguments as text.
fn arguments() -> Result<IntoIter<String>, String> {
    let wrong = |a: OsString| format!("the argument `{}` is not UTF-8", a.to_string_lossy());
    let all = env::args_os().skip(1).map(|a| a.into_string());
    let all: Result<Vec<String>, OsString> = all.collect();
    all.map(Vec::into_iter).map_err(wrong)
}

/// Says what is wrong, if anybody can hear it: the exit code says it too.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The arguments with `--flag=value` as `--flag value`.
pub fn split(arguments: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    arguments.flat_map(|argument| match argument.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => vec![flag.to_string(), value.to_string()],
        _ => vec![argument],
    })
}
