//! What a server computes: values and derivatives of models, and of logarithms of densities.

use pullback::faer::{Mat, MatRef};
use pullback::model::Variation;
use pullback::{Cpu, Descent, Error, Linearisation, Model, Result, loss};

use crate::wire::Support;

/// Function of a server, with one block of inputs and one of outputs.
pub(crate) trait Answers: Sync {
    /// Returns the numbers of inputs and of outputs.
    fn sizes(&self) -> (usize, usize);

    fn support(&self) -> Support;

    fn value(&self, theta: &[f64]) -> Result<Vec<f64>>;

    /// Returns Jᵀw.
    fn gradient(&self, theta: &[f64], w: &[f64]) -> Result<Vec<f64>>;

    /// Returns J v.
    fn tangent(&self, theta: &[f64], v: &[f64]) -> Result<Vec<f64>>;

    /// Returns the product of the second derivative of wᵀF with v, or None if it is unknown.
    fn curvature(&self, theta: &[f64], w: &[f64], v: &[f64]) -> Result<Option<Vec<f64>>>;
}

/// State ρ(θ) of a model.
pub(crate) struct State<'a> {
    pub(crate) model: &'a dyn Model,
    pub(crate) cpu: Cpu,
}

/// Returns a vector as a matrix with one column.
fn column(vector: &[f64]) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(vector, vector.len(), 1)
}

impl State<'_> {
    /// Computes something of the linearised model at θ.
    fn linearised<T>(
        &self,
        theta: &[f64],
        compute: impl FnOnce(&Linearisation<'_>) -> Result<T>,
    ) -> Result<T> {
        let rho = self.value(theta)?;
        compute(&Linearisation::new(self.model, &rho, theta, &self.cpu)?)
    }

    /// Returns whether the model has second derivatives of its equations, by asking for none of them.
    fn bends(&self) -> bool {
        let (k, p) = (self.model.state_dim(), self.model.param_dim());
        let (rho, theta) = (vec![0.0; k], vec![0.0; p]);
        let along = Variation {
            lambda: &vec![0.0; k],
            rho: MatRef::from_column_major_slice(&[], k, 0),
            theta: MatRef::from_column_major_slice(&[], p, 0),
        };
        self.model.second_derivative(&rho, &theta, &along).is_some()
    }
}

impl Answers for State<'_> {
    fn sizes(&self) -> (usize, usize) {
        (self.model.param_dim(), self.model.state_dim())
    }

    fn support(&self) -> Support {
        Support {
            evaluate: true,
            gradient: true,
            apply_jacobian: true,
            apply_hessian: self.bends(),
        }
    }

    // Every solve begins at the guess of the model, so that answers do not depend on earlier requests.
    fn value(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let mut rho = vec![0.0; self.model.state_dim()];
        self.model.solve(theta, &mut rho, &self.cpu)?;
        Ok(rho)
    }

    fn gradient(&self, theta: &[f64], w: &[f64]) -> Result<Vec<f64>> {
        self.linearised(theta, |z| z.pull_back(w))
    }

    fn tangent(&self, theta: &[f64], v: &[f64]) -> Result<Vec<f64>> {
        self.linearised(theta, |z| {
            Ok(z.tangent(column(v))?.col_as_slice(0).to_vec())
        })
    }

    fn curvature(&self, theta: &[f64], w: &[f64], v: &[f64]) -> Result<Option<Vec<f64>>> {
        let rho = self.value(theta)?;
        let z = self.model.linearise(&rho, theta, &self.cpu)?;
        let Some(curvature) = z.curvature(w)? else {
            return Ok(None);
        };
        let [s, c]: [Mat<f64>; 2] = curvature.terms(column(v), z.tangent(column(v))?.as_ref())?;
        let product = z.adjoint(s.into())? + c;
        Ok(Some(product.col_as_slice(0).to_vec()))
    }
}

/// Logarithm of a density, −f(ρ(θ)) − R(θ).
pub(crate) struct LogDensity<'a> {
    pub(crate) descent: &'a Descent<'a>,
}

/// Value of the logarithm where the density is zero. JSON has no −∞.
const LOWEST: f64 = f64::MIN;

impl LogDensity<'_> {
    /// Replaces an error by a value where the density is zero: outside the bounds, and where a datum would be impossible or a noise
    /// level not positive.
    fn inside<T>(found: Result<T>, otherwise: impl FnOnce() -> T) -> Result<T> {
        let zero = |error: &Error| {
            let impossible = matches!(error.of(), Some(loss::Error::Domain { .. }));
            impossible
                || matches!(
                    error,
                    Error::OutOfRange { .. } | Error::InfiniteStart { .. }
                )
        };
        match found {
            Err(error) if zero(&error) => Ok(otherwise()),
            found => found,
        }
    }

    /// Returns the gradient, zero outside the bounds.
    fn slope(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let found = self.descent.gradient(theta).map(|found| found.gradient);
        let mut slope = Self::inside(found, || vec![0.0; theta.len()])?;
        slope.iter_mut().for_each(|g| *g = -*g);
        Ok(slope)
    }
}

impl Answers for LogDensity<'_> {
    fn sizes(&self) -> (usize, usize) {
        (self.descent.param_dim(), 1)
    }

    fn support(&self) -> Support {
        Support {
            evaluate: true,
            gradient: true,
            apply_jacobian: true,
            apply_hessian: false,
        }
    }

    fn value(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let found = self.descent.objective(theta).map(|objective| -objective);
        Ok(vec![Self::inside(found, || LOWEST)?])
    }

    fn gradient(&self, theta: &[f64], w: &[f64]) -> Result<Vec<f64>> {
        Ok(self.slope(theta)?.iter().map(|g| w[0] * g).collect())
    }

    fn tangent(&self, theta: &[f64], v: &[f64]) -> Result<Vec<f64>> {
        let slope = self.slope(theta)?;
        Ok(vec![slope.iter().zip(v).map(|(g, v)| g * v).sum()])
    }

    fn curvature(&self, _: &[f64], _: &[f64], _: &[f64]) -> Result<Option<Vec<f64>>> {
        Ok(None)
    }
}
