//! Systems with the matrix D − aJ of an implicit stage.

use std::sync::Arc;

use super::banded::BandedLu;
use super::dense::Lu;
use super::lanes::column;
use super::solver::Solver;
use super::structure::Structure;
use crate::linalg::{ReusedLu, Side};

/// Factors of D − aJ.
pub(in crate::evolution) struct System {
    structure: Arc<Structure>,
    factors: Factors,
}

enum Factors {
    Dense(Lu),
    Banded(BandedLu),
    /// With memory for the values of the matrix.
    Sparse(Box<ReusedLu>, Vec<f64>),
}

impl System {
    /// Creates the memory of factors that are still to be set.
    pub(in crate::evolution) fn new(structure: &Arc<Structure>) -> Self {
        let n = structure.moves.len();
        let factors = match structure.solver() {
            Solver::Dense => Factors::Dense(Lu::new(n)),
            Solver::Banded(banded) => Factors::Banded(BandedLu::new(n, banded.band)),
            Solver::Sparse(sparse) => {
                let lu = Box::new(ReusedLu::new(&sparse.plan));
                Factors::Sparse(lu, vec![0.0; sparse.len])
            }
        };
        Self {
            structure: Arc::clone(structure),
            factors,
        }
    }

    /// Factorises D − aJ, where `values` are those of J or of [J F]. Returns whether the matrix is regular. The factors of a
    /// singular matrix are of no use.
    pub(in crate::evolution) fn set(&mut self, a: f64, values: &[f64]) -> bool {
        let moves = &self.structure.moves;
        match (&mut self.factors, self.structure.solver()) {
            (Factors::Dense(lu), Solver::Dense) => {
                lu.set(moves, a, &values[..moves.len() * moves.len()])
            }
            (Factors::Banded(lu), Solver::Banded(banded)) => {
                lu.set(|storage| banded.targets.add(moves, (a, values), storage))
            }
            (Factors::Sparse(lu, storage), Solver::Sparse(sparse)) => {
                storage.fill(0.0);
                sparse.targets.add(moves, (a, values), storage);
                lu.set(storage)
            }
            _ => false,
        }
    }

    /// Solves with D − aJ or its transpose.
    pub(in crate::evolution) fn solve<const L: usize>(&self, side: Side, x: &mut [[f64; L]]) {
        match &self.factors {
            Factors::Dense(lu) => lu.solve(side, x),
            Factors::Banded(lu) => match self.order() {
                None => lu.solve(side, x),
                Some(order) => {
                    let mut moved = vec![[0.0; L]; x.len()];
                    for (x, &place) in x.iter().zip(order) {
                        moved[place] = *x;
                    }
                    lu.solve(side, &mut moved);
                    for (x, &place) in x.iter_mut().zip(order) {
                        *x = moved[place];
                    }
                }
            },
            Factors::Sparse(lu, _) => lu.solve(side, x),
        }
    }

    /// Solves for one column, in less time than [`solve`](Self::solve). The last bits may differ from those of several columns.
    pub(in crate::evolution) fn solve_one(&self, side: Side, x: &mut [f64]) {
        match &self.factors {
            Factors::Sparse(lu, _) => lu.solve_one(side, x),
            _ => self.solve(side, column(x)),
        }
    }

    /// Returns the place of every row and column in a band, unless they keep theirs.
    fn order(&self) -> Option<&[usize]> {
        match self.structure.solver() {
            Solver::Banded(banded) => banded.order.as_deref(),
            _ => None,
        }
    }
}
