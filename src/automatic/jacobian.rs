//! Values of Jacobians.

use super::dual::{Dual, Lanes};
use super::scalar::Scalar;
use super::sparsity::Sparsity;
use super::tape::Tape;

/// Differentiable map x ↦ y with `rows` outputs.
pub(super) trait Map: Sync {
    fn rows(&self) -> usize;
    fn at<S: Scalar>(&self, x: &[S], out: &mut [S]);
}

/// Relative disagreement of J w with the derivative along w above which entries may be missing from the pattern.
const DISAGREEMENT: f64 = 1e-9;

impl Sparsity {
    /// Computes the values of the Jacobian at x, and whether they agree with a derivative along all columns at once.
    pub(super) fn values<M: Map>(&self, map: &M, x: &[f64]) -> (Vec<f64>, bool) {
        let mut values = vec![0.0; self.len()];
        if !self.reverse.is_empty() {
            self.reverse_values(map, x, &mut values);
        }
        if self.reverse.len() == self.rows.len() {
            return (values, true);
        }
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
        let agreed = match widths.into_iter().min_by_key(cost) {
            Some(2) => passes.run::<2>(&mut values),
            Some(4) => passes.run::<4>(&mut values),
            Some(6) => passes.run::<6>(&mut values),
            Some(8) => passes.run::<8>(&mut values),
            Some(12) => passes.run::<12>(&mut values),
            _ => passes.run::<1>(&mut values),
        };
        (values, agreed)
    }

    fn reverse_values<M: Map>(&self, map: &M, x: &[f64], values: &mut [f64]) {
        let tape = Tape::record(x, map.rows(), |x, out| map.at(x, out));
        // Rows increase, and so do the entries of a column: one cursor per column.
        let mut cursors = self.structure.col_ptr()[..x.len()].to_vec();
        let row_of = self.structure.row_idx();
        for &i in &self.reverse {
            let gradient = tape.gradient(i);
            for &j in &self.rows[i] {
                while row_of[cursors[j]] < i {
                    cursors[j] += 1;
                }
                values[cursors[j]] = gradient[j];
            }
        }
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
    fn run<const N: usize>(&self, values: &mut [f64]) -> bool {
        let (sparsity, x) = (self.sparsity, self.x);
        let lanes = sparsity.colours + usize::from(self.checked);
        let weights = match self.checked {
            true => weights(x),
            false => Vec::new(),
        };
        let mut input: Vec<Lanes<f64, N>> = x.iter().map(|&x| x.into()).collect();
        let mut out = vec![Dual::from(f64::NAN); sparsity.rows.len()];
        let mut agreed = true;
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
            self.map.at(&input, &mut out);
            self.scatter(first, &out, values);
            if let Some(lane) = check {
                let along: Vec<f64> = out.iter().map(|y| y.tangent[lane]).collect();
                agreed = self.agrees(&along, &weights, values);
            }
        }
        agreed
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
            let rows = &sparsity.structure.row_idx()[range.clone()];
            for (value, &i) in values[range].iter_mut().zip(rows) {
                if !sparsity.is_reverse[i] {
                    *value = out[i].tangent[lane];
                }
            }
        }
    }

    /// Whether J w agrees with the derivative `along` w in every row.
    fn agrees(&self, along: &[f64], weights: &[f64], values: &[f64]) -> bool {
        let structure = &self.sparsity.structure;
        let mut sums = vec![[0.0, 0.0]; along.len()];
        for (j, weight) in weights.iter().enumerate() {
            let range = structure.col_range(j);
            let rows = &structure.row_idx()[range.clone()];
            for (value, &i) in values[range].iter().zip(rows) {
                let term = value * weight;
                sums[i][0] += term;
                sums[i][1] += term.abs();
            }
        }
        let rows = along.iter().zip(&sums).zip(&self.sparsity.is_reverse);
        // NaN compares as agreement: a wider pattern does not cure it.
        let mut gaps = rows.filter(|(_, reverse)| !**reverse).map(|(pair, _)| pair);
        !gaps.any(|(along, [sum, size])| (along - sum).abs() > DISAGREEMENT * size)
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
