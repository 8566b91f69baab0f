//! Properties by which the problem and the method of a saved run are recognised.

use serde::{Deserialize, Serialize};

use super::error::SaveError;
use super::forms::{Name, name};

/// Properties of a problem and its method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signature(Vec<Property>);

/// Property with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Property {
    #[serde(deserialize_with = "name")]
    what: Name,
    value: String,
}

impl Signature {
    /// Creates a signature from names and values, in the order in which they are compared.
    pub(crate) fn new<const N: usize>(properties: [(Name, String); N]) -> Self {
        let property = |(what, value)| Property { what, value };
        Self(properties.map(property).to_vec())
    }

    /// Checks that a problem found now has the properties of the saved one.
    ///
    /// # Errors
    /// Fails with [`SaveError::Different`] at the first difference.
    pub(crate) fn compare(&self, found: &Self) -> Result<(), SaveError> {
        let mut pairs = self.0.iter().zip(&found.0);
        match pairs.find(|(saved, found)| saved != found) {
            None => Ok(()),
            Some((saved, found)) => Err(SaveError::Different {
                what: found.what,
                saved: saved.value.clone(),
                found: found.value.clone(),
            }),
        }
    }
}
