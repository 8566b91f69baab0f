//! Gaussian mixtures on a grid: an explicit model ρ = F(θ).

mod second_order;

use faer::Mat;

use crate::check;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::linalg::{Backend, Operator, share_columns};
use crate::model::{Model, Variation};

/// Gaussian mixture ρ(x) = Σ w_c N(x; μ_c, diag σ²_c), evaluated at cell centres without renormalisation.
///
/// Any of the weights, means and variances may be parameters.
///
/// ```
/// use pullback::{Grid, models::{GaussianMixture, Parameter}};
/// let grid = Grid::new(&[(-4.0, 10.0, 56), (-4.0, 10.0, 56)])?;
/// let mixture = GaussianMixture::new(&grid)
///     .component(0.3, &[1.0, 3.0], 1.0)
///     .component(0.7, &[3.0, 2.0], 1.0)
///     .free(&[Parameter::Weight(0), Parameter::Mean(0, 0)])?;
/// assert_eq!(mixture.parameters(), [0.3, 1.0]);
/// # Ok::<(), pullback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GaussianMixture {
    grid: Grid,
    components: Vec<Component>,
    free: Vec<Parameter>,
}

/// Free parameter of a mixture. Components and axes are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Weight of a component other than the last. The last weight is 1 minus the sum of the other weights.
    Weight(usize),
    /// Mean of a component along an axis.
    Mean(usize, usize),
    /// Common variance of a component along all axes.
    Variance(usize),
    /// Variance of a component along an axis.
    AxisVariance(usize, usize),
}

impl Parameter {
    /// Returns whether both parameters set the same weight, mean or variance.
    fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Variance(a), Self::AxisVariance(b, _))
            | (Self::AxisVariance(a, _), Self::Variance(b)) => a == b,
            _ => self == other,
        }
    }
}

/// One Gaussian of the mixture.
#[derive(Clone, Debug)]
struct Component {
    weight: f64,
    mean: Vec<f64>,
    /// Variance of the component along each axis.
    variance: Vec<f64>,
}

