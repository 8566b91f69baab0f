//! Exact ½W₂² on a line, for densities that are constant in every cell.
//!
//! On a line the optimal map is the increasing one, T = Q_b ∘ F_a with the distribution function F_a of a and the quantile
//! function Q_b of b. Both are piecewise linear, so that a merge of their levels gives T on pieces:
//!
//! ```text
//! ½W₂² = ½ ∫ (x − T(x))² da,   first variation φ with φ′(x) = x − T(x),   second variation ∫ (δF)²/q(T(x)) dx.
//! ```

use super::axis_root::FLOOR;
use super::edges::EdgeForm;

/// Piece [x₀, x₁] of a cell, on which T increases linearly from y₀ to y₁.
struct Piece {
    cell: usize,
    x: [f64; 2],
    y: [f64; 2],
    /// Slope 1/q of the quantile function Q_b on the piece.
    slope: f64,
}

/// Optimal transport from a to b on one axis.
pub(super) struct Line {
    edges: Vec<f64>,
    /// Masses of a in the cells, with sum 1.
    masses: Vec<f64>,
    pieces: Vec<Piece>,
}

/// Returns the levels 0 = F₀ ≤ F₁ ≤ … ≤ F_n = 1 of the distribution function at the edges of the cells.
pub(super) fn levels(density: &[f64]) -> Vec<f64> {
    let mut sums = Vec::with_capacity(density.len() + 1);
    sums.push(0.0);
    let mut sum = 0.0;
    for r in density {
        sum += r;
        sums.push(sum);
    }
    // The last level is sum/sum = 1 exactly: both measures end at the same level.
    sums.iter_mut().for_each(|s| *s /= sum);
    sums
}

impl Line {
    /// Merges the levels of a and b at the given edges of cells.
    pub(super) fn new(edges: Vec<f64>, a: &[f64], b: &[f64]) -> Self {
        let masses = (a.windows(2)).map(|level| level[1] - level[0]).collect();
        let quantile = Quantile::new(&edges, b);
        let (mut pieces, mut j) = (Vec::with_capacity(2 * edges.len()), 0);
        for (cell, level) in a.windows(2).enumerate() {
            if level[0] == level[1] {
                pieces.push(quantile.of_empty_cell(cell, level[0]));
            } else {
                quantile.of_cell(cell, [level[0], level[1]], &mut j, &mut pieces);
            }
        }
        Self {
            edges,
            masses,
            pieces,
        }
    }

    /// Returns ½W₂².
    pub(super) fn value(&self) -> f64 {
        // On a piece x − T is linear, from d₀ to d₁, and the mean of its square is (d₀² + d₀d₁ + d₁²)/3.
        let half = |piece: &Piece| {
            let ([x0, x1], [d0, d1]) = (piece.x, piece.deviation());
            let share = (x1 - x0) / (self.edges[piece.cell + 1] - self.edges[piece.cell]);
            self.masses[piece.cell] * share * (d0 * d0 + d0 * d1 + d1 * d1) / 6.0
        };
        self.pieces.iter().map(half).sum()
    }

    /// Returns the means of the first variation φ over the cells, which are the derivatives by the masses of the cells.
    pub(super) fn potential(&self) -> Vec<f64> {
        let mut means = vec![0.0; self.masses.len()];
        let mut phi = 0.0;
        for piece in &self.pieces {
            // φ = φ₀ + ∫(x − T) has the integral φ₀w + ∫(w − s)(d₀ + (d₁ − d₀)s/w) ds = φ₀w + w²(2d₀ + d₁)/6 over a piece of
            // width w.
            let (w, [d0, d1]) = (piece.x[1] - piece.x[0], piece.deviation());
            means[piece.cell] += w * (phi + w * (2.0 * d0 + d1) / 6.0);
            phi += 0.5 * w * (d0 + d1);
        }
        let widths = self.edges.windows(2).map(|e| e[1] - e[0]);
        means.iter_mut().zip(widths).for_each(|(m, h)| *m /= h);
        means
    }

