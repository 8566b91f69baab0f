//! Wasserstein metric of a measure that is known by a sample.

mod fields;
mod kernels;

pub use self::kernels::Kernels;

use faer::{Mat, MatRef};

use self::fields::{coordinates, quadratics};
use super::{Metric, Root, check_batch, check_covector, check_lifted};
use crate::check;
use crate::error::Result;
use crate::linalg::{Backend, product, range_basis, share_columns};
use crate::model::Clouds;
use crate::vector::norm;

/// Gradient field of a potential: given the positions of all particles, writes its value at each of them.
type Field<'a> = Box<dyn Fn(&[f64], &mut [f64]) + Send + Sync + 'a>;

/// Wasserstein metric of the distribution that N particles are a sample of.
///
/// The state holds the positions xₙ ∈ ℝᵈ one after the other. Velocities vₙ move their distribution like the gradient field
/// nearest to them, and its length is that of the motion (Otto 2001): any other field with the same effect is longer. With
/// potentials φ₁, …, φ_M the square of the length is
///
/// ```text
/// min (1/N) Σₙ |vₙ|² over v with the same products (1/N) Σₙ vₙ·∇φₘ(xₙ),
/// ```
///
/// that is vᵀPv/N with the orthogonal projection P on the span of the fields ∇φₘ. [`new`](Self::new) takes the linear and
/// quadratic potentials, which are all that Gaussians need: with whitened draws the pulled-back metric of a Gaussian family is
/// exact to rounding. [`kernels`](Self::kernels) adds potentials for other shapes. [`kwng`](Self::kwng) has kernels only, as
/// published by Arbel, Gretton, Li and Montúfar (2020).
///
/// A covector is projected as well, and so the minimum of a loss found with few potentials is that of its projection.
/// [`field`](Self::field) adds the gradient of the loss, which is the field of its first variation and leaves the minimum where it
/// is. Kernel discrepancies in two dimensions and more name this metric as their own.
///
/// With fewer potentials than parameters some combinations of the parameters have length zero. A direction by
/// [`LeastSquares`](crate::direction::LeastSquares) takes the step of least motion of the particles, so that it stays short. Take at least twice as many
/// potentials as parameters.
///
/// ```
/// use pullback::{Cpu, Metric, faer::Mat, metric::SampledWasserstein};
/// // Four particles on a circle: a rotation changes no quadratic moment, a translation does.
/// let cloud = [1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0];
/// let (metric, cpu) = (SampledWasserstein::new(2), Cpu::default());
/// let root = metric.at(&cloud, &cpu)?;
/// let rotation = Mat::from_fn(8, 1, |i, _| if i % 2 == 0 { -cloud[i + 1] } else { cloud[i - 1] });
/// let translation = Mat::from_fn(8, 1, |i, _| if i % 2 == 0 { 1.0 } else { 0.0 });
/// assert!(root.lift(rotation.as_ref())?.norm_l2() < 1e-14);
/// assert!((root.lift(translation.as_ref())?.norm_l2() - 1.0).abs() < 1e-14);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct SampledWasserstein<'a> {
    space: usize,
    quadratics: bool,
    kernels: Option<Kernels>,
    fields: Vec<Field<'a>>,
}

/// Distance of a field from the span of those before it, relative to its length, below which it is left out.
// The fields have length 1. Rounding in the pivoted QR of M of them leaves about Mε; what is left of a smooth kernel beside its
// neighbours decreases without a gap, and below 10⁻¹⁰ consists of rounding to some per cent.
const NEW: f64 = 1e-10;

impl<'a> SampledWasserstein<'a> {
    /// Returns the metric of particles in ℝᵈ, d = `space`, with the d linear and the d(d + 1)/2 quadratic potentials.
    pub fn new(space: usize) -> Self {
        Self {
            space,
            quadratics: true,
            kernels: None,
            fields: Vec::new(),
        }
    }

    /// Returns the metric of the kernelised Wasserstein natural gradient of Arbel, Gretton, Li and Montúfar (2020): kernels only,
    /// by default ⌊d√N⌋ of them.
    ///
    /// Their estimate has two more terms: λ, which smooths the projection, and εD, which damps. The metric is the limit of small
    /// λ, where fields that others span to rounding are left out. Damping is a matter of the direction and the step rule
    /// ([`direction::Damping`](crate::direction::Damping)).
    pub fn kwng(space: usize, kernels: Kernels) -> Self {
        Self {
            space,
            quadratics: false,
            kernels: Some(kernels),
            fields: Vec::new(),
        }
    }

    /// Adds potentials made of derivatives of Gaussian kernels.
    #[must_use]
    pub fn kernels(mut self, kernels: Kernels) -> Self {
        self.kernels = Some(kernels);
        self
    }

    /// Adds the gradient field of a potential. Given the positions of all particles, `field` writes its value at each of them. The
    /// factor is arbitrary.
    ///
    /// The gradient of a loss on clouds is such a field: with the first variation φ, ∂f/∂xₙ = ∇φ(xₙ)/N.
    ///
    /// ```
    /// use pullback::loss::SlicedTransport;
    /// use pullback::metric::{Kernels, SampledWasserstein};
    /// use pullback::{Loss, random};
    /// let loss = SlicedTransport::new(2, random::normal(200, 1, 0))?;
    /// let metric = SampledWasserstein::new(2)
    ///     .kernels(Kernels::default())
    ///     .field(|cloud, out| loss.gradient(cloud, out));
    /// # let _ = metric;
    /// # Ok::<(), pullback::Error>(())
    /// ```
    #[must_use]
    pub fn field(mut self, field: impl Fn(&[f64], &mut [f64]) + Send + Sync + 'a) -> Self {
        self.fields.push(Box::new(field));
        self
    }

