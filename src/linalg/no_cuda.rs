//! Stub of the CUDA back end for programs that are built without the feature `cuda`.

use std::convert::Infallible;
use std::fmt;

use super::operator::Operator;
use super::{Backend, Cpu, Factor, SweepOrder};
use crate::error::{Error, Result};

/// Backend that solves linear systems on a CUDA device. This program was built without the feature `cuda`, so that no
/// value of this type exists.
pub struct Cuda {
    /// Backend for everything that the device does not solve. Its tolerances and precisions apply on the
    /// device as well.
    pub cpu: Cpu,
    /// Upper bound in bytes for the vectors of one solve on the device; `None` allows all free memory.
    pub memory: Option<usize>,
    /// Order of the sweeps of multigrid cycles on the device.
    pub sweeps: SweepOrder,
    never: Infallible,
}

impl Cuda {
    /// Returns an error, since this program was built without the feature `cuda`.
    ///
    /// # Errors
    /// Always fails with [`Error::Device`].
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

    /// Returns the name of the device.
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
