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
use super::jacobian::{Map, UNDERFLOW, derivative, unit_weights};
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

    /// Returns the number of directions that give all entries, and check that there are no others.
    pub(crate) fn directions(&self) -> usize {
        self.0.colours + usize::from(!self.0.is_full())
    }
}

/// Branches of an evaluation, or entries that it has missed.
pub(crate) type Evaluated = std::result::Result<u64, Entries>;

/// Sparse derivatives by evaluations with N directions each.
///
/// One more direction checks every evaluation for entries that the pattern lacks, as behind a branch that depends on time. The
/// first evaluation with new outcomes of comparisons is checked along two directions.
pub(crate) struct SparseSlopes<const N: usize> {
    entries: Entries,
    passes: Vec<Pass>,
    input: Vec<Lanes<f64, N>>,
    output: Vec<Lanes<f64, N>>,
    /// Whether the directions of the only pass are set, but the one that checks.
    seeded: bool,
    check: Check,
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
        // A full pattern has no entry to miss.
        let checked = !entries.0.is_full();
        let firsts = (0..entries.0.colours + usize::from(checked)).step_by(N);
        Self {
            entries: entries.clone(),
            passes: firsts
                .map(|first| Pass::new(&entries.0, first, N))
                .collect(),
            input: vec![0.0.into(); p],
            output: vec![0.0.into(); k],
            seeded: false,
            check: Check::new(&entries.0),
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
        let mut gap = sparsity.reverse_values(&map, first, values);
        if sparsity.reverse.len() < sparsity.rows.len() {
            let forward = self.forward(formula, theta, values);
            gap = if forward.0 > gap.0 { forward } else { gap };
        }
        let decisions = Decisions::take();
        if decisions.singular {
            sparsity.singular_values(&map, first, values);
        }
        let branch = decisions.branch;
        if branch != 0 && !sparsity.is_full() && !self.branches.contains(&branch) {
            // In other units the check weighs variables that are tiny here.
            let weights = &self.check.units;
            let other = sparsity.gap(&derivative(&map, first, weights), weights, values);
            gap = if other.0 > gap.0 { other } else { gap };
        }
        if let Some(more) = self.judge(&map, first, gap)? {
            return Ok(Err(more));
        }
        if branch != 0 {
            if self.branches.len() >= REMEMBERED {
                self.branches.clear();
            }
            self.branches.insert(branch);
        }
        Ok(Ok(branch))
    }

    /// Computes all rows that are not differentiated in reverse, and returns their worst disagreement, with its row.
    fn forward<F: Formula>(
        &mut self,
        formula: &F,
        theta: &[f64],
        values: &mut [f64],
    ) -> (f64, usize) {
        let (sparsity, mut gap) = (&*self.entries.0, (0.0, 0));
        let numbers = self.input.iter_mut().zip(theta);
        numbers.for_each(|(number, &value)| number.value = value);
        self.check.begin(theta);
        for pass in &self.passes {
            if !self.seeded {
                // Parameters without a column have a colour of no pass.
                let colours = sparsity.colour.iter().copied().chain(repeat(usize::MAX));
                for (number, colour) in self.input.iter_mut().zip(colours) {
                    number.tangent = from_fn(|l| f64::from(u8::from(pass.first + l == colour)));
                }
            }
            if let Some(lane) = pass.checking {
                let numbers = self.input.iter_mut().zip(&self.check.weights);
                numbers.for_each(|(number, weight)| number.tangent[lane] = *weight);
            }
            formula.values(&self.input, &mut self.output);
            gap = pass.scatter(&mut self.output, values, &mut self.check);
        }
        self.seeded = self.passes.len() == 1;
        gap
    }

    /// Records a tape if a disagreement is not rounding. Returns all entries if the tape shows others.
    fn judge<M: Map>(&mut self, map: &M, x: &[f64], gap: (f64, usize)) -> Result<Option<Entries>> {
        let sparsity = &self.entries.0;
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
    /// Lane that checks the pattern.
    checking: Option<usize>,
    /// Number of entries of every row.
    counts: Vec<u32>,
    /// Lane, place and column of every entry, row by row.
    entries: Vec<[u32; 3]>,
}

impl Pass {
    /// Lists the entries of `width` colours from `first` on.
    fn new(sparsity: &Sparsity, first: usize, width: usize) -> Self {
        let columns = sparsity.colour.len();
        // The lane after the last colour.
        let lane = sparsity.colours - first;
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
                    entries.push([lane as u32, place as u32, j as u32]);
                }
            }
            counts.push((entries.len() - before) as u32);
        }
        Self {
            first,
            checking: (!sparsity.is_full())
                .then_some(lane)
                .filter(|lane| *lane < width),
            counts,
            entries,
        }
    }

    /// Stores the derivatives. Returns the worst disagreement so far relative to Σ |Jᵢⱼwⱼ|, with its row, if a lane holds the
    /// derivatives along w.
    fn scatter<const N: usize>(
        &self,
        output: &mut [Lanes<f64, N>],
        values: &mut [f64],
        check: &mut Check,
    ) -> (f64, usize) {
        let (mut entries, mut worst) = (&*self.entries, (0.0, 0));
        let rows = output.iter_mut().zip(&self.counts).zip(&mut check.rows);
        for (index, ((y, &count), row)) in rows.enumerate() {
            let (own, rest) = entries.split_at(count as usize);
            for &[lane, place, column] in own {
                let value = y.tangent[lane as usize];
                values[place as usize] = value;
                let term = value * check.weights[column as usize];
                row.sum += term;
                row.size += term.abs();
            }
            if let Some(lane) = self.checking {
                // NaN compares as agreement: more entries do not cure it.
                let gap = (y.tangent[lane] - row.sum).abs();
                let size = row.size.max(UNDERFLOW);
                if gap > worst.0 * size && !row.reverse {
                    worst = (gap / size, index);
                }
            }
            // A value that the formula leaves out must not pass for the one of the last evaluation.
            y.tangent = [f64::NAN; N];
            entries = rest;
        }
        worst
    }
}

/// Comparison of J w with the derivative along w.
struct Check {
    /// Direction without zeros.
    units: Vec<f64>,
    /// The direction w, in the units of the parameters.
    weights: Vec<f64>,
    rows: Vec<Sums>,
}

/// Sums over the entries of a row.
#[derive(Clone)]
struct Sums {
    /// Σ Jᵢⱼwⱼ.
    sum: f64,
    /// Σ |Jᵢⱼwⱼ|.
    size: f64,
    /// Whether the row is differentiated in reverse, and not checked.
    reverse: bool,
}

impl Check {
    fn new(sparsity: &Sparsity) -> Self {
        let sums = |&reverse: &bool| Sums {
            sum: 0.0,
            size: 0.0,
            reverse,
        };
        let columns = vec![0.0; sparsity.colour.len()];
        Self {
            units: unit_weights(&columns),
            weights: columns,
            rows: sparsity.is_reverse.iter().map(sums).collect(),
        }
    }

    /// Sets the direction.
    fn begin(&mut self, theta: &[f64]) {
        for row in &mut self.rows {
            (row.sum, row.size) = (0.0, 0.0);
        }
        for ((weight, unit), x) in self.weights.iter_mut().zip(&self.units).zip(theta) {
            *weight = if *x == 0.0 { *unit } else { x.abs() * unit };
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
