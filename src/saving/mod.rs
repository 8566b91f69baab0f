//! Saved runs: their file format, what can be wrong with a file, and the forms in which states are stored.

mod envelope;
mod error;
mod file;
pub(crate) mod forms;
mod kind;
mod remembered;
mod schedule;
mod signature;

pub(crate) use self::envelope::{from_bytes, to_bytes};
pub use self::error::SaveError;
pub(crate) use self::file::{read, write};
pub(crate) use self::kind::Kind;
pub use self::remembered::Remembered;
pub(crate) use self::schedule::Schedule;
pub(crate) use self::signature::Signature;

/// Returns the checksum of some bytes.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}
