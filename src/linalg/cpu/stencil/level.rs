//! Stencil in the precision of a preconditioner, and the kernels of sweeps on one line of cells.

use std::mem::take;
use std::sync::Arc;

use super::window::Window;
use crate::linalg::operator::{LONG, Line, Pieces, ReadRows, Real, Rows, Side, Stencil};

/// Gauss-Seidel sweep along one line of cells for A or Aᵀ, from its first cell or, if `descending`, from its last.
#[derive(Clone, Copy)]
pub(super) struct LineSweep<'r, T> {
    pub(super) rows: Rows<'r, T>,
    pub(super) line: Line,
    pub(super) descending: bool,
}

impl<T: Real> LineSweep<'_, T> {
    /// Computes row ← b − Σ aᵢⱼ xⱼ over all cells j but the cell itself and its previous one.
    #[inline(always)]
    fn gather<const W: usize, const N: usize>(
        self,
        b: &[[T; W]],
        x: Pieces<'_, T, W>,
        row: &mut [[T; W]],
    ) {
        let Self {
            rows,
            line,
            descending,
        } = self;
        let n = line.len;
        let beside = x.beside(rows.beside::<N>(line), n);
        let (x, b) = (x.run(line.start, n), &b[line.cells()][..n]);
        let (lower, upper) = rows.along(line);
        let (lower, upper, row) = (&lower[..n], &upper[..n], &mut row[..n]);
        if W < LONG {
            for k in 0..n {
                let mut sum = b[k];
                for (c, x) in &beside {
                    subtract(&mut sum, c[k], &x[k]);
                }
                row[k] = sum;
            }
            if descending {
                subtract_all(&mut row[1..], lower, x);
            } else {
                subtract_all(&mut row[..n - 1], upper, &x[1..]);
            }
            return;
        }
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
    }
}

/// Coefficients of a stencil without its gauge, and the reciprocals by which sweeps multiply instead of dividing.
pub(crate) struct Level<T> {
    coefficients: Coefficients<T>,
    inverse: Vec<T>,
}

