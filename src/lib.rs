//! Natural-gradient descent for inverse problems whose model is defined by equations.
//!
//! The equations g(ρ, θ) = 0 define a state ρ(θ). The crate minimises f(ρ(θ)) + R(θ) over θ. The descent direction is the natural
//! gradient
//!
//! ```text
//! η = −G⁺∇f,   G = ZᵀM(ρ)Z,   Z = ∂ρ/∂θ = −(∂g/∂ρ)⁻¹ ∂g/∂θ
//! ```
//!
//! of a metric M on data space. You write the equations; the crate supplies adjoints, geometry, step rules and reports.
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
//! # Overview
//!
//! | task | items |
//! |---|---|
//! | define a model by its equation or formula alone | [`automatic`] |
//! | define a model by a rate in time | [`evolution`] |
//! | define a model with Jacobians of your own | [`Model`], [`model`]; [`Operator`] for its Jacobians; [`Grid`] |
//! | define the objective | [`Loss`] and [`loss`], [`Noise`], [`Prior`] and [`prior`], [`Bounds`], [`Transform`] |
//! | choose a metric | [`Metric`] and [`metric`] |
//! | run a descent | [`Descent`], [`Report`], [`descent`], [`direction`], [`step`] |
//! | fit samples without densities | [`models::PushForward`], [`models::Ensemble`], [`loss::SlicedTransport`], [`metric::SampledWasserstein`] |
//! | search from many starts, or along a parameter of the problem | [`multistart`], [`continuation`] |
//! | fit one formula to many small sets of data | [`fits`] |
//! | descend on batches of many data | [`stochastic`] |
//! | quantify the uncertainty of the result | [`Report::covariance`], [`Descent::posterior`], [`posterior`], [`profile`] |
//! | choose what to observe | [`design`] |
//! | look at curvatures, and at what the data see | [`curvature`] |
//! | check a model, loss or metric | [`verify`] |
//! | compute derivatives | [`Linearisation`]: tangents, adjoints, Z |
//! | estimate the metric with few adjoint solves | [`sketch`] |
//! | correct the error of a model with a simulator, or fit a simulator without a model | [`correction`] |
//! | solve linear systems | [`Backend`], [`Cpu`], [`linalg`] |
//! | use a ready-made problem | [`models`] |
//! | draw figures | `plot`, with the Cargo feature `plot` |
//! | write an HTML page about a run | `page`, with the Cargo feature `plot` |
//!
//! Scalars are `f64`, vectors are slices, and a batch of vectors is a [`faer`] matrix with the vectors as columns.
//! A module depends only on those before it: error ← linalg ← grid, coordinates ← model ← automatic ← evolution ← noise ← metric ←
//! loss ← prior ← sketch ← hessian ← direction, step ← posterior ← design, curvature ← descent ← stochastic ← multistart, continuation,
//! profile, fits ← correction ← models ← verify ← page.

#![deny(missing_docs)]
#![warn(unreachable_pub)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod automatic;
mod check;
pub mod continuation;
pub mod coordinates;
pub mod correction;
pub mod curvature;
pub mod descent;
pub mod design;
pub mod direction;
pub mod error;
pub mod evolution;
pub mod fits;
pub mod grid;
mod hessian;
pub mod linalg;
pub mod loss;
pub mod metric;
pub mod model;
pub mod models;
pub mod multistart;
mod noise;
#[cfg(feature = "plot")]
pub mod page;
pub mod posterior;
pub mod prior;
pub mod profile;
pub mod random;
mod saving;
pub mod sketch;
pub mod step;
pub mod stochastic;
mod vector;
pub mod verify;

pub use coordinates::{Bounds, Transform};
pub use descent::{Descent, Report};
pub use direction::Direction;
pub use error::{Error, Result};
pub use faer;
pub use grid::Grid;
pub use linalg::{Backend, Cpu, Operator, Side};
pub use loss::Loss;
pub use metric::Metric;
pub use model::{Linearisation, Model};
pub use noise::Noise;
pub use prior::Prior;
#[cfg(feature = "plot")]
#[doc(inline)]
pub use pullback_plot as plot;
pub use step::StepRule;

/// Wraps a plotting error in [`Error::Module`].
///
/// ```
/// use pullback::plot::{self, Chart, PALETTE, Page};
///
/// fn save() -> pullback::Result<()> {
///     let chart = Chart::new("").bars("", &[0.0, 1.0], &[1.0, 2.0], PALETTE[0]);
///     Page::new(1).chart(chart).save("bars".as_ref())?;
///     Ok(())
/// }
/// let error = save().unwrap_err();
/// assert!(matches!(error.of(), Some(plot::Error::Layer { .. })));
/// ```
#[cfg(feature = "plot")]
impl From<plot::Error> for Error {
    fn from(error: plot::Error) -> Self {
        Self::Module(Box::new(error))
    }
}

#[cfg(feature = "plot")]
impl error::ModuleError for plot::Error {
    fn kind(&self) -> &'static str {
        self.kind()
    }
}

/// Runs the examples of the README as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Runs the examples of `docs/lorenz.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/lorenz.md")]
struct LorenzPage;

/// Runs the examples of `docs/directions.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/directions.md")]
struct DirectionsPage;

/// Runs the examples of `docs/your-first-model.md`, which draw a picture, as tests.
#[cfg(all(doctest, feature = "plot"))]
#[doc = include_str!("../docs/your-first-model.md")]
struct FirstModelPage;

/// Runs the examples of `docs/time.md`, which draw a picture, as tests.
#[cfg(all(doctest, feature = "plot"))]
#[doc = include_str!("../docs/time.md")]
struct TimePage;

/// Runs the examples of `docs/optima.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/optima.md")]
struct OptimaPage;

/// Runs the examples of `docs/long-runs.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/long-runs.md")]
struct LongRunsPage;

/// Runs the examples of `docs/profiles.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/profiles.md")]
struct ProfilesPage;

/// Runs the examples of `docs/reports.md`, which draw pictures, as tests.
#[cfg(all(doctest, feature = "plot"))]
#[doc = include_str!("../docs/reports.md")]
struct ReportsPage;

/// Runs the examples of `docs/architecture.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/architecture.md")]
struct ArchitecturePage;

/// Runs the examples of `docs/first-steps.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/first-steps.md")]
struct FirstStepsPage;

/// Runs the examples of `docs/geometries.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/geometries.md")]
struct GeometriesPage;

/// Runs the examples of `docs/uncertainty.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/uncertainty.md")]
struct UncertaintyPage;

/// Runs the examples of `docs/curvature.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/curvature.md")]
struct CurvaturePage;

/// Runs the examples of `docs/samples.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/samples.md")]
struct SamplesPage;

/// Runs the examples of `docs/networks.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/networks.md")]
struct NetworksPage;

/// Runs the examples of `docs/gpu.md` as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/gpu.md")]
struct GpuPage;
