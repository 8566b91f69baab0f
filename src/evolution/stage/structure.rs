//! What all stages of the same dynamics have in common.

use std::sync::{Arc, OnceLock};

use super::shape::Shape;
use super::solver::Solver;
use crate::automatic::Entries;
use crate::error::Result;
use crate::evolution::dynamics::{At, Dynamics, Function, moves};

/// Largest number of components of which derivatives are always stored densely.
const SMALL: usize = 32;

/// Entries of [J F] and how they are stored, and the solver for D − aJ.
pub(in crate::evolution) struct Structure {
    /// 1 for a component with a rate, 0 for an algebraic one: the diagonal of D.
    pub(in crate::evolution) moves: Vec<f64>,
    /// Entries of [J F].
    pub(super) both: Arc<Shape>,
    /// Entries of J.
    pub(super) state: Shape,
    solver: OnceLock<Solver>,
}

impl Structure {
    /// Finds the structure at a point.
    ///
    /// # Errors
    /// Fails if the rate does not write all entries, or is not a function of x and θ alone.
    pub(in crate::evolution) fn find<D: Dynamics>(
        dynamics: &D,
        t: f64,
        both: &[f64],
    ) -> Result<Self> {
        let n = dynamics.dims().0;
        let function = Function::Rate(t);
        let shape = match n <= SMALL {
            true => Shape::full(n, both.len()),
            false => Shape::of(Entries::trace(&At { dynamics, function }, both)?),
        };
        Ok(Self::new(moves(dynamics), shape))
    }

    /// Creates the structure of the entries of [J F].
    pub(super) fn new(moves: Vec<f64>, both: Shape) -> Self {
        let n = moves.len();
        let state = both.first(n);
        let (both, state) = match both.is_crowded() && state.is_crowded() {
            true => (Shape::full(n, both.dims().1), Shape::full(n, n)),
            false => (both, state),
        };
        Self {
            moves,
            both: Arc::new(both),
            state,
            solver: OnceLock::new(),
        }
    }

    /// Returns the structure with more entries.
    pub(in crate::evolution) fn extended(&self, more: &Entries) -> Self {
        let both = match self.both.entries() {
            Some(entries) => Shape::of(entries.union(more)),
            None => Shape::clone(&self.both),
        };
        Self::new(self.moves.clone(), both)
    }

    /// Returns the entries of [J F].
    pub(in crate::evolution) fn both(&self) -> &Arc<Shape> {
        &self.both
    }

    /// Returns the entries of J. Their values are the first of those of [J F].
    pub(in crate::evolution) fn state(&self) -> &Shape {
        &self.state
    }

    /// Returns the solver for D − aJ, chosen at the first call.
    pub(super) fn solver(&self) -> &Solver {
        self.solver
            .get_or_init(|| Solver::choose(self.state.pattern()))
    }
}
