//! Clouds of points as states of models.

use crate::check;
use crate::error::Result;

/// Clouds of points that stand one after the other in a state, such as those of particles at several times.
///
/// Models of points say what their state holds ([`Model::clouds`](super::Model::clouds)), and losses and metrics what they are made for.
/// A descent compares them, since the lengths may fit where the meaning does not. To compare one cloud of all snapshots together, wrap the
/// loss in one of your own that leaves `clouds` out.
///
/// ```
/// use pullback::loss::SlicedTransport;
/// use pullback::model::Clouds;
/// use pullback::Loss;
/// let loss = SlicedTransport::new(2, vec![0.0; 10])?;
/// assert_eq!(loss.clouds(), Some(Clouds { count: 1, space: 2 }));
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clouds {
    /// Number of clouds.
    pub count: usize,
    /// Dimension of the points.
    pub space: usize,
}

impl Clouds {
    /// Returns several clouds of one dimension as one sequence, or None if their dimensions differ or are not known.
    pub(crate) fn joined(parts: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        let parts: Vec<Self> = parts.into_iter().collect::<Option<_>>()?;
        let space = parts.first()?.space;
        let equal = parts.iter().all(|part| part.space == space);
        let count = parts.iter().map(|part| part.count).sum();
        equal.then_some(Self { count, space })
    }

    /// Checks that a loss or a metric is made for the clouds of a model, where both are known.
    ///
    /// # Errors
    /// Fails if their number or dimension differs.
    pub(crate) fn check(model: Option<Self>, given: Option<Self>) -> Result<()> {
        let (Some(model), Some(given)) = (model, given) else {
            return Ok(());
        };
        check::option(
            "the dimension of the points that a loss or a metric is made for",
            given.space as f64,
            given.space == model.space,
            "give that of the points of the model",
        )?;
        check::option(
            "the number of clouds that a loss or a metric is made for",
            given.count as f64,
            given.count == model.count,
            "the model has another: `loss::Snapshots` takes one loss for every cloud, `metric::Blocks` repeats a metric",
        )
    }
}
