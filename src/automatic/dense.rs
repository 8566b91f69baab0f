//! Dense derivatives of a formula with few parameters, in buffers that are used again.

use std::array::from_fn;

use super::blocks;
use super::curve::{Formula, Values};
use super::decisions::Decisions;
use super::dual::Lanes;
use super::jacobian::Map;

/// Dense derivatives by evaluations with N directions each. Branches are not checked: trace the formula once before, or keep a
/// [`Watch`](super::Watch).
pub(crate) struct Slopes<const N: usize> {
    input: Vec<Lanes<f64, N>>,
    output: Vec<Lanes<f64, N>>,
}

impl<const N: usize> Slopes<N> {
    /// Creates the buffers for p parameters.
    pub(crate) fn new(p: usize) -> Self {
        Self {
            input: vec![0.0.into(); p],
            output: Vec::new(),
        }
    }

    /// Writes ∂F/∂θ at θ to `out`, column by column. Returns a hash of the branches that the evaluations took.
    pub(crate) fn at<F: Formula>(&mut self, formula: &F, theta: &[f64], out: &mut [f64]) -> u64 {
        Decisions::take();
        // Other formulas may use the same buffers.
        self.input.resize(theta.len(), 0.0.into());
        let (map, rows) = (Values(formula), formula.dims().0);
        let by_blocks = blocks::has_blocks(&map, theta);
        for (pass, columns) in out.chunks_mut(N * rows).enumerate() {
            let first = N * pass;
            for (j, (x, &value)) in self.input.iter_mut().zip(theta).enumerate() {
                x.value = value;
                x.tangent = from_fn(|lane| f64::from(u8::from(first + lane == j)));
            }
            if by_blocks {
                blocks::slopes(&map, &self.input, columns);
                continue;
            }
            // A value that the formula leaves out must not pass for the one of the last fit.
            self.output.clear();
            self.output.resize(rows, f64::NAN.into());
            map.at(&self.input, &mut self.output);
            for (lane, column) in columns.chunks_exact_mut(rows).enumerate() {
                let pairs = column.iter_mut().zip(&self.output);
                pairs.for_each(|(slope, y)| *slope = y.tangent[lane]);
            }
        }
        Decisions::take().branch
    }
}
