//! Linear least squares with few columns and damping, in buffers that are used again.

use crate::vector::{dot, norm};

/// Relative size below which a pivot counts as zero.
const RANK: f64 = 1e-12;

/// Ratio of the smallest to the largest pivot below which the rank deserves a closer look than pivots give.
const DOUBTFUL: f64 = 1e-7;

/// Fraction by which a shortened step may exceed its length.
const SLACK: f64 = 0.1;

/// Smallest damping that is tried, and factor by which a damping grows at least.
const FIRST: f64 = 1e-20;

/// Largest number of dampings that are tried for one length.
const DAMPINGS: usize = 60;

/// Problem min ‖A η + b‖² + λ ‖D η‖² in triangular form, for any number of dampings λ.
///
/// Columns are scaled to unit length, so that pivots and dampings do not depend on the units of the parameters.
pub(super) struct Triangle {
    /// Scaled columns of A and b, below one another; after the reflections R and Qᵀb.
    a: Vec<f64>,
    /// Length of a column of `a`.
    height: usize,
    /// Number of columns of A.
    columns: usize,
    /// Norms of the columns of A.
    pub(super) norms: Vec<f64>,
    /// Factors that scale the columns to unit length.
    scale: Vec<f64>,
    /// Squares of the diagonal of D in scaled coordinates.
    weights: Vec<f64>,
    /// Column of A at every pivot.
    order: Vec<usize>,
    /// Number of pivots that are not zero.
    rank: usize,
    /// Triangle S with SᵀS = RᵀR + λD², by columns, and its right-hand side.
    s: Vec<f64>,
    c: Vec<f64>,
    /// Solution in scaled coordinates, in the order of the pivots.
    x: Vec<f64>,
    /// Row that is being rotated into the triangle; also D²x and S⁻ᵀD²x.
    row: Vec<f64>,
    /// Step of the last solve.
    pub(super) eta: Vec<f64>,
}

impl Triangle {
    /// Creates the buffers for at most `p` columns with at most `k` entries.
    pub(super) fn new(k: usize, p: usize) -> Self {
        let vector = || Vec::with_capacity(p);
        Self {
            a: Vec::with_capacity(k.max(p) * (p + 1)),
            height: 0,
            columns: 0,
            norms: vector(),
            scale: vector(),
            weights: vector(),
            order: Vec::with_capacity(p),
            rank: 0,
            s: Vec::with_capacity(p * p),
            c: vector(),
            x: vector(),
            row: vector(),
            eta: vector(),
        }
    }

    /// Computes the triangular form of b and of A, the columns `kept` of a matrix, by reflections with pivoting.
    pub(super) fn factor(&mut self, matrix: &[f64], kept: &[usize], b: &[f64]) {
        self.a.clear();
        self.norms.clear();
        self.scale.clear();
        self.columns = kept.len();
        // A wide matrix is padded with rows of zeros.
        self.height = b.len().max(self.columns);
        let padding = self.height - b.len();
        for j in kept {
            let column = &matrix[j * b.len()..(j + 1) * b.len()];
            let square = dot(column, column);
            // The square may overflow or underflow where the norm does not.
            let norm = match square.is_normal() {
                true => square.sqrt(),
                false => norm(column),
            };
            // The reciprocal of a subnormal number may overflow.
            let scale = if norm.is_normal() { norm.recip() } else { 1.0 };
            self.norms.push(norm);
            self.scale.push(scale);
            self.a.extend(column.iter().map(|x| x * scale));
            self.a.extend(std::iter::repeat_n(0.0, padding));
        }
        self.a.extend_from_slice(b);
        self.a.extend(std::iter::repeat_n(0.0, padding));
        self.order.clear();
        self.order.extend(0..self.columns);
        (0..self.columns).for_each(|j| self.reflect(j));
        let pivot = |j: usize| self.a[j * self.height + j].abs();
        self.rank = (0..self.columns)
            .take_while(|&j| pivot(j) > RANK * pivot(0))
            .count();
    }

