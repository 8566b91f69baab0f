//! Checks of derivatives, solves, losses and geometries: the first thing to run on a model of one's own.
//!
//! Every check compares a *claim* (a Jacobian, a gradient, a transpose, a metric) with something that does not
//! know of it: differences of the function itself, or the other side of an identity. Directions are random but
//! seeded, so a failure repeats. Differences are central and scanned over the steps [`STEPS`]: their error falls
//! like h² until rounding takes over, and the smallest error met on the way, the plateau, is what is judged.
//! A step that rounding alone could decide is charged for it, ε|F|/h, so that no claim passes by drowning.
//! Nothing is perturbed in place, and a NaN never passes.
//!
//! | function | compares |
//! |---|---|
//! | [`model`] | ∂g/∂ρ, ∂g/∂θ, their transposes, the solved state, the inverse, Z = ∂ρ/∂θ and Zᵀ |
//! | [`loss`] | ∂f/∂ρ with differences of f |
//! | [`matching`] | the metric a loss names with its Hessian at the match |
//! | [`metric`] | L, Lᵀ, M, Π and dual(·) with each other |
//! | [`gradient`] | the whole chain, ∇f(ρ(θ)) by one adjoint solve, in a Taylor test |
//!
//! A check that can only repeat an earlier failure is skipped, so that what fails is what is wrong.
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
mod subject;
mod taylor;
#[cfg(test)]
mod tests;

pub use self::gradient::gradient;
pub use self::loss::loss;
pub use self::matching::matching;
pub use self::metric::metric;
pub use self::model::model;
pub use self::report::{Check, Outcome, Verification};
pub use self::scan::Trial;

/// The steps of a scan, relative to the size of what is perturbed.
pub const STEPS: [f64; 10] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10];

/// The relative error that some step of a scan must reach: 10⁻⁶.
///
/// Central differences of a smooth function reach 10⁻⁹ to 10⁻¹¹ in double precision. This leaves three digits
/// for stiff or badly scaled functions, while one entry wrong by 1 % in a row of a million still shows, unless the
/// state is next to empty there.
pub const PLATEAU: f64 = 1e-6;

/// The same where F is a solved state ρ(θ), whose last digits the solver decides: 10⁻⁵.
///
/// A state good to η lets differences reach about η^⅔.
pub const SOLVED_PLATEAU: f64 = 1e-5;

/// The relative error allowed in an identity between products, such as ⟨Av, w⟩ = ⟨v, Aᵀw⟩: 10⁻¹⁰.
pub const IDENTITY: f64 = 1e-10;

/// The relative error allowed where linear or nonlinear systems are solved on the way: 10⁻⁸.
pub const SOLVED: f64 = 1e-8;

/// By how much an observed order of a Taylor test may fall short: 0.2.
pub const ORDER: f64 = 0.2;
