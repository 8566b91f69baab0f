//! Command lines of the examples.
//!
//! The help text of an example declares its options, one row each:
//!
//! ```text
//!   --n CELLS  [128, quick 32]  cells along each side
//! ```
//!
//! An option with a word in capitals takes a value; brackets hold its default, and another one for `--quick`.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use super::output::note;

pub type Failure = Box<dyn std::error::Error>;

/// Runs an example with the options that `read` finds on the command line.
///
/// The exit code is 0 after success or `--help`, 2 for a command line that is not valid, and 1 for a later failure.
pub fn main<T>(
    help: &str,
    read: impl FnOnce(&Arguments) -> Result<T, String>,
    run: impl FnOnce(&T) -> Result<(), Failure>,
) -> ExitCode {
    let name = help.split_once("usage: ").map_or("", |(_, usage)| usage);
    let name = name.split(' ').next().unwrap_or_default();
    let given = words().and_then(|words| Arguments::parse(help, words));
    let options = given.and_then(|given| given.map(|given| read(&given)).transpose());
    let outcome = match options {
        Ok(Some(options)) => run(&options),
        Ok(None) => writeln!(io::stdout(), "{help}").map_err(Failure::from),
        Err(message) => {
            let usage = format!("usage: {name} [options]; --help lists the options");
            note(&format!("{name}: {message}\n{usage}"));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("{name}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The words of the command line, with `--flag=value` split in two.
fn words() -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for word in env::args_os().skip(1) {
        let wrong = |w: std::ffi::OsString| format!("`{}` is not UTF-8", w.to_string_lossy());
        let word = word.into_string().map_err(wrong)?;
        match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => {
                words.extend([flag, value].map(String::from))
            }
            _ => words.push(word),
        }
    }
    Ok(words)
}

/// An option as its row in the help text declares it.
struct Row<'h> {
    flag: &'h str,
    takes_value: bool,
    /// The default, and the default with `--quick`.
    defaults: Option<[&'h str; 2]>,
}

impl<'h> Row<'h> {
    /// Reads a line of the help text; None if it declares no option.
    fn of(line: &'h str) -> Option<Self> {
        let line = line.strip_prefix("  ").filter(|l| l.starts_with("--"))?;
        let (flag, rest) = line.split_once(' ')?;
        let takes_value = rest.starts_with(char::is_uppercase);
        let (_, rest) = rest.split_once(' ')?;
        let brackets = rest.trim_start().strip_prefix('[');
        let default = brackets.and_then(|rest| rest.split_once(']'));
        let pair = |both: &'h str| both.split_once(", quick ").unwrap_or((both, both)).into();
        Some(Self {
            flag,
            takes_value,
            defaults: default.map(|(default, _)| pair(default)),
        })
    }
}

/// Values of the options, given or by default.
pub struct Arguments(BTreeMap<String, String>);

impl Arguments {
    /// Reads the words by the rows of the help text; None if they ask for help.
    fn parse(help: &str, words: Vec<String>) -> Result<Option<Self>, String> {
        let rows: Vec<Row<'_>> = help.lines().filter_map(Row::of).collect();
        let mut values = BTreeMap::new();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if word == "--help" || word == "-h" {
                return Ok(None);
            }
            let Some(row) = rows.iter().find(|row| row.flag == word) else {
                let option = word.starts_with("--");
                let what = if option { "option" } else { "argument" };
                return Err(format!("unknown {what} `{word}`"));
            };
            let mut value = String::new();
            if row.takes_value {
                let usable = |v: &String| !v.is_empty() && !v.starts_with("--");
                let next = words.next().filter(usable);
                value = next.ok_or_else(|| format!("{word} needs a value"))?;
            }
            if values.insert(word.clone(), value).is_some() {
                return Err(format!("{word} is given more than once"));
            }
        }
        let quick = usize::from(values.contains_key("--quick"));
        for row in rows {
            if let Some(defaults) = row.defaults {
                let default = || defaults[quick].to_string();
                values.entry(row.flag.to_string()).or_insert_with(default);
            }
        }
        Ok(Some(Self(values)))
    }

    /// Whether a switch is set.
    pub fn switch(&self, flag: &str) -> bool {
        self.0.contains_key(flag)
    }

    /// The value of an option that has a default.
    pub fn get<T>(
        &self,
        flag: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let value = self.maybe(flag, read)?;
        value.ok_or_else(|| format!("{flag} is missing"))
    }

    /// The value of an option without a default, if it is given.
    pub fn maybe<T>(
        &self,
        flag: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let wrong = |text, problem| format!("{flag}: `{text}` {problem}");
        let value = self.0.get(flag);
        let value = value.map(|text| read(text).map_err(|problem| wrong(text, problem)));
        value.transpose()
    }
}

/// Reads a number in a range.
pub fn number<T: FromStr + PartialOrd + Display>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let whole = T::from_str("0.5").is_err();
        let kind = if whole { "whole number" } else { "number" };
        let found = text.parse().ok().filter(|x| range.contains(x));
        let [least, most] = [range.start(), range.end()];
        found.ok_or_else(|| format!("is not a {kind} from {least} to {most}"))
    }
}

/// Reads a finite number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    let found = number(f64::MIN_POSITIVE..=f64::MAX)(text);
    found.map_err(|_| "is not a positive number".into())
}

/// Reads finite numbers with commas between them.
pub fn numbers(text: &str) -> Result<Vec<f64>, String> {
    let one = |part: &str| {
        let found = number(f64::MIN..=f64::MAX)(part.trim());
        found.map_err(|_| format!("contains `{part}`, which is not a finite number"))
    };
    text.split(',').map(one).collect()
}

/// Reads the name of one of the choices.
pub fn one_of<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let found = all.iter().copied().find(|one| name(*one) == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
            format!("is none of {}", names.join(", "))
        })
    }
}

/// Reads a path.
pub fn path(text: &str) -> Result<PathBuf, String> {
    Ok(text.into())
}

/// Refuses a `--start` with the wrong number of parameters, or with one outside its bounds.
pub fn check_start<S: AsRef<str>>(
    start: &[f64],
    names: &[S],
    bounds: &[(f64, f64)],
) -> Result<(), String> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let (count, all) = (names.len(), names.join(", "));
    if start.len() != count {
        let given = start.len();
        return Err(format!(
            "--start has {given} value(s), but there are {count} parameter(s) ({all})"
        ));
    }
    let short = |x: f64| (1e4 * x).round() / 1e4;
    for ((name, &(lower, upper)), value) in names.iter().zip(bounds).zip(start) {
        if !(lower..=upper).contains(value) {
            let [lower, upper] = [lower, upper].map(short);
            return Err(format!(
                "--start: {name} = {value:?} must lie in [{lower}, {upper}]"
            ));
        }
    }
    Ok(())
}
