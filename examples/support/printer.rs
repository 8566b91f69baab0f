//! Where the words of an example go, and its files.

use std::io::{self, Write as _};
use std::path::Path;

/// Words go to standard output, unless JSON does.
pub struct Printer {
    pub json: bool,
}

impl Printer {
    /// Prints a line; one beside JSON is a [`note`].
    pub fn line(&self, text: &str) -> io::Result<()> {
        if self.json {
            note(text);
            return Ok(());
        }
        writeln!(io::stdout(), "{text}")
    }

    /// Prints a result, if JSON was asked for.
    pub fn json(&self, text: impl FnOnce() -> String) -> io::Result<()> {
        match self.json {
            true => writeln!(io::stdout(), "{}", text()),
            false => Ok(()),
        }
    }
}

/// Says something in passing on standard error; no work is given up where nobody can hear it.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Makes the folder that `--out` names, before there is any work that could be lost.
pub fn make_folder(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| {
        format!(
            "--out: cannot make the folder {}: {error}; name another one",
            folder.display()
        )
    })
}
