//! Values of Jacobians.

use super::blocks;
use super::decisions::Decisions;
use super::dual::{Dual, Lanes};
use super::scalar::Scalar;
use super::sparsity::Sparsity;
use super::tape::Tape;

/// Size of Σ|Jᵢⱼwⱼ| below which underflow may exceed rounding: products that pass through numbers below the smallest normal one lose
/// digits, and may be 0 in one order of the factors but not in another.
pub(super) const UNDERFLOW: f64 = f64::MIN_POSITIVE / f64::EPSILON;

/// Differentiable map x ↦ y with `rows` outputs.
pub(super) trait Map: Sync {
    fn rows(&self) -> usize;
    fn at<S: Scalar>(&self, x: &[S], out: &mut [S]);

    /// Writes the outputs from `first` on, as many as `out` has, and returns true. Returns false if the map has no blocks.
    fn block<S: Scalar>(&self, x: &[S], first: usize, out: &mut [S]) -> bool {
        let _ = (x, first, out);
        false
    }
}

/// Values of a Jacobian, and what their evaluation showed.
pub(super) struct Evaluation {
    pub(super) values: Vec<f64>,
    /// Worst disagreement of J w with the derivative along w, relative to Σ|Jᵢⱼwⱼ|, and its row. It is infinite if a derivative
    /// outside the pattern is not zero.
    pub(super) gap: (f64, usize),
    pub(super) decisions: Decisions,
}

impl Sparsity {
    /// Computes the values of the Jacobian at x.
    pub(super) fn evaluate<M: Map>(&self, map: &M, x: &[f64]) -> Evaluation {
        let mut values = vec![0.0; self.len()];
        Decisions::take();
        let mut gap = self.reverse_values(map, x, &mut values);
        if self.reverse.len() < self.rows.len() {
            let forward = self.forward_values(map, x, &mut values);
            gap = if forward.0 > gap.0 { forward } else { gap };
        }
        let decisions = Decisions::take();
        if decisions.singular {
            self.singular_values(map, x, &mut values);
        }
        Evaluation {
            values,
            gap,
            decisions,
        }
    }

    /// Computes all rows that are not differentiated in reverse, and returns their worst disagreement.
    fn forward_values<M: Map>(&self, map: &M, x: &[f64], values: &mut [f64]) -> (f64, usize) {
        // A full pattern has no entry to miss.
        let checked = !self.is_full();
        let lanes = self.colours + usize::from(checked);
        // An evaluation with N derivatives costs about 3 + N plain ones. More than 12 do not fit in the registers.
        let cost = |n: &usize| lanes.div_ceil(*n) * (3 + n);
        let widths = [1, 2, 4, 6, 8, 12];
        let passes = Passes {
            sparsity: self,
            map,
            x,
            checked,
        };
        match widths.into_iter().min_by_key(cost) {
            Some(2) => passes.run::<2>(values),
            Some(4) => passes.run::<4>(values),
            Some(6) => passes.run::<6>(values),
            Some(8) => passes.run::<8>(values),
            Some(12) => passes.run::<12>(values),
            _ => passes.run::<1>(values),
        }
    }

    /// Computes the rows that are differentiated in reverse, and returns an infinite disagreement for the first of them with a
    /// derivative outside the pattern.
    pub(super) fn reverse_values<M: Map>(
        &self,
        map: &M,
        x: &[f64],
        values: &mut [f64],
    ) -> (f64, usize) {
        let mut gap = (0.0, 0);
        if self.reverse.is_empty() {
            return gap;
        }
        let tape = Tape::record(x, map.rows(), |x, out| map.at(x, out));
        // Rows increase, and so do the entries of a column: one cursor per column.
        let mut cursors = self.structure.col_ptr()[..x.len()].to_vec();
        for &i in &self.reverse {
            let mut gradient = tape.gradient(i);
            self.store_row(i, &gradient, (&mut cursors, values));
            self.rows[i].iter().for_each(|&j| gradient[j] = 0.0);
            if gap.0 == 0.0 && gradient.iter().any(|g| *g != 0.0) {
                gap = (f64::INFINITY, i);
            }
        }
        gap
    }

    /// Computes again the rows in which an infinite slope meets a derivative of zero.
    ///
    /// Forward evaluations cannot tell 0·∞, which is undefined, from the derivative of a constant. A tape can.
    pub(super) fn singular_values<M: Map>(&self, map: &M, x: &[f64], values: &mut [f64]) {
        let tape = Tape::record(x, map.rows(), |x, out| map.at(x, out));
        let mut cursors = self.structure.col_ptr()[..x.len()].to_vec();
        for i in tape.singular() {
            self.store_row(i, &tape.gradient(i), (&mut cursors, values));
        }
    }

    /// Stores a row, where the cursor of every column is at no later row.
    fn store_row(&self, i: usize, row: &[f64], (cursors, values): (&mut [usize], &mut [f64])) {
        let row_of = self.structure.row_idx();
        for &j in &self.rows[i] {
            while row_of[cursors[j]] < i {
                cursors[j] += 1;
            }
            values[cursors[j]] = row[j];
        }
    }

