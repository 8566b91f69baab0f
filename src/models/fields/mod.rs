//! Fields on a grid that evolve in time: partial differential equations as [`Dynamics`](crate::evolution::Dynamics).
//!
//! Space is divided into finite volumes, so that what leaves a cell enters its neighbour. [`Evolution`](crate::evolution::Evolution)
//! steps in time and makes a model of them, whose state holds the observed values at all times.
//!
//! ```
//! use pullback::Grid;
//! use pullback::evolution::{Evolution, Method};
//! use pullback::models::{End, fields::Heat};
//!
//! // A bar that is hot at its lower end, insulated at the other, and cold at first.
//! let grid = Grid::new(&[(0.0, 1.0, 20)])?;
//! let bar = Heat::new(&grid, vec![0.0; 20])?
//!     .fixed(0, End::Lower, 1.0)?
//!     .sensors(&[[0.25], [0.75]])?;
//! let model = Evolution::new(bar, vec![0.1, 10.0])?.method(Method::Implicit);
//! let seen = model.predict(&[0.0; 20])?; // ln of the conductivity of every cell
//! assert!(seen[seen.len() - 1] > 0.999, "at last the whole bar is hot");
//! # Ok::<(), pullback::Error>(())
//! ```
//!
//! | dynamics | equation | parameters |
//! |---|---|---|
//! | [`Heat`] | ẋ = ∇·(e^κ ∇x) + f | κ in every cell |
//! | [`AdvectionDiffusion`] | ẋ = −∇·(v x) + D Δx | x at the start in every cell |
//! | [`GrayScott`] | two species that diffuse and react | two diffusivities, feed, kill |
//! | [`FokkerPlanck`] | ρ̇ = −∇·(v(x; θ) ρ) + D Δρ | θ of the flow |
//!
//! Diffusion is stiff on fine grids: an explicit method takes steps of at most about h²/2dD in d dimensions. Use
//! [`Method::Implicit`](crate::evolution::Method::Implicit) unless the grid is coarse.

mod advection_diffusion;
mod fokker_planck;
mod gray_scott;
mod heat;
mod sensors;

pub use self::advection_diffusion::{AdvectionDiffusion, Scheme};
pub use self::fokker_planck::FokkerPlanck;
pub use self::gray_scott::GrayScott;
pub use self::heat::Heat;