    /// Moves the longest remaining column to the j-th place, and reflects it to the j-th axis.
    fn reflect(&mut self, j: usize) {
        let h = self.height;
        let rest = |a: &[f64], column: usize| {
            let rest = &a[column * h + j..(column + 1) * h];
            dot(rest, rest)
        };
        let (mut pivot, mut longest) = (j, rest(&self.a, j));
        for column in j + 1..self.columns {
            let length = rest(&self.a, column);
            if length > longest {
                (pivot, longest) = (column, length);
            }
        }
        if pivot != j {
            let (left, right) = self.a.split_at_mut(pivot * h);
            left[j * h..(j + 1) * h].swap_with_slice(&mut right[..h]);
            self.order.swap(j, pivot);
        }
        if longest == 0.0 {
            return;
        }
        // v = x + sign(x₀)‖x‖e₀ reflects x to −sign(x₀)‖x‖e₀: (I − 2vvᵀ/vᵀv)x with vᵀv = 2(‖x‖² + |x₀|‖x‖).
        let (left, right) = self.a.split_at_mut((j + 1) * h);
        let v = &mut left[j * h + j..];
        let length = longest.sqrt().copysign(v[0]);
        v[0] += length;
        let half_square = length * v[0];
        for column in right.chunks_exact_mut(h) {
            let y = &mut column[j..];
            let share = dot(v, y) / half_square;
            y.iter_mut().zip(&*v).for_each(|(y, v)| *y -= share * v);
        }
        v[0] = -length;
    }

    /// Returns whether the columns are independent beyond doubt.
    pub(super) fn is_regular(&self) -> bool {
        let pivot = |j: usize| self.a[j * self.height + j].abs();
        self.rank == self.columns && (0..self.rank).all(|j| pivot(j) > DOUBTFUL * pivot(0))
    }

    /// Sets D to the largest column norms so far.
    pub(super) fn set_widest(&mut self, widest: impl Iterator<Item = f64>) {
        self.weights.clear();
        for (w, s) in widest.zip(&self.scale) {
            // A column that has been zero throughout still needs damping, and a square must stay finite.
            let weight = (w * s).min(1e100).powi(2);
            self.weights.push(if weight > 0.0 { weight } else { 1.0 });
        }
    }

    /// Computes η for this damping, and returns the decrease of ½‖A η + b‖² that it predicts.
    ///
    /// Undamped, parameters beyond the rank stay where they are.
    pub(super) fn solve(&mut self, damping: f64) -> f64 {
        let q = self.columns;
        self.rotate(damping);
        let rank = if damping > 0.0 { q } else { self.rank };
        self.x.clear();
        self.x.resize(q, 0.0);
        for j in (0..rank).rev() {
            let known: f64 = (j + 1..rank).map(|i| self.s[i * q + j] * self.x[i]).sum();
            self.x[j] = (-self.c[j] - known) / self.s[j * q + j];
        }
        self.eta.clear();
        self.eta.resize(q, 0.0);
        for (x, &column) in self.x.iter().zip(&self.order) {
            self.eta[column] = x * self.scale[column];
        }
        // A η = Q R x, and −(Rx·c + ½‖Rx‖²) is the decrease, with c = Qᵀb.
        let (h, b) = (self.height, q * self.height);
        let decrease = |i: usize| {
            let image: f64 = (i..q).map(|j| self.a[j * h + i] * self.x[j]).sum();
            -image * (self.a[b + i] + 0.5 * image)
        };
        (0..rank).map(decrease).sum()
    }