    /// Returns the worst disagreement of J w with the derivative `along` w, relative to Σ|Jᵢⱼwⱼ|, and its row. Rows that are
    /// differentiated in reverse are left out.
    pub(super) fn gap(&self, along: &[f64], weights: &[f64], values: &[f64]) -> (f64, usize) {
        let mut sums = vec![[0.0, 0.0]; along.len()];
        for (j, weight) in weights.iter().enumerate() {
            let range = self.structure.col_range(j);
            let rows = &self.structure.row_idx()[range.clone()];
            for (value, &i) in values[range].iter().zip(rows) {
                let term = value * weight;
                sums[i][0] += term;
                sums[i][1] += term.abs();
            }
        }
        let rows = along.iter().zip(&sums).zip(&self.is_reverse).enumerate();
        let mut worst = (0.0, 0);
        for (row, ((along, [sum, size]), reverse)) in rows {
            // NaN compares as agreement: a wider pattern does not cure it.
            let gap = (along - sum).abs();
            let size = size.max(UNDERFLOW);
            if !reverse && gap > worst.0 * size {
                worst = (gap / size, row);
            }
        }
        worst
    }
}

/// Evaluations that differentiate with respect to N colours each.
struct Passes<'a, M> {
    sparsity: &'a Sparsity,
    map: &'a M,
    x: &'a [f64],
    /// Whether an additional lane checks the pattern.
    checked: bool,
}

impl<M: Map> Passes<'_, M> {
    fn run<const N: usize>(&self, values: &mut [f64]) -> (f64, usize) {
        let (sparsity, x) = (self.sparsity, self.x);
        let lanes = sparsity.colours + usize::from(self.checked);
        let weights = match self.checked {
            true => weights(x),
            false => Vec::new(),
        };
        let mut input: Vec<Lanes<f64, N>> = x.iter().map(|&x| x.into()).collect();
        let rows = sparsity.rows.len();
        let by_blocks = sparsity.is_plain() && blocks::has_blocks(self.map, x);
        let mut out = match by_blocks {
            true => Vec::new(),
            false => vec![Dual::from(f64::NAN); rows],
        };
        let mut gap = (0.0, 0);
        for first in (0..lanes).step_by(N) {
            // The lane after the last colour.
            let lane = sparsity.colours - first;
            let check = (self.checked && lane < N).then_some(lane);
            for (j, x) in input.iter_mut().enumerate() {
                x.tangent = [0.0; N];
                let lane = sparsity.colour[j].wrapping_sub(first);
                if lane < N {
                    x.tangent[lane] = 1.0;
                }
                if let Some(lane) = check {
                    x.tangent[lane] = weights[j];
                }
            }
            if by_blocks {
                let columns = rows * first..rows * (first + N).min(lanes);
                blocks::slopes(self.map, &input, &mut values[columns]);
                continue;
            }
            self.map.at(&input, &mut out);
            self.scatter(first, &out, values);
            if let Some(lane) = check {
                let along: Vec<f64> = out.iter().map(|y| y.tangent[lane]).collect();
                gap = sparsity.gap(&along, &weights, values);
            }
        }
        gap
    }

    /// Stores the derivatives with respect to the N colours from `first` on.
    fn scatter<const N: usize>(&self, first: usize, out: &[Lanes<f64, N>], values: &mut [f64]) {
        let sparsity = self.sparsity;
        for (j, colour) in sparsity.colour.iter().enumerate() {
            let lane = colour.wrapping_sub(first);
            if lane >= N {
                continue;
            }
            let range = sparsity.structure.col_range(j);
            let column = &mut values[range.clone()];
            if column.len() == out.len() && sparsity.reverse.is_empty() {
                let pairs = column.iter_mut().zip(out);
                pairs.for_each(|(value, y)| *value = y.tangent[lane]);
                continue;
            }
            let rows = &sparsity.structure.row_idx()[range];
            for (value, &i) in column.iter_mut().zip(rows) {
                if !sparsity.is_reverse[i] {
                    *value = out[i].tangent[lane];
                }
            }
        }
    }
}

/// Returns a direction w without zeros, in the units of x.
pub(super) fn weights(x: &[f64]) -> Vec<f64> {
    // Multiples of the golden ratio modulo 1 are spread evenly and satisfy no relation that could cancel.
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let weight = |(j, x): (usize, &f64)| {
        let size = if *x == 0.0 { 1.0 } else { x.abs() };
        size * (0.5 + ((j + 1) as f64 * GOLDEN).fract())
    };
    x.iter().enumerate().map(weight).collect()
}

/// Returns a direction without zeros and with entries of the same size, whatever the units of x.
pub(super) fn unit_weights(x: &[f64]) -> Vec<f64> {
    weights(&vec![0.0; x.len()])
}

/// Returns f(x), with NaN for outputs that are not written.
pub(super) fn evaluate<M: Map>(map: &M, x: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; map.rows()];
    map.at(x, &mut out);
    out
}

/// Returns J v by one evaluation with a derivative.
pub(super) fn derivative<M: Map>(map: &M, x: &[f64], v: &[f64]) -> Vec<f64> {
    let number = |(&value, &v): (&f64, &f64)| Lanes::<f64, 1> {
        value,
        tangent: [v],
    };
    let input: Vec<Lanes<f64, 1>> = x.iter().zip(v).map(number).collect();
    let mut out = vec![Lanes::from(f64::NAN); map.rows()];
    map.at(&input, &mut out);
    out.iter().map(|y| y.tangent[0]).collect()
}
