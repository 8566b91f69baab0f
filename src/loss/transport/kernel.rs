//! Sums with the kernel exp(−|x − y|²/ε) over the cells of a box, one axis after the other.

use faer::{MatMut, MatRef};

use crate::linalg::{SHARED, add_product, share_pieces, vectorised};

/// Number of lines that a thread takes at a time.
const LINES: usize = 64;

/// Smallest sum in the scaling form that keeps all its digits.
//
// The weights are scaled to have the maximum 1. Products below 2⁻¹⁰⁷⁴ ≈ 5·10⁻³²⁴ vanish and others below 2⁻¹⁰²² are rounded to
// multiples of 2⁻¹⁰⁷⁴. For N cells this changes a sum by less than N·10⁻³⁰⁷, or a fraction of N·10⁻¹⁷ of a sum above this bound.
const LEAST: f64 = 1e-290;

/// Largest distance of an exponent from the largest exponent of a sum, beyond which a term is left out.
// e⁻⁴² = 6·10⁻¹⁹ is less than a hundredth of an ulp.
const NEGLIGIBLE: f64 = 42.0;

/// Kernel exp(−|x − y|²/ε) between two boxes of the same shape. It is a product over the axes.
pub(super) struct Kernel {
    axes: Vec<Axis>,
}

/// Kernel of one axis of n cells. The entries of all sources y follow each other for every target x.
struct Axis {
    n: usize,
    /// Squares (x − y)²/ε.
    squares: Vec<f64>,
    /// Weights exp(−(x − y)²/ε).
    weights: Vec<f64>,
}

impl Kernel {
    /// Returns the kernel from the sources to the targets, given the coordinates of their cells along every axis.
    pub(super) fn new(sources: &[Vec<f64>], targets: &[Vec<f64>], epsilon: f64) -> Self {
        let axis = |(from, to): (&Vec<f64>, &Vec<f64>)| {
            let square = |x: f64| from.iter().map(move |y| (x - y) * (x - y) / epsilon);
            let squares: Vec<f64> = to.iter().flat_map(|x| square(*x)).collect();
            Axis {
                n: from.len(),
                weights: squares.iter().map(|s| (-s).exp()).collect(),
                squares,
            }
        };
        Self {
            axes: sources.iter().zip(targets).map(axis).collect(),
        }
    }
}

/// Evaluator of sums ln Σ_y exp(−|x − y|²/ε + l(y)).
///
/// Sums are products with the matrices of the kernel (the scaling form), until one of them leaves the range of numbers. From
/// then on every sum is computed from logarithms.
pub(super) struct LogSums {
    scaled: bool,
    buffers: [Vec<f64>; 2],
}

impl LogSums {
    /// Returns an evaluator for this number of cells.
    pub(super) fn new(cells: usize) -> Self {
        Self {
            scaled: true,
            buffers: [vec![0.0; cells], vec![0.0; cells]],
        }
    }

    /// Computes l(x) ← ln Σ_y exp(−|x − y|²/ε + l(y)), of which the targets x with the logarithm −∞ need not be right.
    ///
    /// An l(y) of −∞ stands for a cell without mass.
    pub(super) fn apply(&mut self, kernel: &Kernel, l: &mut [f64], targets: Option<&[f64]>) {
        if self.scaled {
            let top = l.iter().fold(f64::NEG_INFINITY, |m, l| m.max(*l));
            let pays = l.len() >= SHARED / 8;
            let weights = &mut self.buffers[0];
            weights.copy_from_slice(l);
            share_pieces(pays, weights, 1 << 12, |_, piece| {
                piece.iter_mut().for_each(|w| *w = (*w - top).exp());
            });
            self.passes(kernel, product_pass);
            let sums = &self.buffers[0];
            self.scaled = in_range(sums, targets);
            if self.scaled {
                l.copy_from_slice(sums);
                share_pieces(pays, l, 1 << 12, |_, piece| {
                    piece.iter_mut().for_each(|s| *s = s.ln() + top);
                });
                return;
            }
        }
        self.buffers[0].copy_from_slice(l);
        self.passes(kernel, log_pass);
        l.copy_from_slice(&self.buffers[0]);
    }

