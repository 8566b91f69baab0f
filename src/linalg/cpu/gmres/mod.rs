//! Restarted GMRES for operators known by their products (Saad & Schultz 1986).

mod rotations;

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{ColMut, ColRef, MatMut, MatRef};
use rayon::prelude::*;

use self::rotations::RotatedColumns;
use crate::error::{Error, Result};
use crate::linalg::memory::Account;
use crate::linalg::operator::{Operator, Side};
use crate::linalg::pool::{Pool, at_once};
use crate::linalg::{Factor, Method, SolveStats, check_batch, check_guess};
use crate::vector::{dot, norm};

/// Basis vectors between restarts.
const RESTART: usize = 60;

pub(crate) struct Gmres<'a> {
    pub(crate) operator: Operator<'a>,
    pub(crate) tolerance: f64,
    pub(crate) products: usize,
    pub(crate) rooms: Pool<Room>,
    pub(crate) account: Account,
}

/// Room for one column.
pub(crate) struct Room {
    b: Vec<f64>,
    x: Vec<f64>,
    r: Vec<f64>,
    /// Vectors of the Krylov space one after another, and one for the product with the last.
    basis: Vec<f64>,
    least: RotatedColumns,
}

impl Room {
    /// The system takes the pages of zeros only when something is written there, so that columns which converge
    /// early cost little.
    fn new(rows: usize) -> Self {
        let zeros = |n: usize| vec![0.0; n];
        Self {
            b: zeros(rows),
            x: zeros(rows),
            r: zeros(rows),
            basis: zeros(rows * (RESTART + 1)),
            least: RotatedColumns::new(RESTART),
        }
    }
}

impl Factor for Gmres<'_> {
    fn solve(
        &self,
        side: Side,
        guess: Option<MatRef<'_, f64>>,
        mut batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.operator.nrows())?;
        check_guess(guess, batch.rb())?;
        let solve = |(j, column): (usize, MatMut<'_, f64>)| {
            let guess = guess.map(|guess| guess.col(j));
            self.solve_column(side, guess, column.col_mut(0))
        };
        let stats = if self.reserve(batch.ncols()).is_ok() {
            let columns = batch.par_col_chunks_mut(1).enumerate();
            columns
                .map(solve)
                .try_reduce(SolveStats::default, |a, b| Ok(a.worst(b)))
        } else {
            // One after another, so that what fits does not depend on the number of threads.
            (0..batch.ncols()).try_fold(SolveStats::default(), |all, j| {
                Ok(all.worst(solve((j, batch.rb_mut().subcols_mut(j, 1)))?))
            })
        };
        stats.map(|stats| stats.by(Method::Gmres))
    }
}

impl Gmres<'_> {
    fn solve_column(
        &self,
        side: Side,
        near: Option<ColRef<'_, f64>>,
        column: ColMut<'_, f64>,
    ) -> Result<SolveStats> {
        let rows = self.operator.nrows();
        let make = || self.make_room();
        self.rooms.try_with(
            |room: &Room| room.b.len() == rows,
            make,
            |room| self.solve_in(room, side, near, column),
        )
    }

    fn solve_in(
        &self,
        room: &mut Room,
        side: Side,
        near: Option<ColRef<'_, f64>>,
        mut column: ColMut<'_, f64>,
    ) -> Result<SolveStats> {
        for (b, c) in room.b.iter_mut().zip(column.rb().iter()) {
            *b = *c;
        }
        self.start(side, room, near);
        let norm_b = norm(&room.b);
        let (mut spent, mut last) = (0, f64::INFINITY);
        // A residual that is NaN is not small either.
        while !small(&room.r, self.tolerance * norm_b) {
            // A whole cycle that hardly helps will not be followed by one that does.
            if spent >= self.products || !small(&room.r, 0.99 * last) {
                return Err(Error::Stagnation {
                    solver: "GMRES",
                    iterations: spent,
                    residual: norm(&room.r) / norm_b,
                });
            }
            last = norm(&room.r);
            spent += self.cycle(side, room, self.tolerance * norm_b);
            self.residual(side, room);
        }
        let answer = column.rb_mut().iter_mut().zip(&room.x);
        answer.for_each(|(c, x)| *c = *x);
        let relative = if norm_b > 0.0 {
            norm(&room.r) / norm_b
        } else {
            0.0
        };
        Ok(SolveStats {
            residual: relative,
            amplification: 0.0,
            iterations: spent,
            ..SolveStats::default()
        })
    }

    /// Where the iteration starts, and its residual there: at zero where what is near is no better than that.
    fn start(&self, side: Side, room: &mut Room, near: Option<ColRef<'_, f64>>) {
        if let Some(near) = near {
            room.x
                .iter_mut()
                .zip(near.iter())
                .for_each(|(x, n)| *x = *n);
            self.residual(side, room);
            if norm(&room.r) < norm(&room.b) {
                return;
            }
        }
        room.x.fill(0.0);
        room.r.copy_from_slice(&room.b);
    }

    /// r ← b − A x.
    fn residual(&self, side: Side, room: &mut Room) {
        self.product(side, &room.x, &mut room.r);
        for (r, b) in room.r.iter_mut().zip(&room.b) {
            *r = b - *r;
        }
    }

    fn make_room(&self) -> Result<Room> {
        let rows = self.operator.nrows();
        let bytes = rows * (RESTART + 4) * size_of::<f64>();
        self.account.take("GMRES", rows, bytes)?;
        Ok(Room::new(rows))
    }

    /// Makes room for as many columns as are solved at once.
    fn reserve(&self, columns: usize) -> Result<()> {
        let make = || self.make_room();
        self.rooms.reserve(at_once(columns), |_| true, make)
    }

    /// One Arnoldi cycle: x += the correction that minimises ‖r − A·‖ over the Krylov space.
    fn cycle(&self, side: Side, room: &mut Room, enough: f64) -> usize {
        let Room {
            x, r, basis, least, ..
        } = room;
        let (beta, rows) = (norm(r), r.len());
        least.begin(beta);
        let scaled = |(v, r): (&mut f64, &f64)| *v = r * (1.0 / beta);
        basis.iter_mut().zip(&*r).for_each(scaled);
        while least.len() < RESTART && least.residual() > enough {
            let (known, rest) = basis.split_at_mut((least.len() + 1) * rows);
            let w = &mut rest[..rows];
            self.product(side, &known[known.len() - rows..], w);
            let h = least.column();
            for (v, h) in known.chunks_exact(rows).zip(&mut *h) {
                let c = dot(v, w);
                w.iter_mut().zip(v).for_each(|(w, v)| *w -= c * v);
                *h = c;
            }
            let next = norm(w);
            h[known.len() / rows] = next;
            least.rotate();
            if next <= f64::EPSILON * beta {
                break;
            }
            w.iter_mut().for_each(|w| *w *= 1.0 / next);
        }
        let y = least.solve();
        for (v, y) in basis.chunks_exact(rows).zip(y) {
            x.iter_mut().zip(v).for_each(|(x, v)| *x += y * v);
        }
        y.len()
    }

    fn product(&self, side: Side, x: &[f64], out: &mut [f64]) {
        let rows = x.len();
        self.operator.apply_into(
            side,
            MatRef::from_column_major_slice(x, rows, 1),
            MatMut::from_column_major_slice_mut(out, rows, 1),
        );
    }
}

/// False for NaN.
fn small(r: &[f64], bound: f64) -> bool {
    norm(r) <= bound
}
