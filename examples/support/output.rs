//! Text, files and progress bars of the examples.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

/// Prints text for people, or results as JSON.
pub struct Printer {
    pub json: bool,
}

impl Printer {
    /// Prints text to standard output, or to standard error if that is reserved for JSON.
    pub fn line(&self, text: &str) -> io::Result<()> {
        if self.json {
            note(text);
            return Ok(());
        }
        writeln!(io::stdout(), "{text}")
    }

    /// Prints a result if JSON is requested.
    pub fn json(&self, text: impl FnOnce() -> String) -> io::Result<()> {
        match self.json {
            true => writeln!(io::stdout(), "{}", text()),
            false => Ok(()),
        }
    }
}

/// Prints a remark to standard error, ignoring errors: a closed stream must not stop a run.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Creates the folder of `--out`; called before any computation, so that no result can be lost.
pub fn make_folder(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| {
        let place = folder.display();
        format!("--out: cannot create the folder {place}: {error}; choose another one")
    })
}

/// Writes a file of text.
pub fn write_file(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// A progress bar on standard error.
pub fn bar(length: usize, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_message(what.to_string());
    match ProgressStyle::with_template("{msg:36} {wide_bar} {percent:>3} %  {eta:>4}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