/// Coefficients of the stencil itself, or a scaled and rounded copy.
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
    /// Scales a stencil by `unit`. `inverse` holds the reciprocals of the diagonal, or of pivots that replace the
    /// diagonal.
    ///
    /// Coefficients that need no scaling or rounding are shared, not copied.
    pub(crate) fn new(stencil: &Arc<Stencil>, inverse: &[f64], unit: f64) -> Self {
        Self {
            coefficients: match T::ROWS.filter(|_| unit == 1.0) {
                Some(rows) => Coefficients::Shared(Arc::clone(stencil), rows),
                None => Coefficients::times(stencil, unit),
            },
            inverse: times(unit.recip(), inverse),
        }
    }

    /// Returns the number of cells of the level.
    pub(super) fn cells(&self) -> usize {
        self.inverse.len()
    }

    /// Returns the coefficients of A or Aᵀ.
    pub(crate) fn rows(&self, side: Side) -> Rows<'_, T> {
        match &self.coefficients {
            Coefficients::Own {
                shape,
                centre,
                up,
                down,
            } => {
                let [up, down] = [up, down].map(|a| a.each_ref().map(Vec::as_slice));
                // Transposition swaps the couplings of every pair of cells.
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

    /// Performs Gauss-Seidel sweeps along M lines that do not depend on each other: xᵢ ← (bᵢ − Σ_{j≠i} aᵢⱼ xⱼ)/dᵢ for
    /// the cells of each line in turn. `rows` is workspace for M lines, which stand in the order of their cells.
    #[inline(always)]
    pub(super) fn relax<const W: usize, const N: usize, const M: usize>(
        &self,
        sweeps: [LineSweep<'_, T>; M],
        b: &[[T; W]],
        x: &mut Window<'_, T, W>,
        rows: &mut [[T; W]],
    ) {
        // A sweep is split. `gather` has no recurrence: it subtracts all terms whose x is known before the sweep,
        // those of the neighbouring lines and of the next cell. `recur` then subtracts the term of the previous cell.
        let n = sweeps[0].line.len;
        for m in 0..M {
            sweeps[m].gather::<W, N>(b, x.pieces(), &mut rows[m * n..][..n]);
        }
        let (mut parts, mut lines) = ([&[][..]; M], [sweeps[0].line; M]);
        for m in 0..M {
            (parts[m], lines[m]) = (&rows[m * n..][..n], sweeps[m].line);
        }
        self.recur(sweeps, parts, x.lines(lines));
    }

    /// Solves the recurrence xₖ ← (rowₖ − c xₖ₋₁)/dₖ along M lines at once, where c couples cell k to the previous
    /// cell. All lines have the same length and direction.
    #[inline(always)]
    pub(super) fn recur<const W: usize, const M: usize>(
        &self,
        sweeps: [LineSweep<'_, T>; M],
        row: [&[[T; W]]; M],
        mut x: [&mut [[T; W]]; M],
    ) {
        let (n, descending) = (sweeps[0].line.len, sweeps[0].descending);
        let (mut c, mut inverse, mut sums) = ([&[][..]; M], [&[][..]; M], [&[][..]; M]);
        for m in 0..M {
            let LineSweep { rows, line, .. } = sweeps[m];
            let (lower, upper) = rows.along(line);
            c[m] = &(if descending { upper } else { lower })[..n];
            inverse[m] = &self.inverse[line.cells()][..n];
            (sums[m], x[m]) = (&row[m][..n], &mut take(&mut x[m])[..n]);
        }
        // This chain of dependent operations bounds the speed of a sweep. Multiplication by the reciprocal shortens it: a
        // division takes several times as long. The chains of several lines overlap.
        let mut last = [[T::ZERO; W]; M];
        if descending {
            for k in (0..n).rev() {
                for m in 0..M {
                    for l in 0..W {
                        last[m][l] = (sums[m][k][l] - c[m][k] * last[m][l]) * inverse[m][k];
                    }
                    x[m][k] = last[m];
                }
            }
            return;
        }
        for m in 0..M {
            last[m] = sums[m][0].map(|sum| sum * inverse[m][0]);
            x[m][0] = last[m];
        }
        for k in 1..n {
            for m in 0..M {
                for l in 0..W {
                    last[m][l] = (sums[m][k][l] - c[m][k - 1] * last[m][l]) * inverse[m][k];
                }
                x[m][k] = last[m];
            }
        }
    }

    /// Solves the recurrence xₖ ← xₖ + (rowₖ − c xₖ₊₁)/dₖ along a line, starting from its end, where c
    /// couples cell k to the next cell.
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
    /// Scales the coefficients of a stencil by `unit` and rounds them.
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

/// Computes sum ← sum − c x.
#[inline(always)]
pub(super) fn subtract<T: Real, const W: usize>(sum: &mut [T; W], c: T, x: &[T; W]) {
    for l in 0..W {
        sum[l] = sum[l] - c * x[l];
    }
}

/// Computes row ← row − c x for every cell of a row.
#[inline(always)]
fn subtract_all<T: Real, const W: usize>(row: &mut [[T; W]], c: &[T], x: &[[T; W]]) {
    let n = row.len();
    let (c, x) = (&c[..n], &x[..n]);
    for k in 0..n {
        subtract(&mut row[k], c[k], &x[k]);
    }
}

/// Returns 1/d for every diagonal entry d, or 0 if d is not a normal number. Sweeps set x to 0 in such cells.
pub(crate) fn reciprocals(stencil: &Stencil) -> Vec<f64> {
    // An equation without a diagonal entry cannot be solved for its unknown. In such a cell, x is corrected
    // only by coarser levels, with the gauge on the coarsest.
    let inverse = |d: &f64| if d.is_normal() { d.recip() } else { 0.0 };
    stencil.diagonal().iter().map(inverse).collect()
}
