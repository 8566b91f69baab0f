//! Linear least squares with damping, in buffers that are used again.

use faer::Mat;

use super::least_squares::minimum_norm;
use super::substitution::{back_substitute, substitute_gradient};
use super::triangle::{BLOCK, Rows, Triangle, column_norm, lane_dot};
use crate::linalg::vectorised;
use crate::vector::dot;

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
/// Columns are scaled to unit length, or to the part of it that they have of a larger size, so that pivots and dampings do not depend on the units of the parameters. Undamped, the
/// scaled step of least norm is taken, where pivots below the tolerance count as zero.
pub(crate) struct DampedLeastSquares {
    tolerance: f64,
    /// Triangle of a matrix with many rows.
    triangle: Triangle,
    /// Columns of [A | b], scaled, one below the other; after the reflections R and Qᵀb.
    a: Vec<f64>,
    /// Length of a column of `a`.
    height: usize,
    /// Rows of [R | c] with the columns of A in the order of the pivots, one row after the other.
    r: Vec<f64>,
    /// Rows of the triangle [S | c] with SᵀS = RᵀR + λD².
    s: Vec<f64>,
    /// Sizes that columns of A count with at least, for the next factorisation. Columns beyond them count with their norms.
    pub(crate) least: Vec<f64>,
    /// Norms of the columns of A, or larger sizes that they count with.
    pub(crate) norms: Vec<f64>,
    /// Factors that scale the columns to unit length.
    pub(crate) scale: Vec<f64>,
    /// Squares of the diagonal of D in scaled coordinates.
    pub(crate) weights: Vec<f64>,
    /// Column of A at every pivot.
    order: Vec<usize>,
    /// Number of pivots that are not zero.
    pub(crate) rank: usize,
    /// Last step, in scaled coordinates and in the order of the pivots.
    x: Vec<f64>,
    /// Row √λ D of a rotation, or S⁻ᵀD²x.
    vector: Vec<f64>,
    /// Step of the last solve.
    pub(crate) eta: Vec<f64>,
    /// Scaled gradient in the order of the pivots from which steps are taken, or none.
    gradient: Vec<f64>,
}

impl DampedLeastSquares {
    /// Creates a problem without columns. Pivots count as zero up to `tolerance` times the largest one.
    pub(crate) fn new(tolerance: f64) -> Self {
        Self {
            tolerance,
            triangle: Triangle::default(),
            a: Vec::new(),
            height: 0,
            r: Vec::new(),
            s: Vec::new(),
            gradient: Vec::new(),
            least: Vec::new(),
            norms: Vec::new(),
            scale: Vec::new(),
            weights: Vec::new(),
            order: Vec::new(),
            rank: 0,
            x: Vec::new(),
            vector: Vec::new(),
            eta: Vec::new(),
        }
    }

    fn columns(&self) -> usize {
        self.norms.len()
    }

    /// Returns row i of [R | c].
    fn row(&self, i: usize) -> &[f64] {
        let width = self.columns() + 1;
        &self.r[i * width..(i + 1) * width]
    }

