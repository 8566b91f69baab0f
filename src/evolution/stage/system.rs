//! Systems with the matrix D − aJ of an implicit stage.

use std::sync::Arc;

use super::banded::BandedLu;
use super::dense::Lu;
use super::lanes::column;
use super::solver::{Solver, scale};
use super::structure::Structure;
use crate::linalg::{ReusedLu, Side};

/// Factors of D − aJ.
pub(in crate::evolution) struct System {
    structure: Arc<Structure>,
    factors: Factors,
    /// Factor of J.
    a: f64,
    /// Whether there are algebraic rows.
    algebraic: bool,
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
            Solver::Dense(_) => Factors::Dense(Lu::new(n)),
            Solver::Banded(banded) => Factors::Banded(BandedLu::new(n, banded.band)),
            Solver::Sparse(sparse) => {
                let lu = Box::new(ReusedLu::new(&sparse.plan));
                Factors::Sparse(lu, vec![0.0; sparse.len])
            }
        };
        Self {
            structure: Arc::clone(structure),
            factors,
            a: 1.0,
            algebraic: structure.moves.contains(&0.0),
        }
    }

    /// Returns about how many values the factors take.
    pub(in crate::evolution) fn len(&self) -> usize {
        let n = self.structure.moves.len();
        match self.structure.solver() {
            Solver::Dense(_) => n * n,
            Solver::Banded(banded) => n * (2 * banded.band.lower + banded.band.upper + 1),
            // With a fill of about ten.
            Solver::Sparse(sparse) => 10 * sparse.len,
        }
    }

    /// Factorises D − aJ, where `values` are those of J or of [J F]. Returns whether the matrix is regular. The factors of a
    /// singular matrix are of no use.
    pub(in crate::evolution) fn set(&mut self, a: f64, values: &[f64]) -> bool {
        self.a = a;
        let moves = &self.structure.moves;
        match (&mut self.factors, self.structure.solver()) {
            (Factors::Dense(lu), Solver::Dense(targets)) => lu.set(|storage| match targets {
                Some(targets) => targets.add(moves, (a, values), storage),
                None => add_dense(moves, (a, values), storage),
            }),
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
        if side == Side::Plain {
            self.divide(x);
        }
        self.solve_scaled(side, x);
        if side == Side::Transpose {
            self.divide(x);
        }
    }

    /// Divides the algebraic entries by a.
    //
    // The factors are those of S = R⁻¹(D − aJ), where R has a in its algebraic rows and 1 in all others. So (D − aJ)⁻¹ = S⁻¹R⁻¹,
    // and the transpose is R⁻¹S⁻ᵀ.
    fn divide<const L: usize>(&self, x: &mut [[f64; L]]) {
        if !self.algebraic {
            return;
        }
        for (x, moves) in x.iter_mut().zip(&self.structure.moves) {
            if *moves == 0.0 {
                x.iter_mut().for_each(|x| *x /= self.a);
            }
        }
    }

    fn solve_scaled<const L: usize>(&self, side: Side, x: &mut [[f64; L]]) {
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
        let Factors::Sparse(lu, _) = &self.factors else {
            return self.solve(side, column(x));
        };
        if side == Side::Plain {
            self.divide(column(x));
        }
        lu.solve_one(side, x);
        if side == Side::Transpose {
            self.divide(column(x));
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

/// Adds D − aJ by rows to a storage, with algebraic rows divided by a, where J has its columns one after the other.
fn add_dense(moves: &[f64], (a, values): (f64, &[f64]), storage: &mut [f64]) {
    let n = moves.len();
    for (column, values) in values.chunks_exact(n).take(n).enumerate() {
        let rows = storage.chunks_exact_mut(n).zip(moves);
        for ((row, moves), value) in rows.zip(values) {
            row[column] = -scale(*moves, a) * value;
        }
    }
    for (i, d) in moves.iter().enumerate() {
        storage[i * n + i] += d;
    }
}
