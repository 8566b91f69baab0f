//! Inverse problems for models given by equations, g(ρ, θ) = 0, by natural-gradient descent.

#![warn(unreachable_pub)]

pub mod backend;
mod check;
mod covariance;
pub mod descent;
pub mod direction;
mod error;
mod grid;
mod linearisation;
pub mod loss;
pub mod metric;
mod model;
pub mod models;
mod newton;
mod operator;
#[cfg(feature = "plot")]
pub mod plot;
pub mod prior;
pub mod random;
pub mod step;
mod transform;
pub mod verify;

pub use backend::{Backend, Cpu, Factor, SolveStats};
pub use covariance::Covariance;
pub use descent::{Counts, Descent, Flow, Iterate, Report, Stop, Tolerances};
pub use direction::Direction;
pub use error::{Error, Result};
pub use faer;
pub use grid::{Axis, Face, Grid};
pub use linearisation::Linearisation;
pub use loss::Loss;
pub use metric::{Metric, Root};
pub use model::Model;
pub use newton::Newton;
pub use operator::{Operator, Product, Side, View};
pub use prior::Prior;
pub use step::StepRule;
pub use transform::{Bounds, Transform};
