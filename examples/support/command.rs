//! What the examples do with their command lines.

use std::env::{self, Args};
use std::iter::Skip;
use std::process::ExitCode;

pub type Failure = Box<dyn std::error::Error>;

/// Runs an example with what it reads from its arguments: 0 if that succeeds or help was asked for, 2 for arguments that
/// cannot be, 1 for what fails later.
pub fn main<T>(
    (name, usage): (&str, &str),
    read: impl FnOnce(Skip<Args>) -> Result<Option<T>, String>,
    run: impl FnOnce(&T) -> Result<(), Failure>,
) -> ExitCode {
    let wanted = match read(env::args().skip(1)) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => {
            println!("{usage}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("{usage}\n\n{name}: {message}");
            return ExitCode::from(2);
        }
    };
    match run(&wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments with `--flag=value` as `--flag value`.
pub fn split(arguments: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    arguments.flat_map(|argument| match argument.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => vec![flag.to_string(), value.to_string()],
        _ => vec![argument],
    })
}
