//! Checks of derivatives, solves, losses and metrics. Run them first on every new model.
//!
//! Every check compares a *claim* (a Jacobian, a gradient, a transpose, a metric) with an independent quantity: finite
//! differences of the function itself, or the other side of an identity. Directions are random but seeded, so that a
//! failure can be reproduced. Nothing is perturbed in place, and a NaN never passes.
//!
//! Differences are central, over the range of steps [`STEPS`]. Their error decreases like h² until rounding dominates.
//! The smallest error of a scan, its plateau, is compared with the tolerance. The error of every step includes the
//! possible rounding error ε|F|/h, so that no claim passes because its error is hidden by rounding.
//!
//! | function | compares |
//! |---|---|
//! | [`model`] | ∂g/∂ρ, ∂g/∂θ, their transposes, the solved state, the inverse, Z = ∂ρ/∂θ and Zᵀ |
//! | [`loss`] | ∂f/∂ρ with differences of f |
//! | [`matching`] | the metric of a loss with its Hessian at a ρ that matches the data |
//! | [`metric`] | L, Lᵀ, M, Π and dual(·) with each other |
//! | [`gradient`] | the gradient of θ ↦ f(ρ(θ)) by one adjoint solve with differences of f(ρ(θ)), in a Taylor test |
//!
//! A check that builds on a failed check is skipped, so that a failure points to its cause.
//!
//! ```
//! use pullback::{Grid, models::{GaussianMixture, Parameter}, verify};
//! let mixture = GaussianMixture::new(&Grid::new(&[(-5.0, 5.0, 40)])?)
//!     .component(1.0, &[0.0], 1.0)
//!     .free(&[Parameter::Mean(0, 0)])?;
//! let checks = verify::model(&mixture, &[0.3], 1)?;
//! assert!(checks.passed(), "{checks}");
//! # Ok::<(), pullback::Error>(())
//! ```

mod gradient;
mod loss;
mod matching;
mod metric;
mod model;
mod probe;
mod report;
mod scan;
mod second;
mod subject;
mod taylor;
#[cfg(test)]
mod tests;

pub use self::gradient::gradient;
pub use self::loss::loss;
pub use self::matching::matching;
pub use self::metric::metric;
pub use self::model::model;
pub use self::report::{Check, Outcome, Trial, Verification};

/// Steps h of a scan, relative to the size of the perturbed quantity.
pub const STEPS: [f64; 10] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10];

/// Tolerance of the plateau of a scan: a relative error of 10⁻⁶.
///
/// Central differences of a smooth function reach 10⁻⁹ to 10⁻¹¹ in double precision. The tolerance leaves three digits
/// for stiff or badly scaled functions. A tolerance of 10⁻⁶ still detects a single entry that is wrong by 1 % in a row
/// of a million entries, unless the state is almost zero at that entry.
pub const PLATEAU: f64 = 1e-6;

/// Tolerance of the plateau of a scan of a solved state ρ(θ): a relative error of 10⁻⁵.
///
/// The accuracy η of the solver limits the differences. The error η/h + h² of a central difference is smallest for
/// h ≈ η^⅓, where it is about η^⅔.
pub const SOLVED_PLATEAU: f64 = 1e-5;

/// Tolerance of an identity between products, such as ⟨Av, w⟩ = ⟨v, Aᵀw⟩: a relative error of 10⁻¹⁰.
pub const IDENTITY: f64 = 1e-10;

/// Tolerance of an identity that involves the solution of a linear or nonlinear system: a relative error of 10⁻⁸.
pub const SOLVED: f64 = 1e-8;

/// Tolerance of the order in a Taylor test: the observed order may be smaller than the expected one by 0.2.
pub const ORDER: f64 = 0.2;