    /// Copies R and Qᵀb to S and c, and rotates the rows √λ D into them.
    fn rotate(&mut self, damping: f64) {
        let (q, h) = (self.columns, self.height);
        self.s.clear();
        for j in 0..q {
            self.s.extend_from_slice(&self.a[j * h..j * h + q]);
        }
        self.c.clear();
        self.c.extend_from_slice(&self.a[q * h..q * h + q]);
        if damping == 0.0 {
            return;
        }
        for first in 0..q {
            self.row.clear();
            self.row.resize(q, 0.0);
            self.row[first] = (damping * self.weights[self.order[first]]).sqrt();
            let mut right = 0.0;
            for j in first..q {
                let (a, b) = (self.s[j * q + j], self.row[j]);
                if b == 0.0 {
                    continue;
                }
                let length = (a * a + b * b).sqrt();
                let (cosine, sine) = (a / length, b / length);
                for i in j..q {
                    let (upper, lower) = (self.s[i * q + j], self.row[i]);
                    self.s[i * q + j] = cosine * upper + sine * lower;
                    self.row[i] = cosine * lower - sine * upper;
                }
                (self.c[j], right) = (
                    cosine * self.c[j] + sine * right,
                    cosine * right - sine * self.c[j],
                );
            }
        }
    }

    /// Raises the damping until ‖D η‖ ≤ `longest`, or about so. Returns the damping and the predicted decrease.
    pub(super) fn shorten(&mut self, damping: f64, predicted: f64, longest: f64) -> (f64, f64) {
        let (mut damping, mut predicted) = (damping, predicted);
        for _ in 0..DAMPINGS {
            let length = self.length();
            if length <= (1.0 + SLACK) * longest {
                break;
            }
            // 1/‖Dx‖ is almost linear in λ (Hebden 1973; Moré 1978). With d‖Dx‖²/dλ = −2‖S⁻ᵀD²x‖², Newton's method for
            // 1/‖Dx‖ = 1/Δ is λ ← λ + (‖Dx‖²/‖S⁻ᵀD²x‖²)(‖Dx‖ − Δ)/Δ. It approaches the root from below.
            let slope = self.decay();
            let newton = damping + (length * length / slope) * (length - longest) / longest;
            // A singular or undamped system may have no slope.
            let least = (10.0 * damping).max(FIRST);
            let usable = newton.is_finite() && newton > damping;
            damping = if usable { newton } else { least };
            predicted = self.solve(damping);
        }
        (damping, predicted)
    }

    /// Returns ‖D η‖ for the last step.
    fn length(&self) -> f64 {
        let squares = self.x.iter().zip(&self.order);
        squares
            .map(|(x, &column)| self.weights[column] * x * x)
            .sum::<f64>()
            .sqrt()
    }

    /// Returns ‖S⁻ᵀD²x‖² for the last step.
    fn decay(&mut self) -> f64 {
        let q = self.columns;
        self.row.clear();
        for j in 0..q {
            let known: f64 = (0..j).map(|i| self.s[j * q + i] * self.row[i]).sum();
            let right = self.weights[self.order[j]] * self.x[j];
            self.row.push((right - known) / self.s[j * q + j]);
        }
        self.row.iter().map(|y| y * y).sum()
    }

    /// Writes the standard errors √diag (AᵀA)⁻¹ to `out`.
    pub(super) fn standard_errors(&mut self, out: &mut [f64]) {
        let (q, h) = (self.columns, self.height);
        // (RᵀR)⁻¹ = R⁻¹R⁻ᵀ has the squared lengths of the rows of R⁻¹ on its diagonal. Column j of R⁻¹ solves R y = eⱼ.
        out[..q].fill(0.0);
        for j in 0..q {
            self.row.clear();
            self.row.resize(q, 0.0);
            for i in (0..=j).rev() {
                let known: f64 = (i + 1..=j).map(|l| self.a[l * h + i] * self.row[l]).sum();
                let right = if i == j { 1.0 } else { 0.0 };
                self.row[i] = (right - known) / self.a[i * h + i];
                let column = self.order[i];
                out[column] += (self.row[i] * self.scale[column]).powi(2);
            }
        }
        out[..q].iter_mut().for_each(|e| *e = e.sqrt());
    }
}