    /// Returns the fields at the particles as columns.
    fn columns(&self, cloud: &[f64], particles: usize) -> Result<Mat<f64>> {
        let kernels = match &self.kernels {
            Some(kernels) => Some(kernels.at(self.space, cloud)?),
            None => None,
        };
        let polynomials = match self.quadratics {
            true => quadratics(self.space),
            false => Vec::new(),
        };
        let (own, centres) = (polynomials.len(), kernels.as_ref().map_or(0, |k| k.len()));
        let centred = coordinates(self.space, cloud);
        let mut columns = Mat::zeros(self.space * particles, own + centres + self.fields.len());
        share_columns(columns.as_mut(), |j, column| {
            let Some(column) = column.try_as_col_major_mut() else {
                return;
            };
            let out = column.as_slice_mut();
            match (&kernels, j) {
                (_, j) if j < own => polynomials[j].write(&centred, out),
                (Some(kernels), j) if j < own + centres => kernels.write(j - own, cloud, out),
                (_, j) => self.fields[j - own - centres](cloud, out),
            }
        });
        Ok(columns)
    }
}

/// Returns the number of particles in ℝᵈ whose positions a state holds.
///
/// # Errors
/// Fails if d = 0, if the state is empty or not a whole number of particles, or if a position is not finite.
pub(crate) fn count(space: usize, cloud: &[f64]) -> Result<usize> {
    check::option(
        "the dimension of the space of particles",
        space as f64,
        space > 0,
        "give at least 1",
    )?;
    let particles = cloud.len() / space;
    check::option(
        "the number of particles",
        particles as f64,
        particles > 0,
        "give at least one point, d numbers each",
    )?;
    check::length(
        "the positions of particles, d numbers each",
        cloud.len(),
        particles * space,
    )?;
    check::finite("the position of a particle", cloud)?;
    Ok(particles)
}

impl Metric for SampledWasserstein<'_> {
    fn at<'a>(&'a self, rho: &'a [f64], _: &'a dyn Backend) -> Result<Box<dyn Root + 'a>> {
        let particles = count(self.space, rho)?;
        let mut fields = self.columns(rho, particles)?;
        for j in 0..fields.ncols() {
            let field = fields.col_as_slice_mut(j);
            check::finite("a gradient field at a particle", field)?;
            let length = norm(field);
            if length > 0.0 {
                field.iter_mut().for_each(|v| *v /= length);
            }
        }
        Ok(Box::new(Projection {
            basis: range_basis(fields, NEW),
            scale: (particles as f64).sqrt(),
        }))
    }

    fn name(&self) -> &'static str {
        "sampled W2"
    }

    fn clouds(&self) -> Option<Clouds> {
        Some(Clouds {
            count: 1,
            space: self.space,
        })
    }
}

/// Root L = Qᵀ/√N with an orthonormal basis Q of the fields.
struct Projection {
    basis: Mat<f64>,
    /// √N.
    scale: f64,
}

impl Projection {
    /// Returns Qᵀ Z.
    fn coefficients(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        product(self.basis.transpose(), z)
    }
}

impl Root for Projection {
    fn dim(&self) -> usize {
        self.basis.nrows()
    }

    fn lifted_dim(&self) -> usize {
        self.basis.ncols()
    }

    fn lift(&self, z: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_batch(z, self.dim())?;
        let mut lifted = self.coefficients(z);
        lifted /= faer::Scale(self.scale);
        Ok(lifted)
    }

    fn lower(&self, y: MatRef<'_, f64>) -> Result<Mat<f64>> {
        check_lifted(y, self.lifted_dim())?;
        let mut lowered = product(self.basis.as_ref(), y);
        lowered /= faer::Scale(self.scale);
        Ok(lowered)
    }

    /// Returns ‖vₙ‖/√N, the lengths of the motions of labelled particles.
    fn lengths(&self, z: MatRef<'_, f64>) -> Result<Option<Vec<f64>>> {
        check_batch(z, self.dim())?;
        let columns = z.col_iter();
        Ok(Some(columns.map(|v| v.norm_l2() / self.scale).collect()))
    }

    /// Returns √N Qᵀc, for which Lᵀ√N Qᵀc = QQᵀc = Pc.
    fn dual(&self, c: &[f64]) -> Result<Vec<f64>> {
        check_covector(c, self.dim())?;
        let c = MatRef::from_column_major_slice(c, c.len(), 1);
        let coefficients = self.coefficients(c);
        Ok((coefficients.col_as_slice(0).iter())
            .map(|y| self.scale * y)
            .collect())
    }

    fn project(&self, c: &mut [f64]) {
        let given = MatRef::from_column_major_slice(c, c.len(), 1);
        let kept = product(self.basis.as_ref(), self.coefficients(given).as_ref());
        c.copy_from_slice(kept.col_as_slice(0));
    }
}
