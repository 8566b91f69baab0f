//! Models defined by a residual alone.

use faer::Mat;

use super::bend::Bend;
use super::cache::Jacobian;
use super::error::{Error, Outcome, Variable};
use super::jacobian::Map;
use super::outputs::check_outputs;
use super::scalar::Scalar;
use crate::error::Result;
use crate::linalg::{Backend, Operator};
use crate::model::adjoint::Sensitivity;
use crate::model::{Model, Variation, implicit};

/// Equations g(ρ, θ) = 0, whose residual is written once for all scalars.
///
/// ```
/// use pullback::automatic::{Automatic, Equation, Scalar};
/// use pullback::{Descent, loss::L2Misfit};
/// /// −(e^θ u′)′ = 1 on 50 cells of (0, 1), with u = 0 at both ends.
/// struct Diffusion;
/// impl Equation for Diffusion {
///     fn dims(&self) -> (usize, usize) { (50, 1) }
///     fn residual<S: Scalar>(&self, u: &[S], theta: &[S], g: &mut [S]) {
///         let conductivity = theta[0].exp() * (50.0 * 50.0);
///         for i in 0..50 {
///             let left = if i > 0 { u[i] - u[i - 1] } else { u[i] * 2.0 };
///             let right = if i < 49 { u[i] - u[i + 1] } else { u[i] * 2.0 };
///             g[i] = conductivity * (left + right) - 1.0;
///         }
///     }
/// }
/// let model = Automatic::new(Diffusion);
/// // u = x(1 − x)/2 e^(−θ), here with θ = −0.5.
/// let data = (0..50).map(|i| (i as f64 + 0.5) / 50.0).map(|x| 0.5 * x * (1.0 - x) * 0.5_f64.exp());
/// let report = Descent::new(&model, &L2Misfit::euclidean(data.collect())?).run(&[0.0], |_| ())?;
/// assert!((report.theta[0] + 0.5).abs() < 1e-3);
/// # Ok::<(), pullback::Error>(())
/// ```
pub trait Equation: Sync {
    /// Returns (k, p), the lengths of ρ and θ. There are k equations.
    ///
    /// A residual is called with slices of exactly these lengths. One that indexes beyond them panics as any Rust program
    /// does, with the line of the residual, the index and the length; compare the length with k and p. Entries that a
    /// residual leaves out are found and named.
    fn dims(&self) -> (usize, usize);

    /// Writes g(ρ, θ) to `out`, all k entries.
    ///
    /// `out` is not zero on entry: assign an entry before adding to it. Compute on the calling thread, without rayon or
    /// other threads, because operations are recorded per thread.
    fn residual<S: Scalar>(&self, rho: &[S], theta: &[S], out: &mut [S]);

    /// Returns the initial guess for ρ. The default is zero. Among several solutions, the guess chooses one.
    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        let _ = theta;
        vec![0.0; self.dims().0]
    }
}

/// Model of an [`Equation`], with Jacobians by automatic differentiation.
pub struct Automatic<E> {
    equation: E,
    by_state: Jacobian,
    by_param: Jacobian,
}

impl<E: Equation> Automatic<E> {
    /// Creates the model of an equation.
    pub fn new(equation: E) -> Self {
        Self {
            equation,
            by_state: Jacobian::new(Variable::State),
            by_param: Jacobian::new(Variable::Parameter),
        }
    }

    /// Returns the equation.
    pub fn equation(&self) -> &E {
        &self.equation
    }

    /// Returns A = ∂g/∂ρ and C = ∂g/∂θ.
    fn jacobians(&self, rho: &[f64], theta: &[f64]) -> Outcome<[Operator<'static>; 2]> {
        let (in_state, in_param) = self.maps(rho, theta);
        Ok([
            self.by_state.operator(&in_state, rho, 1.0)?,
            self.by_param.operator(&in_param, theta, 1.0)?,
        ])
    }

    fn maps<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> (InState<'a, E>, InParam<'a, E>) {
        let equation = &self.equation;
        (InState { equation, theta }, InParam { equation, rho })
    }

    /// Checks the outputs and derivatives at a point, and that every equation and every unknown takes part.
    fn check(&self, rho: &[f64], theta: &[f64]) -> Outcome<()> {
        let (in_state, in_param) = self.maps(rho, theta);
        check_outputs(&in_state, rho)?;
        let sparsity = self.by_state.check(&in_state, rho)?;
        if let Some(row) = sparsity.rows.iter().position(Vec::is_empty) {
            return Err(Error::WithoutUnknowns { row });
        }
        let columns = sparsity.structure.col_ptr().windows(2);
        if let Some(index) = columns.map(|w| w[1] - w[0]).position(|count| count == 0) {
            return Err(Error::Undetermined { index });
        }
        self.by_param.check(&in_param, theta)?;
        Ok(())
    }
}