    /// Factorises A of few columns and any number of rows, which may come in several parts.
    pub(crate) fn factor(&mut self, parts: &[Rows<'_>]) {
        let columns = parts.first().map_or(0, |part| part.kept.len());
        self.norms.clear();
        self.norms
            .extend((0..columns).map(|j| column_norm(parts, j)));
        self.set_scale();
        let rows: usize = parts.iter().map(|part| part.b.len()).sum();
        if rows > BLOCK {
            self.triangle.clear(columns);
            for part in parts {
                self.triangle.take(*part, &self.scale);
            }
            return self.factor_triangle();
        }
        self.a.clear();
        self.height = rows.max(columns);
        for (j, scale) in self.scale.iter().chain(&[1.0]).enumerate() {
            for part in parts {
                part.append(j, *scale, 0..part.b.len(), &mut self.a);
            }
            // A wide matrix is padded with rows of zeros.
            self.a.resize((j + 1) * self.height, 0.0);
        }
        self.pivot();
    }

    /// Factorises A of many columns, given [A | b].
    pub(crate) fn factor_wide(&mut self, mut augmented: Mat<f64>) {
        let columns = augmented.ncols() - 1;
        self.norms.clear();
        self.norms
            .extend((0..columns).map(|j| augmented.col(j).norm_l2()));
        self.set_scale();
        for (j, s) in self.scale.iter().enumerate() {
            let column = augmented.col_as_slice_mut(j);
            column.iter_mut().for_each(|x| *x *= s);
        }
        self.triangle.set(augmented);
        self.factor_triangle();
    }

    /// Factorises the triangle again with pivoting, by which small pivots come last.
    fn factor_triangle(&mut self) {
        self.height = self.columns().max(1);
        self.a.clear();
        (0..=self.columns()).for_each(|j| self.triangle.append(j, &mut self.a));
        self.pivot();
    }

    fn set_scale(&mut self) {
        self.gradient.clear();
        for (norm, least) in self.norms.iter_mut().zip(&self.least) {
            *norm = norm.max(*least);
        }
        // The reciprocal of a subnormal number may overflow.
        let inverse = |n: &f64| if n.is_normal() { n.recip() } else { 1.0 };
        self.scale.clear();
        self.scale.extend(self.norms.iter().map(inverse));
    }

    /// Factorises `a` by reflections, with pivoting.
    fn pivot(&mut self) {
        let (columns, height) = (self.columns(), self.height);
        self.order.clear();
        self.order.extend(0..columns);
        vectorised(
            #[inline(always)]
            || (0..columns).for_each(|j| self.reflect(j)),
        );
        self.r.clear();
        self.r.resize(columns * (columns + 1), 0.0);
        for (j, column) in self.a.chunks_exact(height).enumerate() {
            let entries = column[..columns.min(j + 1)].iter().enumerate();
            entries.for_each(|(i, x)| self.r[i * (columns + 1) + j] = *x);
        }
        let pivot = |j: usize| self.row(j)[j].abs();
        self.rank = (0..columns)
            .take_while(|&j| pivot(j) > self.tolerance * pivot(0))
            .count();
    }

    /// Moves the longest remaining column to the j-th place, and reflects it to the j-th axis.
    #[inline(always)]
    fn reflect(&mut self, j: usize) {
        let h = self.height;
        let rest = |a: &[f64], column: usize| {
            let rest = &a[column * h + j..(column + 1) * h];
            lane_dot(rest, rest)
        };
        let (mut pivot, mut longest) = (j, rest(&self.a, j));
        for column in j + 1..self.columns() {
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
            let share = lane_dot(v, y) / half_square;
            y.iter_mut().zip(&*v).for_each(|(y, v)| *y -= share * v);
        }
        v[0] = -length;
    }

    /// Returns [R | c] with the columns of R in the order of those of A.
    pub(crate) fn triangle(&self) -> Mat<f64> {
        let columns = self.columns();
        let mut out = Mat::zeros(columns, columns + 1);
        for i in 0..columns {
            let row = self.row(i);
            for (x, &column) in row.iter().zip(self.order.iter().chain(&[columns])) {
                out[(i, column)] = *x;
            }
        }
        out
    }

    /// Returns whether the columns are independent beyond doubt.
    pub(crate) fn is_regular(&self) -> bool {
        let pivot = |j: usize| self.row(j)[j].abs();
        self.rank == self.columns() && (0..self.rank).all(|j| pivot(j) > DOUBTFUL * pivot(0))
    }

    /// Replaces c by the solution of Rᵀc = S∇, with the scale S of the columns, so that steps are those of the gradient ∇ = Aᵀb.
    ///
    /// The error of Qᵀb is that of the largest entry of b. Where such an entry meets a row of A that is as small, ∇ is known to more
    /// digits than b tells.
    pub(crate) fn set_gradient(&mut self, gradient: &[f64]) {
        let entry = |&column: &usize| gradient[column] * self.scale[column];
        self.gradient = self.order.iter().map(entry).collect();
        substitute_gradient(&mut self.r, &self.gradient);
    }

    /// Sets D to the largest column norms so far.
    pub(crate) fn set_widest(&mut self, widest: impl Iterator<Item = f64>) {
        self.weights.clear();
        for (w, s) in widest.zip(&self.scale) {
            // A column that has been zero throughout still needs damping, and a square must stay finite.
            let weight = (w * s).min(1e100).powi(2);
            self.weights.push(if weight > 0.0 { weight } else { 1.0 });
        }
    }

    /// Computes η for this damping, and returns the decrease of ½‖A η + b‖² that it predicts.
    pub(crate) fn solve(&mut self, damping: f64) -> f64 {
        let columns = self.columns();
        self.x.clear();
        self.x.resize(columns, 0.0);
        if damping > 0.0 {
            vectorised(
                #[inline(always)]
                || self.rotate(damping),
            );
            if !self.gradient.is_empty() {
                // Rotations would mix large entries of c with small ones.
                substitute_gradient(&mut self.s, &self.gradient);
            }
            back_substitute(&self.s, &mut self.x);
        } else if self.rank == columns {
            back_substitute(&self.r, &mut self.x);
        } else {
            self.least_norm();
        }
        self.eta.clear();
        self.eta.resize(columns, 0.0);
        for (x, &column) in self.x.iter().zip(&self.order) {
            self.eta[column] = x * self.scale[column];
        }
        // A η = Q R x, and −(Rx·c + ½‖Rx‖²) is the decrease, with c = Qᵀb.
        let mut decrease = 0.0;
        for (i, row) in self.r.chunks_exact(columns + 1).enumerate() {
            let image = dot(&row[i..columns], &self.x[i..]);
            decrease -= image * (row[columns] + 0.5 * image);
        }
        decrease
    }

    /// Sets x to the minimiser of ‖R x + c‖ with the smallest norm, for the rows of R above the tolerance.
    fn least_norm(&mut self) {
        let (columns, rank) = (self.columns(), self.rank);
        if rank == 0 {
            return;
        }
        let rows = Mat::from_fn(rank, columns, |i, j| self.row(i)[j]);
        let c: Vec<f64> = (0..rank).map(|i| self.row(i)[columns]).collect();
        let (x, _) = minimum_norm(rows.as_ref(), &c, 0.0);
        self.x.copy_from_slice(&x);
    }

    /// Copies [R | c] to [S | c], and rotates the rows √λ D into it.
    #[inline(always)]
    fn rotate(&mut self, damping: f64) {
        let width = self.columns() + 1;
        self.s.clone_from(&self.r);
        for (first, &column) in self.order.iter().enumerate() {
            self.vector.clear();
            self.vector.resize(width, 0.0);
            self.vector[first] = (damping * self.weights[column]).sqrt();
            for (j, row) in self.s.chunks_exact_mut(width).enumerate().skip(first) {
                let (a, b) = (row[j], self.vector[j]);
                if b == 0.0 {
                    continue;
                }
                let length = (a * a + b * b).sqrt();
                let (cosine, sine) = (a / length, b / length);
                for (upper, lower) in row[j..].iter_mut().zip(&mut self.vector[j..]) {
                    let rotated = cosine * *upper + sine * *lower;
                    *lower = cosine * *lower - sine * *upper;
                    *upper = rotated;
                }
            }
        }
    }

    /// Raises the damping until ‖D η‖ ≤ `longest`, or about so. Returns the damping and the predicted decrease.
    pub(crate) fn shorten(&mut self, damping: f64, predicted: f64, longest: f64) -> (f64, f64) {
        let (mut damping, mut predicted) = (damping, predicted);
        for _ in 0..DAMPINGS {
            let length = self.length();
            if length <= (1.0 + SLACK) * longest {
                break;
            }
            // 1/‖Dx‖ is almost linear in λ (Hebden 1973; Moré 1978). With d‖Dx‖²/dλ = −2‖S⁻ᵀD²x‖², Newton's method for
            // 1/‖Dx‖ = 1/Δ is λ ← λ + (‖Dx‖²/‖S⁻ᵀD²x‖²)(‖Dx‖ − Δ)/Δ. It approaches the root from below.
            let slope = self.decay(damping > 0.0);
            let newton = damping + (length * length / slope) * (length - longest) / longest;
            // A singular system may have no slope.
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

    /// Returns ‖S⁻ᵀD²x‖² for the last step, where S is R without damping.
    fn decay(&mut self, damped: bool) -> f64 {
        let columns = self.columns();
        let triangle = if damped { &self.s } else { &self.r };
        let entry = |i: usize, j: usize| triangle[i * (columns + 1) + j];
        self.vector.clear();
        for j in 0..columns {
            let known: f64 = (0..j).map(|i| entry(i, j) * self.vector[i]).sum();
            let right = self.weights[self.order[j]] * self.x[j];
            self.vector.push((right - known) / entry(j, j));
        }
        dot(&self.vector, &self.vector)
    }

    /// Writes the standard errors √diag (AᵀA)⁻¹ to `out`.
    pub(crate) fn standard_errors(&mut self, out: &mut [f64]) {
        let columns = self.columns();
        // (RᵀR)⁻¹ = R⁻¹R⁻ᵀ has the squared lengths of the rows of R⁻¹ on its diagonal. Column j of R⁻¹ solves R y = eⱼ.
        out[..columns].fill(0.0);
        for j in 0..columns {
            self.x.clear();
            self.x.resize(columns, 0.0);
            for i in (0..=j).rev() {
                let known = dot(&self.row(i)[i + 1..=j], &self.x[i + 1..=j]);
                let right = if i == j { 1.0 } else { 0.0 };
                self.x[i] = (right - known) / self.row(i)[i];
                let column = self.order[i];
                out[column] += self.x[i] * self.x[i];
            }
        }
        // The square of a scale may overflow.
        let pairs = out.iter_mut().zip(&self.scale);
        pairs.for_each(|(e, scale)| *e = e.sqrt() * scale);
    }
}
