//! Memory of step rules and directions.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::SaveError;
use super::forms;
use crate::error::Result;

/// What a step rule or a direction remembers from step to step, in a form that can be saved.
///
/// The value may be a number, a vector, an option or a tuple of such, or any type with serde's `Serialize` and `Deserialize`.
///
/// ```
/// use pullback::step::Remembered;
/// let memory = Remembered::new(&(0.5, Some(vec![1.0, f64::NAN])))?;
/// let (scale, last): (f64, Option<Vec<f64>>) = memory.get()?;
/// assert!(scale == 0.5 && last.is_some_and(|last| last[1].is_nan()));
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered(#[serde(with = "forms::bytes")] Vec<u8>);

impl Remembered {
    /// Stores a value.
    ///
    /// # Errors
    /// Fails with [`SaveError::Memory`](crate::descent::SaveError::Memory) if the value has no form in bytes.
    pub fn new(value: &(impl Serialize + ?Sized)) -> Result<Self> {
        let bytes = rmp_serde::to_vec_named(value).map_err(|error| unsuitable(&error))?;
        Ok(Self(bytes))
    }

    /// Stores that there is nothing to remember.
    ///
    /// # Errors
    /// Does not fail.
    pub fn nothing() -> Result<Self> {
        Self::new(&())
    }

    /// Returns the value.
    ///
    /// # Errors
    /// Fails with [`SaveError::Memory`](crate::descent::SaveError::Memory) if a value of another type was stored.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(rmp_serde::from_slice(&self.0).map_err(|error| unsuitable(&error))?)
    }
}

fn unsuitable(error: &dyn std::error::Error) -> SaveError {
    SaveError::Memory {
        reason: error.to_string(),
    }
}
