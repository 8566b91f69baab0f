//! What all stages of the same dynamics have in common.

use std::sync::OnceLock;

use super::shape::Shape;
use super::solver::Solver;
use crate::automatic::Entries;
use crate::error::Result;
use crate::evolution::dynamics::{At, Dynamics, Function};

/// Largest number of components of which derivatives are always stored densely.
const SMALL: usize = 32;

/// Entries of [J F] and how they are stored, and the solver for D − aJ.
pub(in crate::evolution) struct Structure {
    /// 1 for a component with a rate, 0 for an algebraic one: the diagonal of D.
    pub(in crate::evolution) moves: Vec<f64>,
    /// Entries of [J F].
    pub(super) both: Shape,
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
        let moves = (0..n).map(|i| f64::from(u8::from(!dynamics.is_algebraic(i))));
        let function = Function::Rate(t);
        let shape = match n <= SMALL {
            true => Shape::full(n, both.len()),
            false => Shape::of(Entries::trace(&At { dynamics, function }, both)?),
        };
        Ok(Self::new(moves.collect(), shape))
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
            both,
            state,
            solver: OnceLock::new(),
        }
    }

    /// Returns the structure with more entries.
    pub(in crate::evolution) fn extended(&self, more: &Entries) -> Self {
        let both = match self.both.entries() {
            Some(entries) => Shape::of(entries.union(more)),
            None => self.both.clone(),
        };
        Self::new(self.moves.clone(), both)
    }

    /// Returns the entries of J, or of [J F].
    pub(in crate::evolution) fn shape(&self, part: Part) -> &Shape {
        match part {
            Part::State => &self.state,
            Part::Both => &self.both,
        }
    }

    /// Returns the solver for D − aJ, chosen at the first call.
    pub(super) fn solver(&self) -> &Solver {
        self.solver
            .get_or_init(|| Solver::choose(self.state.pattern()))
    }
}

/// Derivatives with respect to the state alone, or to state and parameters. The values of J are the first of those of [J F].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::evolution) enum Part {
    State,
    Both,
}

/// Products with J = ∂f/∂x and F = ∂f/∂θ.
impl Structure {
    /// Adds a J x to `out`.
    pub(in crate::evolution) fn add_state<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        x: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        let n = self.moves.len();
        self.both.add(0..n, (values, a), x, out);
    }

    /// Adds a Jᵀ w to `out`.
    pub(in crate::evolution) fn add_state_transposed<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        w: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        let n = self.moves.len();
        self.both.add_transposed(0..n, (values, a), w, out);
    }

    /// Adds a F v to `out`.
    pub(in crate::evolution) fn add_parameters<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        v: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        let n = self.moves.len();
        self.both.add(n..self.both.dims().1, (values, a), v, out);
    }

    /// Adds a Fᵀ w to `out`.
    pub(in crate::evolution) fn add_parameters_transposed<const L: usize>(
        &self,
        values: &[f64],
        a: f64,
        w: &[[f64; L]],
        out: &mut [[f64; L]],
    ) {
        let n = self.moves.len();
        self.both
            .add_transposed(n..self.both.dims().1, (values, a), w, out);
    }
}
