//! Linear algebra of the stages of steps.
//!
//! A stage has the derivatives [J F] = [∂f/∂x ∂f/∂θ] of the rate, and an implicit one the matrix D − aJ, where D is the diagonal
//! of ones for components with a rate and of zeros for algebraic ones. [`Structure`] holds what all stages have in common: the
//! entries of [J F], and the solver that suits them. [`Derivatives`] evaluates the entries, [`System`] solves with D − aJ.
//!
//! Columns are treated L at a time: entry i of L columns is one `[f64; L]`. The bits of a column do not depend on L.

mod banded;
mod dense;
mod derivatives;
mod lanes;
mod pattern;
mod products;
mod shape;
mod solver;
mod structure;
mod system;
#[cfg(test)]
mod tests;

pub(super) use self::derivatives::Derivatives;
pub(super) use self::lanes::{add_slopes, combine, distribute};
pub(super) use self::shape::Shape;
pub(super) use self::structure::Structure;
pub(super) use self::system::System;
