//! Command line of the example.

use std::path::PathBuf;

use crate::support::command::{Arguments, path};

/// Settings of a run.
pub struct Options {
    pub out: PathBuf,
    pub json: bool,
}

pub const HELP: &str = "\
Fits the equations of Lotka and Volterra to the numbers of hares and lynx from 1900 to 1920.

usage: lotka_volterra [options]
  --out DIR   [out/lotka_volterra]  folder for the pictures and the page report.html
  --json      print one JSON object to standard output and everything else to standard error
  --help      print this text

A fit over all years from a bad start ends in a wrong optimum. Fits over the first 5, 10, 15 and 21 years, each from the last
one, end in the right one.";

impl Options {
    pub fn read(given: &Arguments) -> Result<Self, String> {
        Ok(Self {
            out: given.get("--out", path)?,
            json: given.switch("--json"),
        })
    }
}
