//! A stencil in the precision of a preconditioner, and the pieces of its cycles, line by line.

use std::sync::Arc;

use crate::linalg::operator::{Line, ReadRows, Real, Rows, Side, Stencil};

/// Which end every axis is swept from: true for the upper one.
pub(crate) type Corner = [bool; 3];

/// The coefficients of a stencil, without its gauge, and the reciprocals that sweeps divide by.
pub(crate) struct Level<T> {
    coefficients: Coefficients<T>,
    inverse: Vec<T>,
}

/// Those of the stencil itself, or rounded ones.
enum Coefficients<T> {
    Shared(Arc<Stencil>, ReadRows<T>),
    Own {
        shape: [usize; 3],
        centre: Vec<T>,
        up: [Vec<T>; 3],
        down: [Vec<T>; 3],
    },
}

impl<T: Real> Level<T> {
    /// The stencil times `unit`, with the reciprocals of a diagonal, 0 for cells that are to be left alone. What need not
    /// be multiplied or rounded is not copied.
    pub(crate) fn new(stencil: &Arc<Stencil>, inverse: &[f64], unit: f64) -> Self {
        Self {
            coefficients: match T::ROWS.filter(|_| unit == 1.0) {
                Some(rows) => Coefficients::Shared(Arc::clone(stencil), rows),
                None => Coefficients::times(stencil, unit),
            },
            inverse: times(unit.recip(), inverse),
        }
    }

    pub(super) fn cells(&self) -> usize {
        self.inverse.len()
    }

    pub(crate) fn rows(&self, side: Side) -> Rows<'_, T> {
        match &self.coefficients {
            Coefficients::Own {
                shape,
                centre,
                up,
                down,
            } => {
                let [up, down] = [up, down].map(|a| a.each_ref().map(Vec::as_slice));
                let (lower, upper) = match side {
                    Side::Plain => (up, down),
                    Side::Transpose => (down, up),
                };
                Rows {
                    shape: *shape,
                    centre,
                    lower,
                    upper,
                }
            }
            Coefficients::Shared(stencil, rows) => rows(stencil, side),
        }
    }

    /// Gauss-Seidel along a line: in turn, xᵢ ← (bᵢ − Σ aᵢⱼ xⱼ)/dᵢ. `row` has room for a line.
    #[inline(always)]
    pub(super) fn relax<const W: usize, const N: usize>(
        &self,
        (rows, line, descending): (Rows<'_, T>, Line, bool),
        b: &[[T; W]],
        x: &mut [[T; W]],
        row: &mut [[T; W]],
    ) {
        let n = line.len;
        let (before, rest) = x.split_at_mut(line.start);
        let (x, after) = rest.split_at_mut(n);
        let b = &b[line.cells()][..n];
        let beside = rows.beside::<N>(line).map(|(c, start)| {
            let cells = if start < line.start {
                &before[start..]
            } else if start > line.start {
                &after[start - line.start - n..]
            } else {
                // There is no such line, and the coefficients are zero.
                b
            };
            (c, &cells[..n])
        });
        let (lower, upper) = rows.along(line);
        let (lower, upper, row) = (&lower[..n], &upper[..n], &mut row[..n]);
        for k in 0..n {
            let mut sum = b[k];
            for (c, x) in &beside {
                subtract(&mut sum, c[k], &x[k]);
            }
            if descending && k > 0 {
                subtract(&mut sum, lower[k - 1], &x[k - 1]);
            }
            if !descending && k + 1 < n {
                subtract(&mut sum, upper[k], &x[k + 1]);
            }
            row[k] = sum;
        }
        self.recur((rows, line, descending), row, x);
    }

    /// Along a line, in order: x ← (row − what couples to the cell before)/d.
    #[inline(always)]
    pub(super) fn recur<const W: usize>(
        &self,
        (rows, line, descending): (Rows<'_, T>, Line, bool),
        row: &[[T; W]],
        x: &mut [[T; W]],
    ) {
        let n = line.len;
        let (lower, upper) = rows.along(line);
        let inverse = &self.inverse[line.cells()][..n];
        let (lower, upper, row, x) = (&lower[..n], &upper[..n], &row[..n], &mut x[..n]);
        let mut last = [T::ZERO; W];
        for step in 0..n {
            // The first cell of the line has nothing before it: its `last` is zero.
            let (k, c) = if descending {
                (n - 1 - step, upper[n - 1 - step])
            } else {
                (step, lower[step.saturating_sub(1)])
            };
            for l in 0..W {
                last[l] = (row[k][l] - c * last[l]) * inverse[k];
            }
            x[k] = last;
        }
    }

    /// Along a line, from its end: x ← x + (row − what couples to the cell after)/d.
    #[inline(always)]
    pub(super) fn recur_onto<const W: usize>(
        &self,
        (rows, line): (Rows<'_, T>, Line),
        row: &[[T; W]],
        x: &mut [[T; W]],
    ) {
        let n = line.len;
        let (_, upper) = rows.along(line);
        let inverse = &self.inverse[line.cells()][..n];
        let (upper, row, x) = (&upper[..n], &row[..n], &mut x[..n]);
        let mut last = [T::ZERO; W];
        for k in (0..n).rev() {
            for l in 0..W {
                last[l] = x[k][l] + (row[k][l] - upper[k] * last[l]) * inverse[k];
            }
            x[k] = last;
        }
    }
}

impl<T: Real> Coefficients<T> {
    /// Those of a stencil times `unit`, rounded.
    fn times(stencil: &Stencil, unit: f64) -> Self {
        let rows = stencil.rows(Side::Plain);
        let couplings = |arrays: [&[f64]; 3]| arrays.map(|a| times(unit, a));
        Self::Own {
            shape: rows.shape,
            centre: times(unit, rows.centre),
            up: couplings(rows.lower),
            down: couplings(rows.upper),
        }
    }
}

fn times<T: Real>(s: f64, numbers: &[f64]) -> Vec<T> {
    numbers.iter().map(|x| T::nearest(s * x)).collect()
}

/// sum ← sum − c x.
#[inline(always)]
pub(super) fn subtract<T: Real, const W: usize>(sum: &mut [T; W], c: T, x: &[T; W]) {
    for l in 0..W {
        sum[l] = sum[l] - c * x[l];
    }
}

/// 1/d, and 0 where the diagonal is 0: sweeps leave such cells alone.
pub(crate) fn reciprocals(stencil: &Stencil) -> Vec<f64> {
    let inverse = |d: &f64| if d.is_normal() { d.recip() } else { 0.0 };
    stencil.diagonal().iter().map(inverse).collect()
}
