//! Coordinates of the parameters: transforms, box bounds, and the chart of the free parameters.

mod bounds;
mod chart;
mod error;
mod transform;

pub use self::bounds::Bounds;
pub(crate) use self::chart::Chart;
pub use self::error::Error;
pub use self::transform::Transform;
pub(crate) use self::transform::check_transforms;
