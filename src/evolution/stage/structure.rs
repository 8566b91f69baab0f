//! What all stages of the same dynamics have in common.

use std::sync::OnceLock;

use super::pattern::Columns;
use super::solver::Solver;
use crate::automatic::Entries;
use crate::error::Result;
use crate::evolution::dynamics::{Dynamics, Rate};

/// Largest number of components of which derivatives are always stored densely.
const SMALL: usize = 32;

/// Entries of [J F] and how they are stored, and the solver for D − aJ.
pub(in crate::evolution) struct Structure {
    /// 1 for a component with a rate, 0 for an algebraic one: the diagonal of D.
    pub(in crate::evolution) moves: Vec<f64>,
    /// Number of parameters of the dynamics.
    pub(super) parameters: usize,
    /// Entries of [J F] and those of J, unless both are stored densely.
    pub(super) entries: Option<[Entries; 2]>,
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
        let (n, p) = dynamics.dims();
        let moves = (0..n).map(|i| f64::from(u8::from(!dynamics.is_algebraic(i))));
        let moves = moves.collect();
        let entries = match n <= SMALL {
            true => None,
            false => Some(Entries::trace(&Rate { dynamics, t }, both)?),
        };
        Ok(Self::new(moves, p, entries))
    }

    /// Creates the structure of these entries, or of all entries.
    pub(super) fn new(moves: Vec<f64>, parameters: usize, entries: Option<Entries>) -> Self {
        let n = moves.len();
        let entries = entries.and_then(|entries| {
            let state = entries.first(n);
            let filled = |count: usize, columns: usize| 3 * count > n * columns;
            let dense = filled(state.columns().row_idx().len(), n)
                && filled(entries.columns().row_idx().len(), n + parameters);
            (!dense).then_some([entries, state])
        });
        Self {
            moves,
            parameters,
            entries,
            solver: OnceLock::new(),
        }
    }

    /// Returns the structure with more entries.
    pub(in crate::evolution) fn extended(&self, more: &Entries) -> Self {
        let entries = self.entries.as_ref().map(|[both, _]| both.union(more));
        Self::new(self.moves.clone(), self.parameters, entries)
    }

    /// Returns the number of values of J, or of [J F].
    pub(in crate::evolution) fn len(&self, part: Part) -> usize {
        let n = self.moves.len();
        match (&self.entries, part) {
            (None, Part::State) => n * n,
            (None, Part::Both) => n * (n + self.parameters),
            (Some([_, state]), Part::State) => state.columns().row_idx().len(),
            (Some([both, _]), Part::Both) => both.columns().row_idx().len(),
        }
    }

    /// Returns the entries of [J F] column by column, unless they are stored densely.
    pub(super) fn columns(&self) -> Option<&Columns> {
        let [both, _] = self.entries.as_ref()?;
        Some(both.columns())
    }

    /// Returns the solver for D − aJ, chosen at the first call.
    pub(super) fn solver(&self) -> &Solver {
        let state = self.entries.as_ref().map(|[_, state]| &**state.columns());
        self.solver.get_or_init(|| Solver::choose(state))
    }
}

/// Derivatives with respect to the state alone, or to state and parameters. The values of J are the first of those of [J F].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::evolution) enum Part {
    State,
    Both,
}
