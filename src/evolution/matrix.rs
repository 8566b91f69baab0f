//! Small dense systems, factorised once for many right-hand sides.

use crate::linalg::Side;

/// LU factorisation with row pivoting of a small dense matrix, by rows.
pub(super) struct Lu {
    n: usize,
    lu: Vec<f64>,
    pivots: Vec<usize>,
}

impl Lu {
    /// Factorises I − a J, where J has its columns one after the other.
    pub(super) fn shifted(n: usize, a: f64, j: &[f64]) -> Self {
        let mut out = Self {
            n,
            lu: vec![0.0; n * n],
            pivots: vec![0; n],
        };
        out.set_shifted(a, j);
        out
    }

    /// Factorises another matrix I − a J in the same memory.
    pub(super) fn set_shifted(&mut self, a: f64, j: &[f64]) {
        let n = self.n;
        for column in 0..n {
            for row in 0..n {
                let unit = if row == column { 1.0 } else { 0.0 };
                self.lu[row * n + column] = unit - a * j[column * n + row];
            }
        }
        for k in 0..n {
            let size = |row: usize| self.lu[row * n + k].abs();
            let pivot = (k + 1..n).fold(
                k,
                |best, row| if size(row) > size(best) { row } else { best },
            );
            self.pivots[k] = pivot;
            if pivot != k {
                let (above, below) = self.lu.split_at_mut(pivot * n);
                above[k * n..(k + 1) * n].swap_with_slice(&mut below[..n]);
            }
            let (above, below) = self.lu.split_at_mut((k + 1) * n);
            let upper = &above[k * n..];
            for row in below.chunks_exact_mut(n) {
                let factor = row[k] / upper[k];
                row[k] = factor;
                let rest = row[k + 1..].iter_mut().zip(&upper[k + 1..]);
                rest.for_each(|(x, u)| *x -= factor * u);
            }
        }
    }

    /// Solves with the matrix or its transpose.
    pub(super) fn solve(&self, side: Side, x: &mut [f64]) {
        let (n, lu) = (self.n, &self.lu);
        match side {
            Side::Plain => {
                (0..n).for_each(|k| x.swap(k, self.pivots[k]));
                for i in 0..n {
                    let known: f64 = (0..i).map(|j| lu[i * n + j] * x[j]).sum();
                    x[i] -= known;
                }
                for i in (0..n).rev() {
                    let known: f64 = (i + 1..n).map(|j| lu[i * n + j] * x[j]).sum();
                    x[i] = (x[i] - known) / lu[i * n + i];
                }
            }
            Side::Transpose => {
                for i in 0..n {
                    let known: f64 = (0..i).map(|j| lu[j * n + i] * x[j]).sum();
                    x[i] = (x[i] - known) / lu[i * n + i];
                }
                for i in (0..n).rev() {
                    let known: f64 = (i + 1..n).map(|j| lu[j * n + i] * x[j]).sum();
                    x[i] -= known;
                }
                (0..n).rev().for_each(|k| x.swap(k, self.pivots[k]));
            }
        }
    }
}

/// Adds `a` J x to `out`, where J has its columns one after the other.
pub(super) fn add_product(j: &[f64], a: f64, x: &[f64], out: &mut [f64]) {
    for (column, x) in j.chunks_exact(out.len()).zip(x) {
        let factor = a * x;
        if factor != 0.0 {
            out.iter_mut()
                .zip(column)
                .for_each(|(o, j)| *o += factor * j);
        }
    }
}

/// Adds `a` Jᵀ x to `out`.
pub(super) fn add_transposed(j: &[f64], a: f64, x: &[f64], out: &mut [f64]) {
    for (column, o) in j.chunks_exact(x.len()).zip(out) {
        *o += a * crate::vector::dot(column, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn both_sides_solve_what_the_products_give() {
        for n in 1..9 {
            let j = random::normal(n * n, 3, n as u64);
            let lu = Lu::shifted(n, -2.5, &j);
            let exact = random::normal(n, 5, n as u64);
            let mut b = exact.clone();
            add_product(&j, 2.5, &exact, &mut b);
            lu.solve(Side::Plain, &mut b);
            let mut c = exact.clone();
            add_transposed(&j, 2.5, &exact, &mut c);
            lu.solve(Side::Transpose, &mut c);
            for x in [b, c] {
                let gap = x.iter().zip(&exact).map(|(a, b)| (a - b).abs());
                assert!(gap.fold(0.0, f64::max) < 1e-12, "n = {n}");
            }
        }
    }
}
