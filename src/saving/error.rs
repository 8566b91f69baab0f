//! Errors of saved runs.

use crate::error::ModuleError;

/// Error of a run that cannot be saved or resumed.
///
/// Functions return this error wrapped in the library's error. [`Error::of`](crate::Error::of) unwraps it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SaveError {
    /// A file or folder that cannot be read or written.
    #[error("{task} {file} failed: {reason}; {remedy}")]
    File {
        /// What was to be done with the file.
        task: &'static str,
        /// Path of the file.
        file: String,
        /// Reason given by the operating system.
        reason: String,
        /// Remedy that the message names.
        remedy: &'static str,
    },
    /// Data that do not begin as a saved run does.
    #[error("{data} is no saved run of this library; check the path")]
    Foreign {
        /// Path of the file, or "the data" without a file.
        data: String,
    },
    /// A saved run of another kind.
    #[error("{data} is a saved run of a {found}, not of a {expected}; resume it with a {found}")]
    Kind {
        /// Path of the file, or "the data" without a file.
        data: String,
        /// Kind of run that was to be read.
        expected: &'static str,
        /// Kind of run that is there.
        found: &'static str,
    },
    /// Data that end too early.
    #[error(
        "{data} is truncated: it has {found} bytes of {expected}; copy it again, or resume from an earlier file"
    )]
    Truncated {
        /// Path of the file, or "the data" without a file.
        data: String,
        /// Number of bytes that there should be, as far as they tell.
        expected: u64,
        /// Number of bytes that there are.
        found: u64,
    },
    /// Data that were changed after they were saved.
    #[error("{data} is corrupted: {reason}; copy it again, or resume from an earlier file")]
    Corrupted {
        /// Path of the file, or "the data" without a file.
        data: String,
        /// What shows the damage.
        reason: String,
    },
    /// Data in a format of another version of the library.
    #[error(
        "{data} has version {found} of the format of saved runs, but this version of the library reads version \
         {known}; resume with the version of the library that saved it"
    )]
    Version {
        /// Path of the file, or "the data" without a file.
        data: String,
        /// Version of the format of the data.
        found: u32,
        /// Version of the format that is read.
        known: u32,
    },
    /// A saved run of another problem or method.
    #[error(
        "the saved run has another {what}: it was saved with {saved}, but the descent has {found}; resume with the descent \
         that saved it, or begin a new run from its parameters (`Saved::theta`)"
    )]
    Different {
        /// What differs.
        what: &'static str,
        /// Value of the saved run.
        saved: String,
        /// Value of the descent.
        found: String,
    },
    /// An objective that differs from the saved one at the saved state.
    #[error(
        "at the saved state the objective is {found:e}, but it was saved as {saved:e}: data, loss or priors have changed; \
         resume with those that saved the run, or begin a new run from its parameters (`Saved::theta`)"
    )]
    Objective {
        /// Objective of the saved run.
        saved: f64,
        /// Objective of the descent.
        found: f64,
    },
    /// A state of the model that differs from the saved one at the saved parameters.
    #[error(
        "at the saved parameters the state of the model differs from the saved one by a relative {gap:.1e}: the model has \
         changed; resume with the model that saved the run, or begin a new run from its parameters (`Saved::theta`)"
    )]
    State {
        /// Largest difference of an entry, relative to the largest entry.
        gap: f64,
    },
    /// A step rule that does not come back as it was.
    #[error(
        "the step rule {rule} has forgotten its state: its first trial or reach differs from that of the saved run; let \
         `Judge::memory` return all that it changes from step to step, and `Judge::recall` take it back"
    )]
    Forgotten {
        /// Name of the step rule.
        rule: String,
    },
    /// A memory of a step rule or direction that has no bytes, or other ones than expected.
    #[error(
        "the memory of a step rule or direction cannot be stored or read: {reason}; let `memory` and `recall` use values of \
         the same type"
    )]
    Memory {
        /// What is wrong with it.
        reason: String,
    },
}

impl ModuleError for SaveError {
    fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "File",
            Self::Foreign { .. } => "Foreign",
            Self::Kind { .. } => "Kind",
            Self::Truncated { .. } => "Truncated",
            Self::Corrupted { .. } => "Corrupted",
            Self::Version { .. } => "Version",
            Self::Different { .. } => "Different",
            Self::Objective { .. } => "Objective",
            Self::State { .. } => "State",
            Self::Forgotten { .. } => "Forgotten",
            Self::Memory { .. } => "Memory",
        }
    }
}

impl From<SaveError> for crate::error::Error {
    fn from(error: SaveError) -> Self {
        Self::Module(Box::new(error))
    }
}
