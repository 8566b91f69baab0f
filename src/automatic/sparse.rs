//! Sparse derivatives of a formula with many parameters, in buffers that are used again.

use std::array::from_fn;
use std::collections::HashSet;
use std::iter::repeat;
use std::sync::Arc;

use faer::sparse::SymbolicSparseColMat;

use super::cache::{DISAGREEMENT, INCONSISTENT, REMEMBERED, ROUNDING};
use super::curve::Formula;
use super::decisions::Decisions;
use super::dual::Lanes;
use super::error::Error;
use super::jacobian::{Map, derivative, unit_weights, weights};
use super::scalar::Scalar;
use super::sparsity::Sparsity;
use super::trace::trace;
use crate::error::Result;

/// Entries of the derivatives of a formula, with the plan of their evaluation.
#[derive(Clone)]
pub(crate) struct Entries(Arc<Sparsity>);

impl Entries {
    /// Finds the entries at θ. Values that are read without derivatives, and other branches, are not checked.
    ///
    /// # Errors
    /// Fails if the formula does not write all values, or is not a function of θ alone.
    pub(crate) fn trace<F: Formula>(formula: &F, theta: &[f64]) -> Result<Self> {
        let rest = &[];
        let rows = trace(&First { formula, rest }, theta)?;
        Ok(Self(Arc::new(Sparsity::new(theta.len(), rows))))
    }

    /// Returns the entries column by column.
    pub(crate) fn columns(&self) -> &Arc<SymbolicSparseColMat<usize>> {
        &self.0.structure
    }

    /// Returns the entries of the first columns.
    pub(crate) fn first(&self, columns: usize) -> Self {
        let row = |row: &Vec<usize>| row.iter().copied().take_while(|j| *j < columns).collect();
        let rows = self.0.rows.iter().map(row).collect();
        Self(Arc::new(Sparsity::new(columns, rows)))
    }

    /// Returns these entries and others, which may have fewer columns.
    pub(crate) fn union(&self, other: &Self) -> Self {
        Self(Arc::new(self.0.union(&other.0.rows)))
    }

    /// Returns the number of directions that give all entries.
    pub(crate) fn colours(&self) -> usize {
        self.0.colours
    }
}

/// Branches of an evaluation, or entries that it has missed.
pub(crate) type Evaluated = std::result::Result<u64, Entries>;

/// Sparse derivatives by evaluations with N directions each.
///
/// A formula without comparisons has the same entries everywhere. Otherwise the first evaluation with new outcomes of its
/// comparisons is compared with derivatives along two directions, which shows entries that the pattern lacks.
pub(crate) struct SparseSlopes<const N: usize> {
    entries: Entries,
    passes: Vec<Pass>,
    input: Vec<Lanes<f64, N>>,
    output: Vec<Lanes<f64, N>>,
    /// Whether the directions of the only pass are set.
    seeded: bool,
    /// Branches without entries outside the pattern.
    branches: HashSet<u64>,
    /// Disagreement that a tape has shown to be rounding.
    rounding: f64,
}

impl<const N: usize> SparseSlopes<N> {
    /// Creates the buffers for these entries and p parameters. The derivatives are those with respect to the first parameters,
    /// as many as the entries have columns.
    pub(crate) fn new(entries: &Entries, p: usize) -> Self {
        let k = entries.0.rows.len();
        let firsts = (0..entries.0.colours).step_by(N);
        Self {
            entries: entries.clone(),
            passes: firsts
                .map(|first| Pass::new(&entries.0, first, N))
                .collect(),
            input: vec![0.0.into(); p],
            output: vec![0.0.into(); k],
            seeded: false,
            branches: HashSet::new(),
            rounding: 0.0,
        }
    }

    /// Writes ∂F/∂θ at θ to `values`, entry by entry. Returns a hash of the branches that the evaluations took, or more entries if
    /// there are others at θ. The values are then of no use, and new buffers for these entries are needed.
    ///
    /// # Errors
    /// Fails if the formula is not a differentiable function of θ alone.
    pub(crate) fn at<F: Formula>(
        &mut self,
        formula: &F,
        theta: &[f64],
        values: &mut [f64],
    ) -> Result<Evaluated> {
        let sparsity = Arc::clone(&self.entries.0);
        let (first, rest) = theta.split_at(sparsity.colour.len());
        let map = First { formula, rest };
        Decisions::take();
        let gap = sparsity.reverse_values(&map, first, values);
        if sparsity.reverse.len() < sparsity.rows.len() {
            self.forward(formula, theta, values);
        }
        let decisions = Decisions::take();
        if decisions.singular {
            sparsity.singular_values(&map, first, values);
        }
        let branch = decisions.branch;
        // What is decided by a value that was read does not show in the branch.
        let known = branch == 0 || (self.branches.contains(&branch) && !decisions.read);
        if gap.0 == 0.0 && (known || sparsity.is_full()) {
            return Ok(Ok(branch));
        }
        if let Some(more) = self.check(&map, first, (values, gap))? {
            return Ok(Err(more));
        }
        if self.branches.len() >= REMEMBERED {
            self.branches.clear();
        }
        self.branches.insert(branch);
        Ok(Ok(branch))
    }

