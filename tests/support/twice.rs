//! Solves with weighted Laplacians in numbers of twice as many digits (Dekker 1971), by dense elimination.

/// The unevaluated sum of a number and what its rounding left.
#[derive(Clone, Copy)]
pub(crate) struct Twice(pub(crate) f64, pub(crate) f64);

impl Twice {
    pub(crate) const ZERO: Self = Self(0.0, 0.0);

    fn sum(a: f64, b: f64) -> Self {
        let s = a + b;
        let c = s - a;
        Self(s, (a - (s - c)) + (b - c))
    }

    pub(crate) fn plus(self, b: Self) -> Self {
        let Self(s, e) = Self::sum(self.0, b.0);
        Self::sum(s, e + self.1 + b.1)
    }

    pub(crate) fn minus(self, b: Self) -> Self {
        self.plus(Self(-b.0, -b.1))
    }

    pub(crate) fn times(self, b: Self) -> Self {
        let p = self.0 * b.0;
        let e = self.0.mul_add(b.0, -p);
        Self::sum(p, e + self.0 * b.1 + self.1 * b.0)
    }

    pub(crate) fn over(self, b: Self) -> Self {
        let q = self.0 / b.0;
        let rest = self.minus(Self(q, 0.0).times(b));
        let next = rest.0 / b.0;
        let rest = rest.minus(Self(next, 0.0).times(b));
        Self::sum(q, next).plus(Self(rest.0 / b.0, 0.0))
    }
}

/// A weighted Laplacian with something added to its diagonal.
pub(crate) struct Laplacian(Vec<Vec<Twice>>);

impl Laplacian {
    pub(crate) fn new(n: usize) -> Self {
        Self(vec![vec![Twice::ZERO; n]; n])
    }

    /// Adds w (xᵢ − xⱼ) to the rows of i and j.
    pub(crate) fn couple(&mut self, i: usize, j: usize, w: f64) {
        self.ground(i, w);
        self.ground(j, w);
        for (a, b) in [(i, j), (j, i)] {
            self.0[a][b] = self.0[a][b].minus(Twice(w, 0.0));
        }
    }

    pub(crate) fn ground(&mut self, i: usize, e: f64) {
        self.0[i][i] = self.0[i][i].plus(Twice(e, 0.0));
    }

    /// Solutions for these columns.
    pub(crate) fn solve(mut self, columns: &[Vec<Twice>]) -> Vec<Vec<Twice>> {
        let n = self.0.len();
        for (i, row) in self.0.iter_mut().enumerate() {
            row.extend(columns.iter().map(|b| b[i]));
        }
        for k in 0..n {
            let pivot = self.0[k].clone();
            for row in self.0.iter_mut().skip(k + 1) {
                let factor = row[k].over(pivot[k]);
                for (a, p) in row.iter_mut().zip(&pivot).skip(k) {
                    *a = a.minus(factor.times(*p));
                }
            }
        }
        let back = |c: usize| {
            let mut x = vec![Twice::ZERO; n];
            for i in (0..n).rev() {
                let rest = (i + 1..n).fold(self.0[i][n + c], |sum, j| {
                    sum.minus(self.0[i][j].times(x[j]))
                });
                x[i] = rest.over(self.0[i][i]);
            }
            x
        };
        (0..columns.len()).map(back).collect()
    }
}
