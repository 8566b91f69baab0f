//! Stochastic descents: steps on batches of the data, drawn anew in every epoch.
//!
//! Where the objective is a sum over many items, such as observations, experiments or labelled samples, a batch of them costs a
//! fraction of the sum, and its gradient is right on average. [`Stochastic`] takes the directions and step rules of a
//! [`Descent`](crate::Descent), with any metric, and lets them carry what they remember from batch to batch.
//!
//! | data | items |
//! |---|---|
//! | observations of a [`Formula`](crate::automatic::Formula) | [`Measured`] |
//! | pairs of a model and a loss with common parameters | [`Experiments`] |
//! | samples with labels | [`models::Labelled`](crate::models::Labelled) |
//! | anything else | your own [`Items`] |

mod batches;
mod experiments;
mod items;
mod measured;
mod progress;
mod report;
mod run;
mod stacked;
mod sum;

pub use self::experiments::Experiments;
pub use self::items::{Items, MiniBatch};
pub use self::measured::Measured;
pub use self::report::{Ending, Epoch, Report};
pub use self::run::Stochastic;
