//! LU without pivoting for sparse matrices of symmetric pattern whose diagonal dominates.

mod analysis;
mod front;
mod numeric;
mod solve;
mod symbolic;
mod tree;

pub(super) use symbolic::Symbolic;

use std::sync::Arc;

use faer::MatMut;
use faer::sparse::SparseColMatRef;

use self::front::Source;
use self::solve::Factors;
use super::checked::Direct;
use super::pool::Pool;
use super::sparse::Analyses;
use crate::error::Result;
use crate::operator::Side;

type Matrix<'a> = SparseColMatRef<'a, usize, f64>;

/// L and U of a matrix that is dominated by its diagonal column by column, or of its transpose.
pub(super) struct Multifrontal {
    symbolic: Arc<Symbolic>,
    values: Vec<f64>,
    /// What L U is equal to.
    side: Side,
    rooms: Pool<Room>,
}

/// Unknowns in the order of elimination, columns interleaved, and the rows below one node.
struct Room {
    x: Vec<f64>,
    below: Vec<f64>,
}

impl Multifrontal {
    /// Factorises A, or Aᵀ, of which the columns should be dominated by the diagonal; None if the pattern is not
    /// symmetric, or a pivot vanishes.
    pub(super) fn new(
        a: Matrix<'_>,
        side: Side,
        analyses: &Analyses<Option<Arc<Symbolic>>>,
        order: Option<&[usize]>,
    ) -> Result<Option<Self>> {
        let analyse = || Ok(Symbolic::new(a.symbolic(), order)?.map(Arc::new));
        let Some(symbolic) = (*analyses.of(a.symbolic(), analyse)?).clone() else {
            return Ok(None);
        };
        let source = Source {
            values: a.val(),
            side,
        };
        let values = numeric::factorise(&symbolic, source)?;
        Ok(values.map(|values| Self {
            symbolic,
            values,
            side,
            rooms: Pool::default(),
        }))
    }
}

impl Direct for Multifrontal {
    fn solve(&self, side: Side, mut batch: MatMut<'_, f64>) {
        let columns = batch.ncols();
        if columns == 0 {
            return;
        }
        let (n, below) = (batch.nrows(), self.symbolic.widest());
        let side = if side == self.side {
            Side::Plain
        } else {
            Side::Transpose
        };
        let factors = Factors {
            symbolic: &self.symbolic,
            values: &self.values,
        };
        let make = || Room {
            x: vec![0.0; n * columns],
            below: vec![0.0; below * columns],
        };
        self.rooms.with(
            |room| room.x.len() == n * columns,
            make,
            |Room { x, below }| {
                let order = &self.symbolic.order;
                for (x, &i) in x.chunks_mut(columns).zip(order) {
                    x.iter_mut()
                        .enumerate()
                        .for_each(|(j, x)| *x = batch[(i, j)]);
                }
                factors.solve(side, columns, x, below);
                for (x, &i) in x.chunks(columns).zip(order) {
                    x.iter().enumerate().for_each(|(j, x)| batch[(i, j)] = *x);
                }
            },
        );
    }
}
