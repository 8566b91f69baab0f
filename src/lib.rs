//! Inverse problems for models given by equations, solved by natural-gradient descent.
//!
//! A state ρ(θ) is defined by g(ρ, θ) = 0, and θ is sought that minimises f(ρ(θ)) + R(θ). The descent direction is
//! the natural gradient
//!
//! ```text
//! η = −G⁺∇f,   G = ZᵀM(ρ)Z,   Z = ∂ρ/∂θ = −(∂g/∂ρ)⁻¹ ∂g/∂θ
//! ```
//!
//! of a metric M on data space. You write the equation; the crate supplies adjoints, geometry, step and report.
//!
//! ```
//! use pullback::models::{GaussianMixture, Parameter};
//! use pullback::{Descent, Grid, loss::L2Misfit};
//!
//! let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 7.0, 120)])?)
//!     .component(1.0, &[0.0], 1.0)
//!     .free(&[Parameter::Mean(0, 0)])?;
//! let data = mixture.density(&[1.5])?;
//! let loss = L2Misfit::new(mixture.grid(), data)?;
//!
//! let report = Descent::new(&mixture, &loss).run(&[0.0], |iterate| println!("{iterate}"))?;
//!
//! println!("{report}");
//! assert!(report.converged() && (report.theta[0] - 1.5).abs() < 1e-8);
//! # Ok::<(), pullback::Error>(())
//! ```
//!
//! # The map
//!
//! | to | see |
//! |---|---|
//! | state an equation | [`Model`], [`Operator`], [`Grid`] |
//! | say what fits | [`Loss`] and [`loss`], [`Covariance`], [`Prior`] and [`prior`], [`Bounds`], [`Transform`] |
//! | choose a geometry | [`Metric`], [`Root`] and [`metric`] |
//! | descend | [`Descent`], [`Report`], [`direction`], [`step`] |
//! | correct for a model's error with a simulator | [`Simulator`], [`Corrected`] |
//! | estimate a geometry with few adjoint solves | [`sketch`] |
//! | look at derivatives | [`Linearisation`]: tangents, adjoints, Z |
//! | solve | [`Backend`], [`Cpu`]; on an accelerator, [`Batch`], [`Remote`] |
//! | follow a vector field, read a trajectory, bin it | [`flow`], [`trajectory`] |
//! | say how far to trust the result | [`Report::covariance`], [`Descent::posterior`], [`posterior`] |
//! | check | [`verify`] |
//!
//! Scalars are `f64`, vectors are slices, and a batch of vectors is a [`faer`] matrix with the vectors as columns.
//! Knowledge points one way: error, operator, flow, grid ← backend ← trajectory, model ← linearisation ← metric ← loss,
//! prior ← sketch ← direction ← posterior ← descent ← simulator ← models.

#![deny(missing_docs)]
#![warn(unreachable_pub)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod backend;
mod check;
mod covariance;
pub mod descent;
pub mod direction;
mod error;
pub mod flow;
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
pub mod posterior;
pub mod prior;
pub mod random;
pub mod simulator;
pub mod sketch;
pub mod step;
pub mod trajectory;
mod transform;
mod vector;
pub mod verify;

pub use backend::{Auto, Backend, Batch, Cpu, Cuda, Factor, Method, Remote, SolveStats, Solved};
pub use covariance::Covariance;
pub use descent::{Control, Counts, Descent, Iterate, Report, Snapshot, Stop, Tolerances};
pub use direction::Direction;
pub use error::{Error, Result};
pub use faer;
pub use flow::Flow;
pub use grid::{Axis, Face, Grid};
pub use linearisation::Linearisation;
pub use loss::Loss;
pub use metric::{Metric, Root};
pub use model::Model;
pub use newton::Newton;
pub use operator::{Operator, Pattern, Product, Side, Stencil, View};
pub use posterior::{Posterior, Uncertainty};
pub use prior::Prior;
pub use simulator::{Corrected, Simulator};
pub use step::StepRule;
pub use transform::{Bounds, Transform};

/// The examples of the README are tests too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So are those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../docs/lorenz.md")]
struct LorenzPage;

#[cfg(doctest)]
#[doc = include_str!("../docs/directions.md")]
struct DirectionsPage;
