//! What stands in for solves on a GPU where they were not built.

use std::convert::Infallible;
use std::fmt;

use super::operator::Operator;
use super::{Backend, Cpu, Factor};
use crate::error::{Error, Result};

/// Solves on a CUDA device, in programs that are built with the feature `cuda`. In this one there are none.
pub struct Cuda {
    /// What the device does not do, with the tolerances and precisions of what it does.
    pub cpu: Cpu,
    /// The bytes of the device's memory that the vectors of one solve may take.
    pub memory: Option<usize>,
    never: Infallible,
}

impl Cuda {
    /// An error.
    ///
    /// # Errors
    /// Always, [`Error::Device`].
    pub fn new(_ordinal: usize) -> Result<Self> {
        Err(Error::Device {
            what: "a CUDA device",
            detail: "this program was built without the feature `cuda` (cargo … --features cuda)"
                .into(),
        })
    }

    pub(crate) fn with_fallback(ordinal: usize) -> Result<Self> {
        Self::new(ordinal)
    }

    pub(crate) fn factor_with<'a>(
        &'a self,
        _: &'a Cpu,
        _: Operator<'a>,
    ) -> Result<Box<dyn Factor + 'a>> {
        match self.never {}
    }

    /// The name of the device.
    pub fn name(&self) -> &str {
        match self.never {}
    }
}

impl Backend for Cuda {
    fn factor<'a>(&'a self, a: Operator<'a>) -> Result<Box<dyn Factor + 'a>> {
        self.factor_with(&self.cpu, a)
    }
}

impl fmt::Display for Cuda {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.never {}
    }
}
