//! Observations that could be made.

use faer::{Mat, MatRef};

use super::problem::Problem;
use crate::check;
use crate::error::Result;
use crate::linalg::Cpu;
use crate::model::adjoint::Linearisation;
use crate::model::{Model, solve_from};
use crate::noise::Noise;

/// Observations that could be made, with what each would tell about the parameters.
///
/// Each row of the Jacobian is a candidate, unless rows are [`grouped`](Self::grouped).
#[derive(Clone, Debug)]
pub struct Candidates {
    /// Rows of the Jacobian, divided by their noise levels.
    rows: Mat<f64>,
    groups: Vec<Vec<usize>>,
    prior: Mat<f64>,
    units: Vec<f64>,
    observations: f64,
}

impl Candidates {
    /// Creates candidates from the Jacobian ∂ρ/∂θ and the standard deviation of the noise of each row.
    ///
    /// # Errors
    /// Fails if the Jacobian is empty or not finite, and if there is not one positive deviation per row.
    pub fn new(jacobian: MatRef<'_, f64>, deviations: &[f64]) -> Result<Self> {
        let (rows, p) = jacobian.shape();
        let some = rows > 0 && p > 0;
        let remedy = "give at least one row and one column";
        check::option("the size of the Jacobian", 0.0, some, remedy)?;
        check::length("the deviations of the rows", deviations.len(), rows)?;
        check::positive("the deviations of the rows", deviations)?;
        for j in 0..p {
            let column: Vec<f64> = (0..rows).map(|i| jacobian[(i, j)]).collect();
            check::finite("a column of the Jacobian", &column)?;
        }
        Ok(Self {
            rows: Mat::from_fn(rows, p, |i, j| jacobian[(i, j)] / deviations[i]),
            groups: (0..rows).map(|row| vec![row]).collect(),
            prior: Mat::zeros(p, p),
            units: vec![1.0; p],
            observations: 1.0,
        })
    }

    /// Creates candidates from the entries of the state of a model at θ, such as an [`Evolution`](crate::evolution::Evolution)
    /// with all times that are possible.
    ///
    /// # Errors
    /// Fails if the model cannot be solved or linearised, if the noise has another size than the state, or if it is correlated.
    pub fn of(model: &dyn Model, theta: &[f64], noise: &Noise) -> Result<Self> {
        let (k, backend) = (model.state_dim(), Cpu::shared());
        check::length("the noise of the candidates", noise.dim(), k)?;
        let deviations = noise.independent();
        let remedy = "give independent noise";
        check::option(
            "the noise of candidates",
            k as f64,
            deviations.is_some(),
            remedy,
        )?;
        let rho = solve_from(model, theta, model.guess(theta), backend)?;
        let linearised = Linearisation::new(model, &rho, theta, backend)?;
        Self::new(linearised.matrix()?.as_ref(), deviations.unwrap_or(&[]))
    }

    /// Groups rows that follow each other, `size` at a time, into candidates. All outputs of an evolution at a time follow each
    /// other.
    ///
    /// # Errors
    /// Fails if the number of rows is no multiple of the size.
    pub fn grouped(self, size: usize) -> Result<Self> {
        let rows = self.rows.nrows();
        let sound = size > 0 && rows.is_multiple_of(size);
        let remedy = "give a number of rows that divides the number of all rows";
        check::option("the size of a group", size as f64, sound, remedy)?;
        let groups = (0..rows / size).map(|i| (i * size..(i + 1) * size).collect());
        self.groups(groups.collect())
    }

    /// Sets the rows of every candidate, in place of one row each. Rows that occur in no candidate are not used.
    ///
    /// # Errors
    /// Fails if there is no candidate, if one has no rows, or if a row does not exist.
    pub fn groups(mut self, groups: Vec<Vec<usize>>) -> Result<Self> {
        let some = !groups.is_empty() && groups.iter().all(|rows| !rows.is_empty());
        let remedy = "give at least one candidate, and each at least one row";
        check::option(
            "the number of candidates",
            groups.len() as f64,
            some,
            remedy,
        )?;
        for &row in groups.iter().flatten() {
            let inside = row < self.rows.nrows();
            let remedy = "give indices of rows of the Jacobian";
            check::option("a row of a candidate", row as f64, inside, remedy)?;
        }
        self.groups = groups;
        Ok(self)
    }

    /// Adds what is known already: the precision of a prior, or the [`information`](Self::information) of earlier data.
    ///
    /// # Errors
    /// Fails if the matrix is not finite, or has another size than the number of parameters.
    pub fn prior(mut self, precision: MatRef<'_, f64>) -> Result<Self> {
        let p = self.rows.ncols();
        check::length("the rows of the precision", precision.nrows(), p)?;
        check::length("the columns of the precision", precision.ncols(), p)?;
        for j in 0..p {
            let column: Vec<f64> = (0..p).map(|i| precision[(i, j)]).collect();
            check::finite("a column of the precision", &column)?;
        }
        // The symmetric part: rounding must not tell rows from columns.
        self.prior += Mat::from_fn(p, p, |i, j| 0.5 * (precision[(i, j)] + precision[(j, i)]));
        Ok(self)
    }

    /// Sets the units of the parameters, 1 by default. With those of θ itself, the criteria A and E judge relative errors.
    ///
    /// # Errors
    /// Fails if there is not one positive unit per parameter.
    pub fn units(mut self, units: &[f64]) -> Result<Self> {
        let p = self.rows.ncols();
        check::length("the units of the parameters", units.len(), p)?;
        check::positive("the units of the parameters", units)?;
        self.units = units.to_vec();
        Ok(self)
    }

    /// Sets the number of observations over which [`weights`](Self::weights) are distributed, 1 by default. It matters only beside
    /// a prior.
    ///
    /// # Errors
    /// Fails if the number is not positive.
    pub fn observations(mut self, count: f64) -> Result<Self> {
        let sound = count > 0.0 && count.is_finite();
        let remedy = "give a positive number";
        check::option("the number of observations", count, sound, remedy)?;
        self.observations = count;
        Ok(self)
    }

    /// Returns the number of candidates.
    pub fn count(&self) -> usize {
        self.groups.len()
    }

    /// Returns the information of so many observations of every candidate and of the prior, in the units of θ.
    ///
    /// # Errors
    /// Fails if there is not one finite number per candidate.
    pub fn information(&self, observations: &[f64]) -> Result<Mat<f64>> {
        let what = "the numbers of observations";
        check::length(what, observations.len(), self.count())?;
        check::finite(what, observations)?;
        let units = vec![1.0; self.units.len()];
        Ok(self.in_units(&units, 1.0).information(observations))
    }

    /// Returns the problem in the units, with this number of observations.
    pub(super) fn problem(&self, observations: f64) -> Problem {
        self.in_units(&self.units, observations)
    }

    /// Number of observations of a design.
    pub(super) fn total(&self) -> f64 {
        self.observations
    }

    fn in_units(&self, units: &[f64], observations: f64) -> Problem {
        let p = units.len();
        let order: Vec<usize> = self.groups.iter().flatten().copied().collect();
        let scale = observations.sqrt();
        let mut firsts = vec![0];
        for group in &self.groups {
            firsts.push(firsts[firsts.len() - 1] + group.len());
        }
        Problem {
            columns: Mat::from_fn(p, order.len(), |j, i| {
                scale * units[j] * self.rows[(order[i], j)]
            }),
            firsts,
            prior: Mat::from_fn(p, p, |i, j| units[i] * units[j] * self.prior[(i, j)]),
        }
    }
}