    /// Sums over one axis after the other, from the first buffer to the first buffer.
    fn passes(&mut self, kernel: &Kernel, pass: impl Fn(&Axis, &[f64], &mut [f64])) {
        let [x, y] = &mut self.buffers;
        for axis in &kernel.axes {
            pass(axis, x, y);
            std::mem::swap(x, y);
        }
    }
}

/// Returns whether the sums at all targets keep their digits.
fn in_range(sums: &[f64], targets: Option<&[f64]>) -> bool {
    match targets {
        Some(logs) => {
            (sums.iter().zip(logs)).all(|(s, log)| *s >= LEAST || *log == f64::NEG_INFINITY)
        }
        None => sums.iter().all(|s| *s >= LEAST),
    }
}

/// Computes y ← xᵀW with the weights W of one axis, where x has the axis first, and y has it last.
///
/// After a pass along every axis the axes are in order again.
fn product_pass(axis: &Axis, x: &[f64], y: &mut [f64]) {
    let n = axis.n;
    let weights = MatRef::from_column_major_slice(&axis.weights, n, n);
    let lines = x.len() / n;
    let pays = x.len() * n >= SHARED;
    // In column-major order x is the matrix with the lines as rows, and y that with the lines as columns: y = Wᵀxᵀ.
    let x = MatRef::from_column_major_slice(x, lines, n).transpose();
    // Every piece is computed by one thread, and pieces do not depend on the number of threads.
    share_pieces(pays, y, LINES * n, |first, piece| {
        piece.fill(0.0);
        let count = piece.len() / n;
        let out = MatMut::from_column_major_slice_mut(piece, n, count);
        add_product(out, weights.transpose(), x.subcols(first / n, count));
    });
}

/// Computes y(x) ← ln Σ_y exp(l(y) − (x − y)²/ε) along one axis, with the layout of [`product_pass`].
fn log_pass(axis: &Axis, l: &[f64], y: &mut [f64]) {
    let (n, squares) = (axis.n, &axis.squares);
    let lines = l.len() / n;
    let pays = l.len() * n >= SHARED;
    share_pieces(pays, y, LINES * n, |first, piece| {
        let mut line = vec![0.0; n];
        for (k, out) in piece.chunks_mut(n).enumerate() {
            let entries = l[first / n + k..].iter().step_by(lines);
            line.iter_mut().zip(entries).for_each(|(to, l)| *to = *l);
            vectorised(
                #[inline(always)]
                || {
                    for (x, out) in out.iter_mut().enumerate() {
                        *out = log_sum(&line, &squares[x * n..(x + 1) * n]);
                    }
                },
            );
        }
    });
}

/// Returns ln Σ exp(lᵢ − sᵢ).
#[inline(always)]
fn log_sum(l: &[f64], s: &[f64]) -> f64 {
    let top = largest_difference(l, s);
    if top == f64::NEG_INFINITY {
        return top;
    }
    let mut sum = 0.0;
    for (l, s) in l.iter().zip(s) {
        let exponent = l - s - top;
        if exponent > -NEGLIGIBLE {
            sum += exponent.exp();
        }
    }
    top + sum.ln()
}

/// Returns the maximum of lᵢ − sᵢ.
#[inline(always)]
fn largest_difference(l: &[f64], s: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut largest = [f64::NEG_INFINITY; LANES];
    let ((l, l_rest), (s, s_rest)) = (l.as_chunks::<LANES>(), s.as_chunks::<LANES>());
    for (l, s) in l.iter().zip(s) {
        for lane in 0..LANES {
            let difference = l[lane] - s[lane];
            if difference > largest[lane] {
                largest[lane] = difference;
            }
        }
    }
    let rest = l_rest.iter().zip(s_rest).map(|(l, s)| l - s);
    largest
        .into_iter()
        .chain(rest)
        .fold(f64::NEG_INFINITY, f64::max)
}
