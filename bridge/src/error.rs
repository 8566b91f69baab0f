//! Errors of the connection with another program.

use pullback::error::ModuleError;

/// Error of a connection with another program. [`pullback::Error::of`] finds it in an error of the library.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer came.
    #[error(
        "no answer from {url}: {reason}; check that the server is running and that the address is right"
    )]
    Unreachable {
        /// Address of the request.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// An answer that the protocol does not know.
    #[error(
        "{url} answered what UM-Bridge 1.0 does not know: {reason}; check that the address is that of a UM-Bridge server"
    )]
    Foreign {
        /// Address of the request.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A server without the model.
    #[error("the server at {url} has no model '{name}', but {}", names(.found))]
    NoModel {
        /// Address of the server.
        url: String,
        /// Name that was asked for.
        name: String,
        /// Names of the models that the server has.
        found: Vec<String>,
    },
    /// A failure that the server reports.
    #[error("the model '{name}' of the server failed ({kind}): {message}")]
    Refused {
        /// Name of the model.
        name: String,
        /// Type of the failure, in words of the protocol.
        kind: String,
        /// Message of the server.
        message: String,
    },
    /// A model that does not compute what is needed.
    #[error("the model '{name}' of the server computes no {what}; {remedy}")]
    Unsupported {
        /// Name of the model.
        name: String,
        /// What is needed.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// An answer of the wrong size.
    #[error(
        "the model '{name}' of the server returned {found} numbers for {what}, but announced {expected}"
    )]
    Size {
        /// Name of the model.
        name: String,
        /// What was asked for.
        what: &'static str,
        /// Number of numbers that the server announced.
        expected: usize,
        /// Number of numbers that came.
        found: usize,
    },
    /// An address on which nothing can listen.
    #[error("cannot listen on {address}: {reason}; choose another port, or port 0 for a free one")]
    Address {
        /// Address that was asked for.
        address: String,
        /// What went wrong.
        reason: String,
    },
}

fn names(found: &[String]) -> String {
    match found {
        [] => "none at all".to_owned(),
        found => format!("'{}'", found.join("', '")),
    }
}

impl ModuleError for Error {
    fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "Unreachable",
            Self::Foreign { .. } => "Foreign",
            Self::NoModel { .. } => "NoModel",
            Self::Refused { .. } => "Refused",
            Self::Unsupported { .. } => "Unsupported",
            Self::Size { .. } => "Size",
            Self::Address { .. } => "Address",
        }
    }
}

impl From<Error> for pullback::Error {
    fn from(error: Error) -> Self {
        Self::Module(Box::new(error))
    }
}