impl<E: Equation> Model for Automatic<E> {
    fn state_dim(&self) -> usize {
        self.equation.dims().0
    }

    fn param_dim(&self) -> usize {
        self.equation.dims().1
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        // An entry that the residual does not write must not pass for one that is small.
        out.fill(f64::NAN);
        self.equation.residual(rho, theta, out);
    }

    fn state_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let map = self.maps(rho, theta).0;
        or_nan(
            self.by_state.operator(&map, rho, 1.0),
            (rho.len(), rho.len()),
        )
    }

    fn param_jacobian<'a>(&'a self, rho: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let map = self.maps(rho, theta).1;
        or_nan(
            self.by_param.operator(&map, theta, 1.0),
            (rho.len(), theta.len()),
        )
    }

    fn linearise<'a>(
        &'a self,
        rho: &'a [f64],
        theta: &'a [f64],
        backend: &'a dyn Backend,
    ) -> Result<Box<dyn Sensitivity + 'a>> {
        let jacobians = self.jacobians(rho, theta)?;
        implicit(self, jacobians, (rho, theta), backend)
    }

    fn second_derivative(
        &self,
        rho: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        let (k, p) = (rho.len(), theta.len());
        let map = Joint(&self.equation);
        let (rows, columns) = (k + p, along.theta.ncols());
        let v = Mat::from_fn(rows, columns, |i, j| match i.checked_sub(k) {
            None => along.rho[(i, j)],
            Some(i) => along.theta[(i, j)],
        });
        let bend = Bend {
            map: &map,
            x: &[rho, theta].concat(),
            lambda: along.lambda,
            v: v.as_ref(),
        };
        let product = bend.product();
        let part = |first, rows| product.get(first..first + rows, ..).to_owned();
        Some([part(0, k), part(k, p)])
    }

    fn guess(&self, theta: &[f64]) -> Vec<f64> {
        self.equation.guess(theta)
    }

    fn diagnose(&self, rho: &[f64], theta: &[f64]) -> Result<()> {
        Ok(self.check(rho, theta)?)
    }
}

/// Returns an operator of NaN for a Jacobian that cannot be computed: `Model` has no way to return the error here.
/// `linearise` and `diagnose` return it.
pub(super) fn or_nan(
    jacobian: Outcome<Operator<'static>>,
    (rows, columns): (usize, usize),
) -> Operator<'static> {
    jacobian.unwrap_or_else(|_| match rows == columns {
        true => Operator::diagonal(vec![f64::NAN; rows]),
        false => Operator::triplets(rows, columns, [(0, 0, f64::NAN)]),
    })
}

/// ρ ↦ g(ρ, θ).
struct InState<'a, E> {
    equation: &'a E,
    theta: &'a [f64],
}

/// θ ↦ g(ρ, θ).
struct InParam<'a, E> {
    equation: &'a E,
    rho: &'a [f64],
}

impl<E: Equation> Map for InState<'_, E> {
    fn rows(&self) -> usize {
        self.equation.dims().0
    }

    #[inline(always)]
    fn at<S: Scalar>(&self, x: &[S], out: &mut [S]) {
        let theta: Vec<S> = self.theta.iter().map(|&t| S::from(t)).collect();
        self.equation.residual(x, &theta, out);
    }
}

impl<E: Equation> Map for InParam<'_, E> {
    fn rows(&self) -> usize {
        self.equation.dims().0
    }

    #[inline(always)]
    fn at<S: Scalar>(&self, x: &[S], out: &mut [S]) {
        let rho: Vec<S> = self.rho.iter().map(|&r| S::from(r)).collect();
        self.equation.residual(&rho, x, out);
    }
}

/// (ρ, θ) ↦ g(ρ, θ).
struct Joint<'a, E>(&'a E);

impl<E: Equation> Map for Joint<'_, E> {
    fn rows(&self) -> usize {
        self.0.dims().0
    }

    #[inline(always)]
    fn at<S: Scalar>(&self, x: &[S], out: &mut [S]) {
        let (rho, theta) = x.split_at(self.0.dims().0);
        self.0.residual(rho, theta, out);
    }
}
