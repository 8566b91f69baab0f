//! Stochastic runs at rest, which can be written to a file and resumed.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::progress::State;
use super::report::{Ending, Epoch};
use crate::descent::CarriedState;
use crate::error::Result;
use crate::saving::{self, Kind, Signature};

/// Stochastic run at rest, from which it can be resumed: all that it knows and remembers, without items and options.
///
/// [`Run::saved`](super::Run::saved) makes one, and [`Stochastic::resume`](super::Stochastic::resume) goes on from it. A resumed run
/// takes the steps of a run that was never interrupted, bit for bit, with its counts and its seconds, if program and machine are
/// the same.
///
/// ```
/// use pullback::direction::Adam;
/// use pullback::faer::Mat;
/// use pullback::models::{Activation, Labelled, Network};
/// use pullback::stochastic::{Saved, Stochastic};
/// let inputs = Mat::from_fn(2, 60, |d, n| (1.0 + d as f64 + 0.7 * n as f64).sin());
/// let labels = (0..60).map(|n| usize::from(inputs[(0, n)] > 0.0)).collect();
/// let network = Network::new(&inputs, &[4, 2], Activation::Tanh)?;
/// let items = Labelled::new(&network, labels)?;
/// let adam = Adam::default();
/// let descent = Stochastic::new(&items, 20).direction(&adam).epochs(4);
/// let whole = descent.run(&network.initial(1), |_| ())?;
///
/// let mut run = descent.begin(&network.initial(1))?;
/// run.epoch()?;
/// let bytes = run.saved()?.to_bytes()?;
/// // In another process, with the same items and the same descent:
/// let report = descent.resume(&Saved::from_bytes(&bytes)?)?.finish(|_| ())?;
/// assert_eq!((report.theta, report.counts), (whole.theta, whole.counts));
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// Files are those of a [`descent::Saved`](crate::descent::Saved) with a magic word of their own. They contain the parameters, the
/// history, the sums of averages, and the memory of the step rule and the direction.
#[derive(Clone, Serialize, Deserialize)]
pub struct Saved {
    /// Properties of the items and the method, by which a wrong descent is recognised.
    pub(super) signature: Signature,
    /// Properties of the next batch and its descent.
    pub(super) batch: Signature,
    /// Objective of the next batch, or NaN if it cannot be computed.
    pub(super) objective: f64,
    pub(super) state: State,
    pub(super) carried: CarriedState,
    pub(super) ending: Option<Ending>,
    pub(super) elapsed: Duration,
}

impl Saved {
    /// Returns the run in the format of its files.
    ///
    /// # Errors
    /// Fails with a [`SaveError`](crate::descent::SaveError) if a part has no form in bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(saving::to_bytes(Kind::Stochastic, self)?)
    }

    /// Reads a run in the format of its files.
    ///
    /// # Errors
    /// Fails with a [`SaveError`](crate::descent::SaveError) if the bytes are no saved run of a stochastic descent, are truncated or
    /// corrupted, or have another version of the format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Ok(saving::from_bytes(Kind::Stochastic, bytes, "the data")?)
    }

    /// Writes the run to a file. An earlier file is replaced as a whole or not at all.
    ///
    /// # Errors
    /// Fails with [`SaveError::File`](crate::descent::SaveError::File) if the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(saving::write(path.as_ref(), &self.to_bytes()?)?)
    }

    /// Reads a run from a file.
    ///
    /// # Errors
    /// Fails with [`SaveError::File`](crate::descent::SaveError::File) if the file cannot be read, and as
    /// [`from_bytes`](Self::from_bytes) does.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = saving::read(path)?;
        let name = path.display().to_string();
        Ok(saving::from_bytes(Kind::Stochastic, &bytes, &name)?)
    }

    /// Returns the parameters.
    pub fn theta(&self) -> &[f64] {
        &self.state.theta
    }

    /// Returns all epochs so far.
    pub fn history(&self) -> &[Epoch] {
        &self.state.history
    }

    /// Returns the reason for the end if the run had ended.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved")
            .field("epochs", &self.history().len())
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}
