//! Passes over a box of cells, line by line, for interleaved columns: Gauss-Seidel sweeps and triangular solves.
//!
//! In every line the couplings to cells elsewhere are taken first, in loops without dependence between cells; only
//! what was just computed in the same line is a recursion.

use crate::operator::{Couplings, Line, Side, Stencil};

/// Which end every axis is swept from: true for the upper one.
pub(super) type Corner = [bool; 3];

/// One side of a stencil with the reciprocals of a diagonal, ready for sweeps.
pub(super) struct Sweeps<'a> {
    couplings: Couplings<'a>,
    shape: [usize; 3],
    inverse: &'a [f64],
}

impl<'a> Sweeps<'a> {
    pub(super) fn new(stencil: &'a Stencil, side: Side, inverse: &'a [f64]) -> Self {
        Self {
            couplings: stencil.couplings(side),
            shape: stencil.shape,
            inverse,
        }
    }

    /// One Gauss-Seidel sweep from a corner: in turn, xᵢ ← (bᵢ − Σ aᵢⱼ xⱼ)/dᵢ.
    pub(super) fn gauss_seidel<const W: usize>(
        &self,
        corner: Corner,
        b: &[[f64; W]],
        x: &mut [[f64; W]],
    ) {
        self.each_line(corner, |line, row| {
            row.copy_from_slice(&b[line.cells()]);
            self.subtract_neighbours(line, x, row, |_| true);
            let x = &mut x[line.cells()];
            let (lower, upper) = self.couplings.along(line);
            match corner[2] {
                false => subtract(row, upper, &x[1..]),
                true => subtract(&mut row[1..], lower, x),
            }
            self.recur(line, corner[2], row, x);
        });
    }

    /// x ← (D + L)⁻¹ b, L being what couples cells to those before them.
    pub(super) fn forward<const W: usize>(&self, b: &[[f64; W]], x: &mut [[f64; W]]) {
        self.each_line([false; 3], |line, row| {
            row.copy_from_slice(&b[line.cells()]);
            self.subtract_neighbours(line, x, row, |start| start < line.start);
            self.recur(line, false, row, &mut x[line.cells()]);
        });
    }

    /// x ← (D + U)⁻¹ D x, U being what couples cells to those after them.
    pub(super) fn backward<const W: usize>(&self, x: &mut [[f64; W]]) {
        self.each_line([true; 3], |line, row| {
            let scaled = x[line.cells()].iter().zip(&self.inverse[line.cells()]);
            for (row, (x, inverse)) in row.iter_mut().zip(scaled) {
                let d = if *inverse == 0.0 {
                    0.0
                } else {
                    inverse.recip()
                };
                (0..W).for_each(|l| row[l] = x[l] * d);
            }
            self.subtract_neighbours(line, x, row, |start| start > line.start);
            self.recur(line, true, row, &mut x[line.cells()]);
        });
    }

    /// Calls `f` for every line from the corner on, with room for one line.
    fn each_line<const W: usize>(&self, corner: Corner, mut f: impl FnMut(Line, &mut [[f64; W]])) {
        let [nx, ny, nz] = self.shape;
        let mut row = vec![[0.0; W]; nz];
        for i in 0..nx {
            let i = if corner[0] { nx - 1 - i } else { i };
            for j in 0..ny {
                let j = if corner[1] { ny - 1 - j } else { j };
                f(self.couplings.line([i, j]), &mut row);
            }
        }
    }

    /// row ← row − what those lines beside this one contribute whose first cell counts.
    fn subtract_neighbours<const W: usize>(
        &self,
        line: Line,
        x: &[[f64; W]],
        row: &mut [[f64; W]],
        counts: impl Fn(usize) -> bool,
    ) {
        for (coefficients, range) in self.couplings.neighbours(line) {
            if counts(range.start) {
                subtract(row, coefficients, &x[range]);
            }
        }
    }

    /// Along a line, in order: x ← (row − what couples to the cell before)/d.
    fn recur<const W: usize>(
        &self,
        line: Line,
        descending: bool,
        row: &[[f64; W]],
        x: &mut [[f64; W]],
    ) {
        let (lower, upper) = self.couplings.along(line);
        let cells = x.iter_mut().zip(row).zip(&self.inverse[line.cells()]);
        let mut last = [0.0; W];
        let mut advance = |((x, row), inverse): ((&mut [f64; W], &[f64; W]), &f64), c: f64| {
            (0..W).for_each(|l| last[l] = (row[l] - c * last[l]) * inverse);
            *x = last;
        };
        // The first cell of the line has nothing before it.
        if descending {
            let behind = [0.0].iter().chain(upper.iter().rev());
            cells
                .rev()
                .zip(behind)
                .for_each(|(cell, c)| advance(cell, *c));
        } else {
            let behind = [0.0].iter().chain(lower);
            cells.zip(behind).for_each(|(cell, c)| advance(cell, *c));
        }
    }
}

/// row ← row − c x, cell by cell.
fn subtract<const W: usize>(row: &mut [[f64; W]], c: &[f64], x: &[[f64; W]]) {
    for (row, (c, x)) in row.iter_mut().zip(c.iter().zip(x)) {
        (0..W).for_each(|l| row[l] -= c * x[l]);
    }
}

/// One Gauss-Seidel sweep for A x = b, without the gauge, from every corner. Cells without a diagonal keep their values.
pub(crate) fn smooth(stencil: &Stencil, b: &[f64], x: &mut [f64]) {
    let inverse = super::multigrid::reciprocals(stencil);
    let kept: Vec<(usize, f64)> = (0..x.len())
        .filter(|&i| inverse[i] == 0.0)
        .map(|i| (i, x[i]))
        .collect();
    let sweeps = Sweeps::new(stencil, Side::Plain, &inverse);
    for corner in 0..8 {
        let corner = [0, 1, 2].map(|axis| corner >> axis & 1 == 1);
        sweeps.gauss_seidel::<1>(corner, b.as_chunks().0, x.as_chunks_mut().0);
    }
    kept.into_iter().for_each(|(i, value)| x[i] = value);
}
