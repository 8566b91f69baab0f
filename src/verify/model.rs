//! Verification of a model: each block of its linearisation against its equations.

use faer::{Mat, MatMut};

use super::probe::{
    DIRECTIONS, column, direction, largest, moved, pairing, ratio, reciprocals, relative, worst,
};
use super::report::{Check, Verification};
use super::scan::{Scan, samples};
use super::subject::Subject;
use super::{IDENTITY, PLATEAU, SOLVED, SOLVED_PLATEAU};
use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, Cpu, Operator, Side};
use crate::model::adjoint::Linearisation;
use crate::model::{Model, solve_checked};

const STATE: &str = "∂g/∂ρ v = (g(ρ+hv) − g(ρ−hv))/2h";
const PARAM: &str = "∂g/∂θ v = (g(θ+hv) − g(θ−hv))/2h";
const STATE_TRANSPOSE: &str = "A = ∂g/∂ρ: ⟨A v, w⟩ = ⟨v, Aᵀw⟩";
const PARAM_TRANSPOSE: &str = "C = ∂g/∂θ: ⟨C v, w⟩ = ⟨v, Cᵀw⟩";
const SOLUTION: &str = "g(ρ(θ), θ) = 0";
const INVERSE: &str = "A(A⁻¹b) = b";
const INVERSE_ADJOINT: &str = "⟨A⁻¹b, c⟩ = ⟨b, A⁻ᵀc⟩";
const TANGENT: &str = "Z v = (ρ(θ+hv) − ρ(θ−hv))/2h";
const ADJOINT: &str = "⟨Z v, w⟩ = ⟨v, Zᵀw⟩";
const BATCHES: &str = "Z V and ZᵀW, column by column";