    /// Returns the second variation ∫(δF)²/q(T(x)) dx as a form of the values of δF at the edges, where δF is linear in every
    /// cell. Entries are infinite where mass would fall into a gap within b.
    pub(super) fn second_variation(&self) -> EdgeForm {
        // f′ = φ with φ′ = x − Q_b(F_a(x)), so that δφ′ = −Q_b′ δF, and ∫ζ δφ dx = −∫δF δφ′ dx = ∫Q_b′ (δF)² dx, ζ = δF′.
        let mut cells = vec![[0.0; 3]; self.masses.len()];
        for piece in &self.pieces {
            let (start, end) = (self.edges[piece.cell], self.edges[piece.cell + 1]);
            let h = end - start;
            // δF = l(1 − s) + r s with s = (x − start)/h.
            let [s, t] = piece.x.map(|x| (x - start) / h);
            let squares = |u: f64, v: f64| (v * v * v - u * u * u) / 3.0;
            let mixed = 0.5 * (t * t - s * s) - squares(s, t);
            let parts = [squares(1.0 - t, 1.0 - s), mixed, squares(s, t)];
            let weights = cells[piece.cell].iter_mut().zip(parts);
            weights.for_each(|(sum, part)| *sum += piece.slope * h * part);
        }
        EdgeForm::new(cells)
    }
}

impl Piece {
    /// Returns x − T(x) at both ends.
    fn deviation(&self) -> [f64; 2] {
        [self.x[0] - self.y[0], self.x[1] - self.y[1]]
    }
}

/// Quantile function of b, given its levels at the edges of the cells, which are those of a as well.
struct Quantile<'a> {
    edges: &'a [f64],
    levels: &'a [f64],
    /// Slope of a cell with the smallest density that counts, beside which others have no effect.
    steepest: f64,
}

impl<'a> Quantile<'a> {
    fn new(edges: &'a [f64], levels: &'a [f64]) -> Self {
        let pairs = edges.windows(2).zip(levels.windows(2));
        let densities = pairs.map(|(e, t)| (t[1] - t[0]) / (e[1] - e[0]));
        let largest = densities.fold(0.0, f64::max);
        Self {
            edges,
            levels,
            steepest: (FLOOR * largest).recip(),
        }
    }

    /// Returns the position of level t between the edges of cell j, which must have mass.
    fn inside(&self, j: usize, t: f64) -> f64 {
        if t >= self.levels[j + 1] {
            return self.edges[j + 1];
        }
        // The share is a number between 0 and 1 however little mass the cell has.
        let share = (t - self.levels[j]) / (self.levels[j + 1] - self.levels[j]);
        self.edges[j] + share * (self.edges[j + 1] - self.edges[j])
    }

    /// Returns the slope 1/q of the quantile function in cell j, for a density that counts.
    fn slope(&self, j: usize) -> f64 {
        let slope = (self.edges[j + 1] - self.edges[j]) / (self.levels[j + 1] - self.levels[j]);
        slope.min(self.steepest)
    }

    /// Appends the pieces of a cell with mass, between two levels. j is the cell of b that the last piece reached.
    fn of_cell(&self, cell: usize, [low, high]: [f64; 2], j: &mut usize, pieces: &mut Vec<Piece>) {
        let (start, end) = (self.edges[cell], self.edges[cell + 1]);
        let position = |t: f64| match t < high {
            true => start + (t - low) / (high - low) * (end - start),
            false => end,
        };
        let mut t = low;
        while t < high {
            // Cells of b that end at or below t have been used up. The last level of b is 1 ≥ high > t, so that j stays a cell.
            while self.levels[*j + 1] <= t {
                *j += 1;
            }
            let next = high.min(self.levels[*j + 1]);
            pieces.push(Piece {
                cell,
                x: [position(t), position(next)],
                y: [self.inside(*j, t), self.inside(*j, next)],
                slope: self.slope(*j),
            });
            t = next;
        }
    }

    /// Returns the piece of a cell without mass, at level t.
    fn of_empty_cell(&self, cell: usize, t: f64) -> Piece {
        // The values of b at level t form an interval. Any increasing choice of T(x) in it belongs to an optimal
        // potential. The point nearest to x makes φ constant where both measures are empty, and so zero at a match.
        let first = self.levels.partition_point(|level| *level < t);
        let last = self.levels.partition_point(|level| *level <= t) - 1;
        let (range, slope) = match first <= last {
            true if first == last => (
                [self.edges[first]; 2],
                self.slope(first.min(self.edges.len() - 2)),
            ),
            // Beyond all mass of b δF is zero but for rounding. In a gap within b the potential has a kink.
            true => {
                let outside = first == 0 || last + 1 == self.levels.len();
                let slope = if outside {
                    self.steepest
                } else {
                    f64::INFINITY
                };
                ([self.edges[first], self.edges[last]], slope)
            }
            false => ([self.inside(last, t); 2], self.slope(last)),
        };
        let x = [self.edges[cell], self.edges[cell + 1]];
        let y = x.map(|x| x.clamp(range[0], range[1]));
        Piece { cell, x, y, slope }
    }
}
