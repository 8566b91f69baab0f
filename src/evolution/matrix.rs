//! Small dense systems, factorised once for many right-hand sides.
//!
//! Columns are treated L at a time: entry i of L columns is one `[f64; L]`. The bits of a column do not depend on L.

use crate::linalg::Side;

/// LU factorisation with row pivoting of a small dense matrix, by rows.
pub(super) struct Lu {
    n: usize,
    lu: Vec<f64>,
    pivots: Vec<usize>,
}

impl Lu {
    /// Creates the memory for n × n matrices.
    pub(super) fn empty(n: usize) -> Self {
        Self {
            n,
            lu: vec![0.0; n * n],
            pivots: vec![0; n],
        }
    }

    /// Factorises D − a J with diagonal D, where J has its columns one after the other.
    pub(super) fn shifted(d: &[f64], a: f64, j: &[f64]) -> Self {
        let mut out = Self::empty(d.len());
        out.set_shifted(a, j, d);
        out
    }

    /// Factorises another matrix D − a J in the same memory.
    pub(super) fn set_shifted(&mut self, a: f64, j: &[f64], d: &[f64]) {
        let n = self.n;
        for column in 0..n {
            for row in 0..n {
                let diagonal = if row == column { d[row] } else { 0.0 };
                self.lu[row * n + column] = diagonal - a * j[column * n + row];
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
    pub(super) fn solve<const L: usize>(&self, side: Side, x: &mut [[f64; L]]) {
        let (n, lu) = (self.n, &self.lu);
        match side {
            Side::Plain => {
                (0..n).for_each(|k| x.swap(k, self.pivots[k]));
                for i in 0..n {
                    let (known, rest) = x.split_at_mut(i);
                    subtract(&lu[i * n..i * n + i], known, &mut rest[0]);
                }
                for i in (0..n).rev() {
                    let (rest, known) = x.split_at_mut(i + 1);
                    subtract(&lu[i * n + i + 1..(i + 1) * n], known, &mut rest[i]);
                    let pivot = lu[i * n + i];
                    rest[i].iter_mut().for_each(|x| *x /= pivot);
                }
            }
            Side::Transpose => {
                for i in 0..n {
                    let (rest, later) = x.split_at_mut(i + 1);
                    let pivot = lu[i * n + i];
                    rest[i].iter_mut().for_each(|x| *x /= pivot);
                    spread(&lu[i * n + i + 1..(i + 1) * n], &rest[i], later);
                }
                for i in (0..n).rev() {
                    let (earlier, rest) = x.split_at_mut(i);
                    spread(&lu[i * n..i * n + i], &rest[0], earlier);
                }
                (0..n).rev().for_each(|k| x.swap(k, self.pivots[k]));
            }
        }
    }
}

/// Subtracts Σ aⱼ xⱼ from `out`.
fn subtract<const L: usize>(a: &[f64], x: &[[f64; L]], out: &mut [f64; L]) {
    for (a, x) in a.iter().zip(x) {
        for (out, x) in out.iter_mut().zip(x) {
            *out -= a * x;
        }
    }
}

/// Subtracts aⱼ x from every entry j of `out`.
fn spread<const L: usize>(a: &[f64], x: &[f64; L], out: &mut [[f64; L]]) {
    for (a, out) in a.iter().zip(out) {
        for (out, x) in out.iter_mut().zip(x) {
            *out -= a * x;
        }
    }
}

/// Adds `a` J x to `out`, where J has its columns one after the other.
pub(super) fn add_product<const L: usize>(j: &[f64], a: f64, x: &[[f64; L]], out: &mut [[f64; L]]) {
    for (column, x) in j.chunks_exact(out.len()).zip(x) {
        let x = x.map(|x| a * x);
        for (out, j) in out.iter_mut().zip(column) {
            out.iter_mut().zip(&x).for_each(|(o, x)| *o += j * x);
        }
    }
}

/// Adds `a` Jᵀ x to `out`.
pub(super) fn add_transposed<const L: usize>(
    j: &[f64],
    a: f64,
    x: &[[f64; L]],
    out: &mut [[f64; L]],
) {
    for (column, out) in j.chunks_exact(x.len()).zip(out) {
        let mut sum = [0.0; L];
        for (j, x) in column.iter().zip(x) {
            sum.iter_mut().zip(x).for_each(|(s, x)| *s += j * x);
        }
        out.iter_mut().zip(&sum).for_each(|(o, s)| *o += a * s);
    }
}

/// Adds h Σ aⱼ Kⱼ to `out`, where the slopes Kⱼ stand one after the other.
pub(super) fn add_slopes<T: Slope>(slopes: &[T], h: f64, a: &[f64], out: &mut [T]) {
    for (slope, a) in slopes.chunks_exact(out.len()).zip(a) {
        let factor = h * a;
        if factor != 0.0 {
            out.iter_mut()
                .zip(slope)
                .for_each(|(o, k)| o.add(factor, k));
        }
    }
}

/// Entry of a slope: a number, or a number in each of several columns.
pub(super) trait Slope {
    /// Adds `a` times another entry.
    fn add(&mut self, a: f64, other: &Self);
}

impl Slope for f64 {
    #[inline(always)]
    fn add(&mut self, a: f64, other: &Self) {
        *self += a * other;
    }
}

impl<const L: usize> Slope for [f64; L] {
    #[inline(always)]
    fn add(&mut self, a: f64, other: &Self) {
        self.iter_mut().zip(other).for_each(|(x, y)| *x += a * y);
    }
}

/// Returns a vector as one column.
pub(super) fn column(x: &mut [f64]) -> &mut [[f64; 1]] {
    x.as_chunks_mut().0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn columns(n: usize, seed: u64) -> Vec<[f64; 4]> {
        let numbers = random::normal(4 * n, seed, n as u64);
        numbers.as_chunks().0.to_vec()
    }

    #[test]
    fn both_sides_solve_what_the_products_give() {
        for n in 1..9 {
            let j = random::normal(n * n, 3, n as u64);
            // An algebraic row among the others.
            let d: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i != 1))).collect();
            let lu = Lu::shifted(&d, -2.5, &j);
            let exact = columns(n, 5);
            let by = |d: &[f64]| -> Vec<[f64; 4]> {
                exact.iter().zip(d).map(|(x, d)| x.map(|x| d * x)).collect()
            };
            let mut b = by(&d);
            add_product(&j, 2.5, &exact, &mut b);
            let single: Vec<f64> = b.iter().map(|b| b[2]).collect();
            lu.solve(Side::Plain, &mut b);
            let mut c = by(&d);
            add_transposed(&j, 2.5, &exact, &mut c);
            lu.solve(Side::Transpose, &mut c);
            for x in [&b, &c] {
                let gap = |(a, b): (&[f64; 4], &[f64; 4])| {
                    (0..4).map(|l| (a[l] - b[l]).abs()).fold(0.0, f64::max)
                };
                assert!(
                    x.iter().zip(&exact).map(gap).fold(0.0, f64::max) < 1e-11,
                    "n = {n}"
                );
            }
            let mut alone = single;
            lu.solve(Side::Plain, column(&mut alone));
            assert!(
                alone
                    .iter()
                    .zip(&b)
                    .all(|(a, b)| a.to_bits() == b[2].to_bits())
            );
        }
    }
}