    /// Computes all rows that are not differentiated in reverse.
    fn forward<F: Formula>(&mut self, formula: &F, theta: &[f64], values: &mut [f64]) {
        let numbers = self.input.iter_mut().zip(theta);
        numbers.for_each(|(number, &value)| number.value = value);
        for pass in &self.passes {
            if !self.seeded {
                // Parameters without a column have a colour of no pass.
                let colours = self.entries.0.colour.iter().copied();
                let numbers = self.input.iter_mut().zip(colours.chain(repeat(usize::MAX)));
                for (number, colour) in numbers {
                    number.tangent = from_fn(|l| f64::from(u8::from(pass.first + l == colour)));
                }
            }
            formula.values(&self.input, &mut self.output);
            pass.scatter(&mut self.output, values);
        }
        self.seeded = self.passes.len() == 1;
    }

    /// Compares the values with derivatives along two directions, and records a tape where they disagree. Returns all entries if
    /// the tape shows others. `gap` is a disagreement that is known already, with its row.
    fn check<M: Map>(
        &mut self,
        map: &M,
        x: &[f64],
        (values, mut gap): (&[f64], (f64, usize)),
    ) -> Result<Option<Entries>> {
        let sparsity = &self.entries.0;
        // In the units of x, and in others, in which variables that are tiny here have weight.
        for weights in [weights(x), unit_weights(x)] {
            let other = sparsity.gap(&derivative(map, x, &weights), &weights, values);
            gap = if other.0 > gap.0 { other } else { gap };
        }
        if gap.0 <= self.rounding.max(DISAGREEMENT) {
            return Ok(None);
        }
        let rows = trace(map, x)?;
        if !sparsity.contains(&rows) {
            return Ok(Some(Entries(Arc::new(sparsity.union(&rows)))));
        }
        if gap.0 > INCONSISTENT {
            return Err(Error::Inconsistent { row: gap.1 }.into());
        }
        self.rounding = self.rounding.max((10.0 * gap.0).min(ROUNDING));
        Ok(None)
    }
}

/// Evaluation with respect to N colours.
struct Pass {
    /// First of the colours.
    first: usize,
    /// Number of entries of every row.
    counts: Vec<u32>,
    /// Lane and place of every entry, row by row.
    entries: Vec<[u32; 2]>,
}

impl Pass {
    /// Lists the entries of `width` colours from `first` on.
    fn new(sparsity: &Sparsity, first: usize, width: usize) -> Self {
        let columns = sparsity.colour.len();
        let mut cursors = sparsity.structure.col_ptr()[..columns].to_vec();
        let mut counts = Vec::with_capacity(sparsity.rows.len());
        let mut entries = Vec::new();
        for (row, &reverse) in sparsity.rows.iter().zip(&sparsity.is_reverse) {
            let before = entries.len();
            for &j in row {
                // Rows increase, and so do the entries of a column.
                let place = cursors[j];
                cursors[j] += 1;
                let lane = sparsity.colour[j].wrapping_sub(first);
                if lane < width && !reverse {
                    entries.push([lane as u32, place as u32]);
                }
            }
            counts.push((entries.len() - before) as u32);
        }
        Self {
            first,
            counts,
            entries,
        }
    }

    /// Stores the derivatives, and clears them.
    fn scatter<const N: usize>(&self, output: &mut [Lanes<f64, N>], values: &mut [f64]) {
        let mut entries = &*self.entries;
        for (y, &count) in output.iter_mut().zip(&self.counts) {
            let (row, rest) = entries.split_at(count as usize);
            for &[lane, place] in row {
                values[place as usize] = y.tangent[lane as usize];
            }
            entries = rest;
            // A value that the formula leaves out must not pass for the one of the last evaluation.
            y.tangent = [f64::NAN; N];
        }
    }
}

/// Formula as a map of its first parameters, with the others fixed.
struct First<'a, F> {
    formula: &'a F,
    rest: &'a [f64],
}

impl<F: Formula> Map for First<'_, F> {
    fn rows(&self) -> usize {
        self.formula.dims().0
    }

    fn at<S: Scalar>(&self, x: &[S], out: &mut [S]) {
        let rest = self.rest.iter().map(|&value| S::from(value));
        let all: Vec<S> = x.iter().copied().chain(rest).collect();
        self.formula.values(&all, out);
    }
}