/// Verifies a model at θ, block by block: Jacobians, transposes, second derivatives if there are any, solve, inverse, tangent
/// and adjoint.
///
/// Jacobians are compared with differences of g row by row, at the solution and at three points a few percent away,
/// where the terms of g do not cancel. The error of each row is relative to the size of g at these points. Directions
/// are random multiples of the entries of ρ and θ. Choose a θ whose entries have typical sizes. Away from the solution,
/// entries of ρ below 10⁻⁴ of the largest are perturbed as if they had this size. The model is solved 21 times.
///
/// ```
/// use pullback::{Model, Operator, faer::mat, verify};
/// /// ρ³ + ρ = θ, with ∂g/∂ρ = 3ρ² where it should be 3ρ² + 1.
/// struct Cubic;
/// impl Model for Cubic {
///     fn state_dim(&self) -> usize { 1 }
///     fn param_dim(&self) -> usize { 1 }
///     fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
///         out[0] = rho[0].powi(3) + rho[0] - theta[0];
///     }
///     fn state_jacobian<'a>(&'a self, rho: &'a [f64], _: &'a [f64]) -> Operator<'a> {
///         Operator::diagonal(vec![3.0 * rho[0].powi(2)])
///     }
///     fn param_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
///         Operator::dense(mat![[-1.0]])
///     }
///     fn guess(&self, _: &[f64]) -> Vec<f64> { vec![1.0] }
/// }
/// let checks = verify::model(&Cubic, &[10.0], 1)?;
/// assert!(checks.failures().all(|check| check.name.contains("∂g/∂ρ")));
/// assert_eq!(checks.failures().count(), 1);
/// # Ok::<(), pullback::Error>(())
/// ```
///
/// # Errors
/// Fails if θ or a Jacobian has the wrong shape or an entry that is not finite. A model that cannot be solved gives a
/// failed check. The checks that need no solution are then executed at the model's guess.
pub fn model(model: &dyn Model, theta: &[f64], seed: u64) -> Result<Verification> {
    let cpu = Cpu::default();
    check::length("θ", theta.len(), model.param_dim())?;
    check::finite("θ", theta)?;
    // A wrong Jacobian often makes the solve fail. The checks that need no solution then locate it.
    let (rho, failure) = match solve_checked(model, theta, &cpu) {
        Ok(rho) => (rho, None),
        Err(error) => (guess_without_zeros(model, theta)?, Some(error)),
    };
    let (k, p) = (rho.len(), theta.len());
    let subject = Subject::new(model, theta, rho, seed)?;
    let mut report = Verification::new(format!("model of {k} states and {p} parameters"));
    report.push(subject.state_differences()?);
    report.push(subject.param_differences()?);
    let error = subject.transposed(
        &subject.state_jacobian(&subject.rho)?,
        &subject.state_sizes(),
    );
    report.push(Check::of(STATE_TRANSPOSE, error, IDENTITY));
    let error = subject.transposed(&subject.param_jacobian(&subject.rho)?, &relative(theta));
    report.push(Check::of(PARAM_TRANSPOSE, error, IDENTITY));
    if let Some(check) = subject.second_derivative()? {
        report.push(check);
    }
    let residual = failure.map_or_else(|| Ok(subject.residual()), Err);
    report.push(Check::of(SOLUTION, residual, SOLVED));
    report.push(Check::of(INVERSE, subject.inverse(&cpu), SOLVED));
    let needs = [STATE_TRANSPOSE, INVERSE];
    report.push_after(&needs, INVERSE_ADJOINT, || {
        Check::of(INVERSE_ADJOINT, subject.inverse_adjoint(&cpu), SOLVED)
    });
    // Z = −A⁻¹C is right if A, C, the solution and the solves are right, and Zᵀ = −CᵀA⁻ᵀ if the transposes
    // are. Each of the last two checks requires those of its factors, and is skipped if one of them failed.
    let needs = [STATE, PARAM, SOLUTION, INVERSE];
    report.push_after(&needs, TANGENT, || match subject.tangent(&cpu) {
        Ok(scan) => scan.check(TANGENT, SOLVED_PLATEAU),
        Err(error) => Check::of(TANGENT, Err(error), SOLVED_PLATEAU),
    });
    let needs = [STATE_TRANSPOSE, PARAM_TRANSPOSE, INVERSE, INVERSE_ADJOINT];
    report.push_after(&needs, ADJOINT, || {
        Check::of(ADJOINT, subject.adjoint(&cpu), SOLVED)
    });
    report.push_after(&needs, BATCHES, || {
        Check::of(BATCHES, subject.batches(&cpu), SOLVED)
    });
    Ok(report)
}

/// Returns the model's guess with its zeros replaced by ones.
fn guess_without_zeros(model: &dyn Model, theta: &[f64]) -> Result<Vec<f64>> {
    let guess = model.guess(theta);
    check::length("the guess for ρ", guess.len(), model.state_dim())?;
    check::finite("the guess for ρ", &guess)?;
    Ok(guess
        .iter()
        .map(|g| if *g == 0.0 { 1.0 } else { *g })
        .collect())
}

