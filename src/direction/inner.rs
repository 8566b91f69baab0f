//! Memory of directions over an inner direction.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Finder, Remembered};
use crate::error::Result;
use crate::saving::SaveError;

/// Returns the memory of a direction and of its inner direction, with a name by which a resumed run recognises both.
pub(super) fn remember(
    name: &str,
    state: &impl Serialize,
    inner: &dyn Finder,
) -> Result<Remembered> {
    Remembered::new(&(name, state, inner.memory()?))
}

/// Restores the memory of the inner direction, and returns that of the outer one. Fails if the name is another one.
pub(super) fn recall<T: DeserializeOwned>(
    memory: &Remembered,
    name: String,
    inner: &mut dyn Finder,
) -> Result<T> {
    let (saved, state, of_inner): (String, T, Remembered) = memory.get()?;
    if saved != name {
        let error = SaveError::Different {
            what: "inner direction",
            saved,
            found: name,
        };
        return Err(error.into());
    }
    inner.recall(&of_inner)?;
    Ok(state)
}
