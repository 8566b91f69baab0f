//! Restarted GMRES for operators known by their products (Saad & Schultz 1986).

use faer::prelude::{Reborrow, ReborrowMut};
use faer::{ColMut, ColRef, MatMut, MatRef};
use rayon::prelude::*;

use super::{Factor, SolveStats, check_batch, check_near};
use crate::error::{Error, Result};
use crate::operator::{Operator, Side};
use crate::vector::{dot, norm};

/// Basis vectors between restarts.
const RESTART: usize = 60;

pub(super) struct Gmres<'a> {
    pub(super) operator: Operator<'a>,
    pub(super) tolerance: f64,
    pub(super) products: usize,
}

impl Factor for Gmres<'_> {
    fn solve(&self, side: Side, batch: MatMut<'_, f64>) -> Result<SolveStats> {
        check_batch(batch.rb(), self.operator.nrows())?;
        batch
            .par_col_chunks_mut(1)
            .map(|column| self.solve_column(side, None, column.col_mut(0)))
            .try_reduce(SolveStats::default, |a, b| Ok(a.worst(b)))
    }

    fn solve_from(
        &self,
        side: Side,
        near: MatRef<'_, f64>,
        batch: MatMut<'_, f64>,
    ) -> Result<SolveStats> {
        check_batch(batch.rb(), self.operator.nrows())?;
        check_near(near, batch.rb())?;
        batch
            .par_col_chunks_mut(1)
            .zip(near.par_col_chunks(1))
            .map(|(column, near)| self.solve_column(side, Some(near.col(0)), column.col_mut(0)))
            .try_reduce(SolveStats::default, |a, b| Ok(a.worst(b)))
    }
}

impl Gmres<'_> {
    fn solve_column(
        &self,
        side: Side,
        near: Option<ColRef<'_, f64>>,
        mut column: ColMut<'_, f64>,
    ) -> Result<SolveStats> {
        let b: Vec<f64> = column.rb().iter().copied().collect();
        let norm_b = norm(&b);
        let (mut x, mut r) = self.start(side, near, &b);
        let (mut spent, mut last) = (0, f64::INFINITY);
        // A residual that is NaN is not small either.
        while !small(&r, self.tolerance * norm_b) {
            // A whole cycle that hardly helps will not be followed by one that does.
            if spent >= self.products || !small(&r, 0.99 * last) {
                return Err(Error::Stagnation {
                    solver: "GMRES",
                    iterations: spent,
                    residual: norm(&r) / norm_b,
                });
            }
            last = norm(&r);
            spent += self.cycle(side, &mut x, &r, self.tolerance * norm_b);
            r = self.residual(side, &x, &b);
        }
        column
            .rb_mut()
            .iter_mut()
            .zip(&x)
            .for_each(|(c, x)| *c = *x);
        let relative = if norm_b > 0.0 { norm(&r) / norm_b } else { 0.0 };
        Ok(SolveStats {
            residual: relative,
            amplification: 0.0,
            iterations: spent,
        })
    }

    /// Where the iteration starts, and its residual there: at zero where what is near is no better than that.
    fn start(&self, side: Side, near: Option<ColRef<'_, f64>>, b: &[f64]) -> (Vec<f64>, Vec<f64>) {
        if let Some(near) = near {
            let x: Vec<f64> = near.iter().copied().collect();
            let r = self.residual(side, &x, b);
            if norm(&r) < norm(b) {
                return (x, r);
            }
        }
        (vec![0.0; b.len()], b.to_vec())
    }

    /// b − A x.
    fn residual(&self, side: Side, x: &[f64], b: &[f64]) -> Vec<f64> {
        let ax = self.product(side, x);
        b.iter().zip(&ax).map(|(b, a)| b - a).collect()
    }

    /// One Arnoldi cycle: x += the correction that minimises ‖r − A·‖ over the Krylov space.
    fn cycle(&self, side: Side, x: &mut [f64], r: &[f64], enough: f64) -> usize {
        let beta = norm(r);
        let mut basis = vec![scaled(r, 1.0 / beta)];
        let mut least = RotatedColumns::new(beta);
        while basis.len() <= RESTART && least.residual() > enough {
            let mut w = self.product(side, &basis[basis.len() - 1]);
            let mut h: Vec<f64> = Vec::with_capacity(basis.len() + 1);
            for v in &basis {
                let c = dot(v, &w);
                w.iter_mut().zip(v).for_each(|(w, v)| *w -= c * v);
                h.push(c);
            }
            let next = norm(&w);
            h.push(next);
            least.push(h);
            if next <= f64::EPSILON * beta {
                break;
            }
            basis.push(scaled(&w, 1.0 / next));
        }
        let y = least.solve();
        for (v, y) in basis.iter().zip(&y) {
            x.iter_mut().zip(v).for_each(|(x, v)| *x += y * v);
        }
        y.len()
    }

    fn product(&self, side: Side, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; x.len()];
        let rows = x.len();
        self.operator.apply_into(
            side,
            MatRef::from_column_major_slice(x, rows, 1),
            MatMut::from_column_major_slice_mut(&mut out, rows, 1),
        );
        out
    }
}

/// The Hessenberg matrix, kept triangular by Givens rotations.
struct RotatedColumns {
    columns: Vec<Vec<f64>>,
    rotations: Vec<(f64, f64)>,
    rhs: Vec<f64>,
}

impl RotatedColumns {
    fn new(beta: f64) -> Self {
        Self {
            columns: Vec::new(),
            rotations: Vec::new(),
            rhs: vec![beta],
        }
    }

    fn residual(&self) -> f64 {
        self.rhs[self.columns.len()].abs()
    }

    fn push(&mut self, mut h: Vec<f64>) {
        let j = self.columns.len();
        for (i, (c, s)) in self.rotations.iter().enumerate() {
            (h[i], h[i + 1]) = (c * h[i] + s * h[i + 1], c * h[i + 1] - s * h[i]);
        }
        let length = h[j].hypot(h[j + 1]);
        let (c, s) = if length > 0.0 {
            (h[j] / length, h[j + 1] / length)
        } else {
            (1.0, 0.0)
        };
        h[j] = length;
        self.rhs.push(-s * self.rhs[j]);
        self.rhs[j] *= c;
        self.rotations.push((c, s));
        self.columns.push(h);
    }

    fn solve(&self) -> Vec<f64> {
        let mut y = self.rhs[..self.columns.len()].to_vec();
        for j in (0..y.len()).rev() {
            // A zero pivot leaves that direction out; the residual check then reports it.
            y[j] = if self.columns[j][j] == 0.0 {
                0.0
            } else {
                y[j] / self.columns[j][j]
            };
            for i in 0..j {
                y[i] -= self.columns[j][i] * y[j];
            }
        }
        y
    }
}

/// False for NaN.
fn small(r: &[f64], bound: f64) -> bool {
    norm(r) <= bound
}

fn scaled(a: &[f64], factor: f64) -> Vec<f64> {
    a.iter().map(|a| a * factor).collect()
}