impl Subject<'_> {
    /// Compares ∂g/∂ρ with differences of g in ρ.
    fn state_differences(&self) -> Result<Check> {
        let mut scans = Vec::new();
        for (j, (rho, sizes)) in self.points().into_iter().enumerate() {
            let v = direction(&sizes, self.seed, j as u64);
            let claim = self.state_jacobian(rho)?.apply_to(Side::Plain, &v)?;
            let samples = samples(|h| Some(self.equations(&moved(rho, h, &v), self.theta)));
            scans.push(Scan::new(&claim, &self.rows, &samples));
        }
        Ok(Scan::worst(scans).check(STATE, PLATEAU))
    }

    /// Compares ∂g/∂θ with differences of g in θ. On failure the note names the worst parameter.
    fn param_differences(&self) -> Result<Check> {
        let mut scans = Vec::new();
        for (j, (rho, _)) in self.points().into_iter().enumerate() {
            let v = direction(&relative(self.theta), self.seed, 10 + j as u64);
            let claim = self.param_jacobian(rho)?.apply_to(Side::Plain, &v)?;
            let samples = samples(|h| Some(self.equations(rho, &moved(self.theta, h, &v))));
            scans.push(Scan::new(&claim, &self.rows, &samples));
        }
        let mut check = Scan::worst(scans).check(PARAM, PLATEAU);
        if !check.passed() && self.theta.len() > 1 {
            let worst = format!("worst for θ[{}]", self.worst_parameter()?);
            check.note = Some(
                check
                    .note
                    .map_or(worst.clone(), |note| format!("{note}; {worst}")),
            );
        }
        Ok(check)
    }

    /// Returns the parameter whose column of ∂g/∂θ has the largest error.
    fn worst_parameter(&self) -> Result<usize> {
        let (c, sizes) = (self.param_jacobian(&self.rho)?, relative(self.theta));
        let mut worst = (0, 0.0);
        for (j, size) in sizes.iter().enumerate() {
            let mut v = vec![0.0; sizes.len()];
            v[j] = *size;
            let claim = c.apply_to(Side::Plain, &v)?;
            let samples = samples(|h| Some(self.equations(&self.rho, &moved(self.theta, h, &v))));
            let error = Scan::new(&claim, &self.rows, &samples)
                .check(PARAM, PLATEAU)
                .error;
            if error > worst.1 {
                worst = (j, error);
            }
        }
        Ok(worst.0)
    }

    /// Compares ⟨A v, w⟩ with ⟨v, Aᵀw⟩. The entries of w are scaled so that all rows of A have equal weight.
    fn transposed(&self, a: &Operator<'_>, sizes: &[f64]) -> Result<f64> {
        // Row i of A v has about the size rᵢ of row i of g. With wᵢ of size 1/rᵢ all terms of ⟨A v, w⟩ are comparable.
        let row_sizes = reciprocals(&self.rows);
        let mut error = 0.0;
        for j in 0..DIRECTIONS as u64 {
            let v = direction(sizes, self.seed, 20 + j);
            let w = direction(&row_sizes, self.seed, 30 + j);
            let (av, aw) = (
                a.apply_to(Side::Plain, &v)?,
                a.apply_to(Side::Transpose, &w)?,
            );
            error = worst(error, pairing((&av, &w), (&v, &aw)));
        }
        Ok(error)
    }

    /// Returns ‖g(ρ(θ), θ)‖∞ relative to g at the perturbed states.
    fn residual(&self) -> f64 {
        let g = self.equations(&self.rho, self.theta);
        ratio(largest(&g), largest(&self.rows))
    }

    /// Returns a random right-hand side whose rows have the sizes of the rows of g.
    fn source(&self) -> Vec<f64> {
        // Two reciprocals replace a size of 0 by 1.
        direction(&reciprocals(&reciprocals(&self.rows)), self.seed, 40)
    }

    /// Returns a random covector w for which all terms wᵢρᵢ have comparable size.
    fn covector(&self) -> Vec<f64> {
        direction(&reciprocals(&self.state_sizes()), self.seed, 41)
    }

    /// Solves A x = b, or Aᵀx = b for the transposed side.
    fn solved(&self, cpu: &Cpu, side: Side, b: &[f64]) -> Result<Vec<f64>> {
        let (n, mut x) = (b.len(), b.to_vec());
        let factor = cpu.factor(self.state_jacobian(&self.rho)?)?;
        factor.solve(
            side,
            None,
            MatMut::from_column_major_slice_mut(&mut x, n, 1),
        )?;
        Ok(x)
    }

    /// Returns the backward error of x = A⁻¹b: ‖A x − b‖∞ relative to ‖|A||x|‖∞ + ‖b‖∞.
    fn inverse(&self, cpu: &Cpu) -> Result<f64> {
        let (a, b) = (self.state_jacobian(&self.rho)?, self.source());
        let x = self.solved(cpu, Side::Plain, &b)?;
        let residual = moved(&a.apply_to(Side::Plain, &x)?, -1.0, &b);
        let mut size = Mat::zeros(b.len(), 1);
        a.magnitude_into(Side::Plain, column(&x), size.as_mut());
        // Some matrix and right-hand side within this fraction of A and b, in the maximum norm, have x as
        // exact solution. A stable solver keeps the backward error small whatever the condition of A, so that
        // a failure means a wrong solve and not a difficult matrix.
        let size = largest(size.col_as_slice(0));
        Ok(ratio(largest(&residual), size + largest(&b)))
    }

    /// Compares ⟨A⁻¹b, c⟩ with ⟨b, A⁻ᵀc⟩.
    fn inverse_adjoint(&self, cpu: &Cpu) -> Result<f64> {
        let (b, c) = (self.source(), self.covector());
        let (x, lambda) = (
            self.solved(cpu, Side::Plain, &b)?,
            self.solved(cpu, Side::Transpose, &c)?,
        );
        Ok(pairing((&x, &c), (&b, &lambda)))
    }

    /// Compares Z v with differences of the solved state, relative to the larger of ‖Z v‖∞ and a thousandth of ‖ρ‖∞.
    fn tangent(&self, cpu: &Cpu) -> Result<Scan> {
        let v = direction(&relative(self.theta), self.seed, 50);
        let z = Linearisation::new(self.model, &self.rho, self.theta, cpu)?;
        let tangent = z.tangent(column(&v))?.col_as_slice(0).to_vec();
        // If Z v vanishes, its differences consist of the errors of the solves, and the second scale lets it
        // pass.
        let size = largest(&tangent).max(1e-3 * largest(&self.rho));
        let samples = samples(|h| solve_checked(self.model, &moved(self.theta, h, &v), cpu).ok());
        Ok(Scan::new(&tangent, &vec![size; tangent.len()], &samples))
    }

    /// Compares ⟨Z v, w⟩ with ⟨v, Zᵀw⟩.
    fn adjoint(&self, cpu: &Cpu) -> Result<f64> {
        let v = direction(&relative(self.theta), self.seed, 51);
        let w = self.covector();
        let z = Linearisation::new(self.model, &self.rho, self.theta, cpu)?;
        let tangent = z.tangent(column(&v))?;
        let pullback = z.pull_back(&w)?;
        Ok(pairing((tangent.col_as_slice(0), &w), (&v, &pullback)))
    }
}

