//! Coordinates of the parameters: transforms, box bounds, and the chart of those that are free.

mod chart;
mod transform;

pub(crate) use self::chart::Chart;
pub(crate) use self::transform::check_transforms;
pub use self::transform::{Bounds, Transform};
