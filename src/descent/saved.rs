//! Runs at rest, which can be written to a file and resumed.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counts::LedgerState;
use super::history::Iterate;
use super::learned::Learned;
use super::memory::Memory;
use super::point::{Derivative, Point};
use super::progress::Progress;
use super::stop::Stop;
use crate::error::Result;
use crate::linalg::Batches;
use crate::saving::{self, Kind, Signature};

/// Run at rest, from which it can be resumed: all that it knows and remembers, without model, data and options.
///
/// [`Run::saved`](super::Run::saved) makes one, and [`Descent::resume`](super::Descent::resume) goes on from it. A resumed run takes the
/// steps of a run that was never interrupted, bit for bit, with its counts and its seconds, if program and machine are the same.
///
/// ```
/// use pullback::{Descent, Grid, descent::Saved, loss::L2Misfit, models::{GaussianMixture, Parameter}};
/// let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 100)])?)
///     .component(1.0, &[0.0], 1.0)
///     .free(&[Parameter::Mean(0, 0)])?;
/// let loss = L2Misfit::new(mixture.grid(), mixture.density(&[0.5])?)?;
/// let descent = Descent::new(&mixture, &loss);
/// let whole = descent.run(&[0.0], |_| ())?;
///
/// let mut run = descent.begin(&[0.0])?;
/// run.step()?;
/// let bytes = run.saved()?.to_bytes()?;
/// // In another process, with the same descent:
/// let report = descent.resume(&Saved::from_bytes(&bytes)?)?.finish(|_| ())?;
/// assert_eq!((report.theta, report.counts), (whole.theta, whole.counts));
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// # Files
/// A file has a magic word, a version, a length and a checksum, and holds MessagePack. It contains the point, the history, the
/// memory of the step rule and the direction, warm starts of iterative solvers, and the matrices whose factors the run would
/// use again: about as much as the run itself has in memory, without factors.
#[derive(Clone, Serialize, Deserialize)]
pub struct Saved {
    /// Properties of the problem and the method, by which a wrong descent is recognised.
    pub(super) signature: Signature,
    pub(super) point: Point,
    pub(super) before: Option<Batches>,
    /// Derivative of the misfit at the point, where it is known.
    pub(super) derivative: Option<Derivative>,
    pub(super) memory: Memory,
    pub(super) progress: Progress,
    pub(super) stop: Option<Stop>,
    pub(super) elapsed: Duration,
    pub(super) learned: Learned,
    pub(super) ledger: LedgerState,
}

impl Saved {
    /// Returns the run in the format of its files.
    ///
    /// # Errors
    /// Fails with a [`SaveError`](super::SaveError) if a part has no form in bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(saving::to_bytes(Kind::Descent, self)?)
    }

    /// Reads a run in the format of its files.
    ///
    /// # Errors
    /// Fails with a [`SaveError`](super::SaveError) if the bytes are no saved run of a descent, are truncated or corrupted, or
    /// have another version of the format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Ok(saving::from_bytes(Kind::Descent, bytes, "the data")?)
    }

    /// Writes the run to a file. An earlier file is replaced as a whole or not at all.
    ///
    /// # Errors
    /// Fails with [`SaveError::File`](super::SaveError::File) if the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(saving::write(path.as_ref(), &self.to_bytes()?)?)
    }

    /// Reads a run from a file.
    ///
    /// # Errors
    /// Fails with [`SaveError::File`](super::SaveError::File) if the file cannot be read, and as
    /// [`from_bytes`](Self::from_bytes) does.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = saving::read(path)?;
        let name = path.display().to_string();
        Ok(saving::from_bytes(Kind::Descent, &bytes, &name)?)
    }

    /// Returns the parameters.
    pub fn theta(&self) -> &[f64] {
        &self.point.theta
    }

    /// Returns the objective.
    pub fn loss(&self) -> f64 {
        self.point.loss
    }

    /// Returns the iterates so far. The current point is added at the beginning of the next step.
    pub fn history(&self) -> &[Iterate] {
        &self.progress.history
    }

    /// Returns the number of steps.
    pub fn steps(&self) -> usize {
        self.memory.steps
    }

    /// Returns the reason for stopping if the run had ended.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved")
            .field("steps", &self.steps())
            .field("loss", &self.loss())
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}