impl Subject<'_> {
    /// Compares the products of batches with those of their columns. Sensitivities are written for batches, but the other
    /// checks use single columns.
    fn batches(&self, cpu: &Cpu) -> Result<f64> {
        let z = Linearisation::new(self.model, &self.rho, self.theta, cpu)?;
        let sizes = (relative(self.theta), reciprocals(&self.state_sizes()));
        let batch = |sizes: &[f64], kind: u64| {
            let streams = 0..DIRECTIONS as u64;
            let columns: Vec<_> = streams
                .map(|j| direction(sizes, self.seed, kind + j))
                .collect();
            Mat::from_fn(sizes.len(), DIRECTIONS, |i, j| columns[j][i])
        };
        let (v, w) = (batch(&sizes.0, 60), batch(&sizes.1, 70));
        let (tangents, adjoints) = (z.tangent(v.as_ref())?, z.adjoint(w.as_ref())?);
        let mut error = 0.0;
        for j in 0..DIRECTIONS {
            let tangent = z.tangent(column(v.col_as_slice(j)))?;
            let adjoint = z.pull_back(w.col_as_slice(j))?;
            for (one, batch) in [
                (tangent.col_as_slice(0), tangents.col_as_slice(j)),
                (&adjoint, adjoints.col_as_slice(j)),
            ] {
                let gap = largest(&moved(one, -1.0, batch));
                error = worst(error, ratio(gap, largest(one)));
            }
        }
        Ok(error)
    }
}
