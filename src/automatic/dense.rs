//! Dense derivatives of a formula with few parameters, in buffers that are used again.

use std::array::from_fn;

use super::curve::Formula;
use super::decisions::Decisions;
use super::dual::Lanes;

/// Dense derivatives by evaluations with N directions each. Branches are not checked: trace the formula once before, or keep a
/// [`Watch`](super::Watch).
pub(crate) struct Slopes<const N: usize> {
    input: Vec<Lanes<f64, N>>,
    output: Vec<Lanes<f64, N>>,
}

impl<const N: usize> Slopes<N> {
    /// Creates the buffers for k values and p parameters.
    pub(crate) fn new(k: usize, p: usize) -> Self {
        Self {
            input: vec![0.0.into(); p],
            output: vec![0.0.into(); k],
        }
    }

    /// Writes ∂F/∂θ at θ to `out`, column by column. Returns a hash of the branches that the evaluations took.
    pub(crate) fn at<F: Formula>(&mut self, formula: &F, theta: &[f64], out: &mut [f64]) -> u64 {
        Decisions::take();
        // Other formulas may use the same buffers.
        self.input.resize(theta.len(), 0.0.into());
        self.output.resize(formula.dims().0, 0.0.into());
        let columns = out.chunks_exact_mut(self.output.len());
        let mut columns = columns.enumerate().peekable();
        while let Some(&(first, _)) = columns.peek() {
            for (j, (x, &value)) in self.input.iter_mut().zip(theta).enumerate() {
                x.value = value;
                x.tangent = from_fn(|lane| f64::from(u8::from(first + lane == j)));
            }
            // A value that the formula leaves out must not pass for the one of the last fit.
            self.output.fill(f64::NAN.into());
            formula.values(&self.input, &mut self.output);
            for (lane, (_, column)) in columns.by_ref().take(N).enumerate() {
                let pairs = column.iter_mut().zip(&self.output);
                pairs.for_each(|(slope, y)| *slope = y.tangent[lane]);
            }
        }
        Decisions::take().branch
    }
}
