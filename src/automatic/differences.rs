//! Derivatives against differences, where an evaluation took branches that no earlier one took.
//!
//! Derivatives are exact for the branch that was taken. They are wrong where a value was read without its derivatives, where a
//! branch holds at a single point (`if x == 0.0`), and where a loop ends at once because its start has already converged.

use super::error::{Error, Outcome, Variable};
use super::jacobian::{Map, evaluate, weights};
use super::sparsity::Sparsity;

/// Steps of the differences, relative to the size of x.
const STEPS: [f64; 3] = [1e-4, 1e-5, 1e-6];

/// Relative error of a derivative that differences at all steps show, and rounding or curvature do not.
const WRONG: f64 = 1e-2;

/// Least number of groups of variables that are moved one after the other.
const GROUPS: usize = 32;

/// Largest number of rows whose variables are examined.
const EXAMINED: usize = 8;

/// Jacobian of a map at a point, to be compared with differences.
pub(super) struct Differences<'a, M> {
    map: &'a M,
    x: &'a [f64],
    sparsity: &'a Sparsity,
    values: &'a [f64],
    weights: Vec<f64>,
    centre: Vec<f64>,
    /// Sizes Σⱼ |Jᵢⱼ xⱼ| of the terms of every row, which may cancel in its value.
    terms: Vec<f64>,
}

/// Wrong derivative: its row and its column.
type Place = (usize, usize);

impl<'a, M: Map> Differences<'a, M> {
    pub(super) fn new(
        map: &'a M,
        x: &'a [f64],
        (sparsity, values): (&'a Sparsity, &'a [f64]),
    ) -> Self {
        let mut differences = Self {
            map,
            x,
            sparsity,
            values,
            weights: weights(x),
            centre: evaluate(map, x),
            terms: Vec::new(),
        };
        let sizes: Vec<f64> = x.iter().map(|x| x.abs()).collect();
        let all: Vec<usize> = (0..x.len()).collect();
        differences.terms = differences.sums(&all, &sizes, f64::abs);
        differences
    }

    /// Checks the derivatives along all variables at once, or along groups of them. `read` says whether the map reads values
    /// without their derivatives.
    ///
    /// # Errors
    /// Fails if the derivative with respect to a single variable is wrong.
    pub(super) fn check(
        &self,
        in_groups: bool,
        (variable, read): (fn(usize) -> Variable, bool),
    ) -> Outcome<()> {
        let groups = if in_groups {
            self.groups()
        } else {
            vec![(0..self.x.len()).collect()]
        };
        let found = groups.iter().find_map(|group| self.first_wrong(group));
        match found {
            None => Ok(()),
            Some((row, column)) => {
                let variable = variable(column);
                Err(match read {
                    true => Error::Lost { row, variable },
                    false => Error::OffBranch { row, variable },
                })
            }
        }
    }

    /// Returns groups of variables of the same colour, which affect different rows.
    fn groups(&self) -> Vec<Vec<usize>> {
        let split = GROUPS.div_ceil(self.sparsity.colours.max(1));
        let mut groups = vec![Vec::new(); split * self.sparsity.colours.max(1)];
        for (j, colour) in self.sparsity.colour.iter().enumerate() {
            groups[colour * split + j % split].push(j);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }

    fn first_wrong(&self, group: &[usize]) -> Option<Place> {
        let wrong = self.contradictions(group);
        let rows = (0..wrong.len()).filter(|&row| wrong[row]).take(EXAMINED);
        rows.filter_map(|row| Some((row, self.culprit(row, group)?)))
            .next()
    }

    /// Returns the first variable of a group whose derivative in this row is wrong on its own.
    ///
    /// At a kink in several variables the derivatives of the branches taken need not add up to a derivative along all.
    fn culprit(&self, row: usize, group: &[usize]) -> Option<usize> {
        if !self.contradictions(group)[row] {
            return None;
        }
        match group {
            [] => None,
            [column] => Some(*column),
            _ => {
                let (left, right) = group.split_at(group.len() / 2);
                self.culprit(row, left).or_else(|| self.culprit(row, right))
            }
        }
    }

    /// Returns for every row whether the differences along these variables contradict its derivative at every step.
    fn contradictions(&self, group: &[usize]) -> Vec<bool> {
        let claims = self.sums(group, &self.weights, |value| value);
        let mut wrong = vec![true; claims.len()];
        for h in STEPS {
            let [plus, minus] = [h, -h].map(|h| {
                let mut x = self.x.to_vec();
                group.iter().for_each(|&j| x[j] += h * self.weights[j]);
                evaluate(self.map, &x)
            });
            for (row, wrong) in wrong.iter_mut().enumerate() {
                let (plus, centre, minus) = (plus[row], self.centre[row], minus[row]);
                let [right, left] = [(plus - centre) / h, (centre - minus) / h];
                let size = right.abs().max(left.abs()).max(claims[row].abs());
                let size_of_terms = plus.abs().max(minus.abs()).max(self.terms[row]);
                let rounding = f64::EPSILON * size_of_terms / h;
                let margin = WRONG * size + 10.0 * rounding;
                // At a kink any slope between those of both sides serves.
                let above = claims[row] > right.max(left) + margin;
                let below = claims[row] < right.min(left) - margin;
                *wrong &= above || below;
            }
        }
        wrong
    }

    /// Returns Σⱼ f(Jᵢⱼ) wⱼ over these variables for every row i.
    fn sums(&self, group: &[usize], weights: &[f64], f: impl Fn(f64) -> f64) -> Vec<f64> {
        let structure = &self.sparsity.structure;
        let mut sums = vec![0.0; self.centre.len()];
        for &j in group {
            let range = structure.col_range(j);
            let rows = &structure.row_idx()[range.clone()];
            for (value, &i) in self.values[range].iter().zip(rows) {
                sums[i] += f(*value) * weights[j];
            }
        }
        sums
    }
}