impl GaussianMixture {
    /// Creates a mixture without components.
    pub fn new(grid: &Grid) -> Self {
        Self {
            grid: grid.clone(),
            components: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Adds a component with the same variance along every axis.
    #[must_use]
    pub fn component(self, weight: f64, mean: &[f64], variance: f64) -> Self {
        let variances = vec![variance; mean.len()];
        self.diagonal_component(weight, mean, &variances)
    }

    /// Adds a component with one variance per axis.
    #[must_use]
    pub fn diagonal_component(mut self, weight: f64, mean: &[f64], variances: &[f64]) -> Self {
        self.components.push(Component {
            weight,
            mean: mean.to_vec(),
            variance: variances.to_vec(),
        });
        self
    }

    /// Sets the free parameters that form θ, in this order, and checks the mixture.
    ///
    /// # Errors
    /// Fails if a mean or variance has the wrong dimension, if a variance is not positive, if a weight is outside [0,
    /// 1], if the weights do not sum to 1, or if a parameter does not exist or is given twice.
    pub fn free(mut self, parameters: &[Parameter]) -> Result<Self> {
        self.free = parameters.to_vec();
        self.check_components(&self.components)?;
        for (i, &parameter) in parameters.iter().enumerate() {
            let repeats = |earlier: &Parameter| earlier.overlaps(parameter);
            self.check_parameter(parameter, parameters[..i].iter().any(repeats))?;
        }
        Ok(self)
    }

    /// Returns the grid of the density.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Returns the values that the free parameters have in the components as given.
    pub fn parameters(&self) -> Vec<f64> {
        let value = |p: &Parameter| match *p {
            Parameter::Weight(c) => self.components[c].weight,
            Parameter::Mean(c, d) => self.components[c].mean[d],
            Parameter::Variance(c) => self.components[c].variance[0],
            Parameter::AxisVariance(c, d) => self.components[c].variance[d],
        };
        self.free.iter().map(value).collect()
    }

    /// Returns the density ρ = F(θ).
    ///
    /// # Errors
    /// Fails if θ has the wrong length, or if a variance or weight is outside its range.
    pub fn density(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let components = self.at(theta)?;
        // The midpoint sum of a normal density needs no renormalisation. By Poisson's summation formula,
        // ΣN(xᵢ)h = 1 + 2 e^{−2π²σ²/h²} cos(2πc) + …, where c is the offset of the mean from a centre in
        // units of h. The error is 5·10⁻⁹ at σ = h and below rounding from σ = 1.4h on. Apart from it, the
        // difference to mass 1 is the mass outside the box.
        let mut rho = vec![0.0; self.grid.cells()];
        for c in &components {
            let n = self.gaussian(c, None);
            rho.iter_mut().zip(&n).for_each(|(r, n)| *r += c.weight * n);
        }
        Ok(rho)
    }

    /// Returns the components at θ.
    fn at(&self, theta: &[f64]) -> Result<Vec<Component>> {
        check::length("θ of the mixture", theta.len(), self.free.len())?;
        check::finite("θ of the mixture", theta)?;
        let mut components = self.components.clone();
        for (parameter, &value) in self.free.iter().zip(theta) {
            match *parameter {
                Parameter::Weight(c) => components[c].weight = value,
                Parameter::Mean(c, d) => components[c].mean[d] = value,
                Parameter::Variance(c) => components[c].variance.fill(value),
                Parameter::AxisVariance(c, d) => components[c].variance[d] = value,
            }
        }
        if self.free.iter().any(|p| matches!(p, Parameter::Weight(_)))
            && let Some((last, others)) = components.split_last_mut()
        {
            // The constraint Σ w = 1 is eliminated. As a free parameter the last weight would let the mass
            // change.
            last.weight = 1.0 - others.iter().map(|c| c.weight).sum::<f64>();
        }
        self.check_components(&components)?;
        Ok(components)
    }

    /// Checks all components, and that their weights sum to 1.
    fn check_components(&self, components: &[Component]) -> Result<()> {
        check::option(
            "the number of components of the mixture",
            components.len() as f64,
            !components.is_empty(),
            "add at least one with `component`",
        )?;
        for (index, c) in components.iter().enumerate() {
            self.check_component(index, c)?;
        }
        // The tolerance admits weights that are rounded decimals, such as three times 0.3333333333.
        let sum: f64 = components.iter().map(|c| c.weight).sum();
        if (sum - 1.0).abs() > 1e-9 {
            return Err(Error::NotNormalised {
                what: "the weights of the mixture",
                sum,
            });
        }
        Ok(())
    }

    /// Checks the dimensions and ranges of one component.
    fn check_component(&self, index: usize, c: &Component) -> Result<()> {
        let (d, variances) = (
            self.grid.dim(),
            "the variances of a component of the mixture",
        );
        check::length("a mean of the mixture", c.mean.len(), d)?;
        check::length(variances, c.variance.len(), d)?;
        check::finite("a mean of the mixture", &c.mean)?;
        check::positive("a variance of the mixture", &c.variance)?;
        check::finite("a weight of the mixture", &[c.weight])?;
        // The last weight is a difference, so that rounding may leave it slightly outside [0, 1].
        let slack = f64::EPSILON * self.components.len() as f64;
        if (-slack..=1.0 + slack).contains(&c.weight) {
            return Ok(());
        }
        Err(Error::OutOfRange {
            what: "a weight of the mixture",
            index,
            value: c.weight,
            lower: 0.0,
            upper: 1.0,
        })
    }

    /// Checks that a free parameter exists and is given once.
    fn check_parameter(&self, parameter: Parameter, repeated: bool) -> Result<()> {
        let (n, d) = (self.components.len(), self.grid.dim());
        let (component, components, axis) = match parameter {
            // The last weight follows from the others.
            Parameter::Weight(c) => (c, n.saturating_sub(1), 0),
            Parameter::Variance(c) => (c, n, 0),
            Parameter::Mean(c, axis) | Parameter::AxisVariance(c, axis) => (c, n, axis),
        };
        let component = component as f64;
        check::option(
            "the component of a free parameter",
            component,
            component < components as f64,
            "components count from 0, and the last weight follows from the others",
        )?;
        let axis_exists = axis < d;
        check::option(
            "the axis of a free parameter",
            axis as f64,
            axis_exists,
            "give an axis of the grid, counted from 0",
        )?;
        check::option(
            "the component of a parameter that is given twice",
            component,
            !repeated,
            "give every free parameter once",
        )?;
        let uneven = |v: &[f64]| v.iter().any(|x| *x != v[0]);
        let mixed =
            matches!(parameter, Parameter::Variance(c) if uneven(&self.components[c].variance));
        check::option(
            "the component of a free variance along all axes",
            component,
            !mixed,
            "its variances differ, so free them one by one with `AxisVariance`",
        )
    }

    /// Returns N(x; μ, σ²) at all cells. If `derivative` is an axis and an order, the factor of that axis is replaced by
    /// its derivative of this order with respect to the mean.
    fn gaussian(&self, c: &Component, derivative: Option<(usize, usize)>) -> Vec<f64> {
        let mut out = vec![1.0];
        for d in 0..self.grid.dim() {
            let along = derivative.filter(|(axis, _)| *axis == d);
            let profile = self.profile(c, d, along.map_or(0, |(_, order)| order));
            // The density is a product over the axes. The last axis is the fastest, so that each further axis is the
            // innermost index of the outer product.
            out = out
                .iter()
                .flat_map(|outer| profile.iter().map(move |inner| outer * inner))
                .collect();
        }
        out
    }

    /// Returns the factor of axis `d`, or its derivative of an order with respect to the mean, at the centres of the cells.
    fn profile(&self, c: &Component, d: usize, order: usize) -> Vec<f64> {
        let centres = self.grid.axes()[d].centres();
        let value = |x: &f64| profile(x - c.mean[d], c.variance[d], order);
        centres.iter().map(value).collect()
    }

    /// Returns ∂ρ/∂θ for one parameter.
    fn derivative(&self, components: &[Component], parameter: Parameter) -> Vec<f64> {
        let weighted = |c: usize, axis: usize, order: usize| {
            let mut n = self.gaussian(&components[c], Some((axis, order)));
            let factor = components[c].weight * if order == 2 { 0.5 } else { 1.0 };
            n.iter_mut().for_each(|n| *n *= factor);
            n
        };
        match parameter {
            Parameter::Mean(c, axis) => weighted(c, axis, 1),
            // The heat equation ∂N/∂σ² = ½ ∂²N/∂μ².
            Parameter::AxisVariance(c, axis) => weighted(c, axis, 2),
            // All axes share the variance, so that their derivatives add up.
            Parameter::Variance(c) => (0..self.grid.dim())
                .map(|axis| weighted(c, axis, 2))
                .reduce(|a, b| a.iter().zip(&b).map(|(a, b)| a + b).collect())
                .unwrap_or_default(),
            // The last weight decreases by what this weight gains: ∂ρ/∂w_c = N_c − N_last.
            Parameter::Weight(c) => {
                let own = self.gaussian(&components[c], None);
                let last = self.gaussian(&components[components.len() - 1], None);
                own.iter().zip(&last).map(|(a, b)| a - b).collect()
            }
        }
    }
}

/// Highest order of a derivative of a profile: two derivatives with respect to the variance.
const MOST_DERIVATIVES: usize = 4;

/// Returns the one-dimensional normal density at a signed distance from the mean, or its derivative of an order up to
/// [`MOST_DERIVATIVES`] with respect to the mean.
fn profile(distance: f64, variance: f64, order: usize) -> f64 {
    // ∂ᵐN/∂μᵐ = N Heₘ(z)/σᵐ with z = d/σ and the Hermite polynomials z, z² − 1, z³ − 3z and z⁴ − 6z² + 3. From m = 1 on they
    // are orthogonal to 1 in the weight N: apart from the truncation by the box, tangents have mass zero.
    let z2 = distance * distance / variance;
    let n = (-0.5 * z2).exp() / (std::f64::consts::TAU * variance).sqrt();
    match order {
        0 => n,
        1 => n * distance / variance,
        2 => n * (z2 - 1.0) / variance,
        3 => n * distance * (z2 - 3.0) / (variance * variance),
        _ => n * (z2 * (z2 - 6.0) + 3.0) / (variance * variance),
    }
}

impl Model for GaussianMixture {
    fn state_dim(&self) -> usize {
        self.grid.cells()
    }

    fn param_dim(&self) -> usize {
        self.free.len()
    }

    fn residual(&self, rho: &[f64], theta: &[f64], out: &mut [f64]) {
        match self.density(theta) {
            Ok(f) => {
                let pairs = rho.iter().zip(&f);
                out.iter_mut().zip(pairs).for_each(|(o, (r, f))| *o = r - f);
            }
            Err(_) => out.fill(f64::NAN),
        }
    }

    fn state_jacobian<'a>(&'a self, _: &'a [f64], _: &'a [f64]) -> Operator<'a> {
        Operator::identity(self.grid.cells())
    }

    fn param_jacobian<'a>(&'a self, _: &'a [f64], theta: &'a [f64]) -> Operator<'a> {
        let mut c = Mat::from_fn(self.state_dim(), self.param_dim(), |_, _| f64::NAN);
        if let Ok(components) = self.at(theta) {
            share_columns(c.as_mut(), |j, c| {
                let column = self.derivative(&components, self.free[j]);
                c.iter_mut().zip(&column).for_each(|(c, d)| *c = -d);
            });
        }
        Operator::dense(c)
    }

    fn second_derivative(
        &self,
        _: &[f64],
        theta: &[f64],
        along: &Variation<'_>,
    ) -> Option<[Mat<f64>; 2]> {
        Some(self.bend(theta, along))
    }

    fn solve(&self, theta: &[f64], rho: &mut [f64], _: &dyn Backend) -> Result<()> {
        let density = self.density(theta)?;
        check::length("ρ", rho.len(), density.len())?;
        rho.copy_from_slice(&density);
        Ok(())
    }
}
