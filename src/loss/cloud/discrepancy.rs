//! Kernel discrepancies of two samples, among them the energy distance.

use faer::{Mat, MatRef};

use super::energy_metric::EnergyMetric;
use super::pairs::Pairs;
use super::sliced_metric::SlicedMetric;
use super::{Compared, Kernel, Matched, Sample, check_state};
use crate::check;
use crate::error::Result;
use crate::linalg::Backend;
use crate::loss::{Loss, Misfit, gradient_of, value_of};
use crate::metric::{Metric, SampledWasserstein};
use crate::model::Clouds;

/// Half the squared maximum mean discrepancy between two samples (Gretton, Borgwardt, Rasch, Schölkopf and Smola 2012),
///
/// ```text
/// f = ½ [mean k(x, x′) − 2 mean k(x, y) + mean k(y, y′)],
/// ```
///
/// with means over all pairs of N particles x and M data y, those of a point with itself included. It vanishes only where both
/// samples are the same measure. A value takes N(N + M) kernels, on all threads; the energy distance on a line takes two sorts instead.
///
/// The state holds the positions of the particles one after the other. The data are points that belong to no particle, and N
/// and M may differ.
///
/// ```
/// use pullback::{Loss, loss::KernelDiscrepancy};
/// // Half the energy distance of points at 0 and at 3: E|x − y| = 3.
/// let loss = KernelDiscrepancy::energy(1, vec![3.0])?;
/// assert_eq!(loss.value(&[0.0]), 3.0);
/// # Ok::<(), pullback::Error>(())
/// ```
pub struct KernelDiscrepancy {
    data: Sample,
    kernel: Kernel,
    /// ½ mean k(y, y′).
    own: f64,
}

impl KernelDiscrepancy {
    /// Creates the discrepancy from data in ℝᵈ, d = `space`.
    ///
    /// # Errors
    /// Fails if the data are no points, or not finite, or if the width of the kernel is not positive.
    pub fn new(space: usize, data: Vec<f64>, kernel: Kernel) -> Result<Self> {
        kernel.check()?;
        let data = Sample::new(space, data)?;
        let pairs = Pairs {
            kernel,
            space,
            x: &data.points,
            y: &data.points,
        };
        let total = pairs.sum(0.0, &mut vec![0.0; data.points.len()]);
        let own = 0.5 * total / (data.len() as f64).powi(2);
        Ok(Self { data, kernel, own })
    }

    /// Creates half the energy distance E|x − y| − ½E|x − x′| − ½E|y − y′| (Székely and Rizzo 2013), the discrepancy of
    /// [`Kernel::Energy`].
    ///
    /// # Errors
    /// Fails if the data are no points, or not finite.
    pub fn energy(space: usize, data: Vec<f64>) -> Result<Self> {
        Self::new(space, data, Kernel::Energy)
    }

    /// Returns the stiffness of the discrepancy, the mean pull ∣∂k/∂x∣ between particles and data over their mean distance.
    ///
    /// The part of f that pulls particles to the data lies below a parabola with this curvature, in the mean: a step with it is
    /// one of mean shift for a Gaussian kernel (Fukunaga and Hostetler 1975), and one of Weiszfeld's for distances. It is 1 where no
    /// pull is left.
    ///
    /// # Errors
    /// Fails if the state holds no particles, or positions that are not finite.
    pub fn stiffness(&self, rho: &[f64]) -> Result<f64> {
        self.check(rho)?;
        let [_, across] = self.pairs(rho);
        let [pull, distance] = across.pull();
        let stiffness = pull / distance;
        Ok(if stiffness.is_normal() {
            stiffness
        } else {
            1.0
        })
    }

    /// Returns the weights 1/N² and 1/NM of pairs among N particles, and with the data.
    fn weights(&self, rho: &[f64]) -> [f64; 2] {
        let n = (rho.len() / self.data.space) as f64;
        [(n * n).recip(), (n * self.data.len() as f64).recip()]
    }

    /// Returns all pairs among the particles, and with the data.
    fn pairs<'a>(&'a self, rho: &'a [f64]) -> [Pairs<'a>; 2] {
        [rho, self.data.points.as_slice()].map(|y| Pairs {
            kernel: self.kernel,
            space: self.data.space,
            x: rho,
            y,
        })
    }

    /// Returns value and gradient.
    fn compare(&self, rho: &[f64]) -> Compared {
        let [among, between] = self.weights(rho);
        let [inside, across] = self.pairs(rho);
        let mut covector = vec![0.0; rho.len()];
        // A particle is the first and the second argument of as many pairs: ½ · 2 = 1.
        let inner = inside.sum(among, &mut covector);
        let outer = across.sum(-between, &mut covector);
        let value = 0.5 * among * inner - between * outer + self.own;
        let mut rounding = f64::EPSILON * self.own.abs();
        if self.kernel == Kernel::Energy && self.data.space == 1 {
            // With a few points the grain is too large to be ignored.
            rounding += grain(between, -between * outer).min(COARSEST * value.abs());
        }
        Compared {
            value,
            covector,
            rounding,
        }
    }
}

/// Largest fraction of the energy distance that counts as rounding.
const COARSEST: f64 = 3e-4;

/// Rounding that hides decreases for which the energy distance on a line is too coarse, with the weight 1/NM of a pair and the mean
/// distance D.
//
// Where a particle passes a datum, the derivative along its motion jumps by 2/NM. With the stiffness 1/D a model of the objective
// expects a decrease of ½ (2/NM)² D = 2D/(NM)² from a derivative of one jump, beside which no minimum can be found. A minimum in several
// parameters rests on as many jumps, each of a particle that may be faster than the mean at its place, which is what the metric counts,
// or in a tail, where it counts little: with four parameters 50D/(NM)² were seen for noisy paths, and 240D/(NM)² for a skewed
// distribution. Decreases of up to ten roundings count as hidden, 300D/(NM)² together.
fn grain(pair: f64, distance: f64) -> f64 {
    30.0 * pair * pair * distance
}

impl Loss for KernelDiscrepancy {
    fn value(&self, rho: &[f64]) -> f64 {
        value_of(self, rho)
    }

    fn gradient(&self, rho: &[f64], out: &mut [f64]) {
        gradient_of(self, rho, out);
    }

    /// Returns the second variation of the energy distance on a line. Otherwise it is the Wasserstein metric of the cloud times the
    /// stiffness: on a line with about √N fields, and in more dimensions with quadratic potentials and the field of the gradient.
    fn metric(&self) -> Option<Box<dyn Metric + '_>> {
        let gradient = |cloud: &[f64], out: &mut [f64]| self.gradient(cloud, out);
        Some(match self.data.space {
            1 if self.kernel == Kernel::Energy => Box::new(EnergyMetric(self)),
            1 => Box::new(Matched::new(self, SlicedMetric::on_a_line(gradient))),
            space => {
                let metric = SampledWasserstein::new(space).field(gradient);
                Box::new(Matched::new(self, metric))
            }
        })
    }

    /// Returns the product with the Hessian. On a line the energy distance has none: its derivative is constant between points, and
    /// jumps there.
    fn hessian(&self, rho: &[f64], v: MatRef<'_, f64>) -> Result<Option<Mat<f64>>> {
        self.check(rho)?;
        if self.kernel == Kernel::Energy && self.data.space == 1 {
            return Ok(None);
        }
        check::length("the rows of a batch of tangents", v.nrows(), rho.len())?;
        let [among, between] = self.weights(rho);
        let [inside, across] = self.pairs(rho);
        // The changes of a particle in all columns lie side by side, so that every kernel is evaluated once.
        let (d, columns) = (self.data.space, v.ncols());
        let place = |i: usize, j: usize| (i / d * columns + j) * d + i % d;
        let mut changes = vec![0.0; v.nrows() * columns];
        for (j, column) in v.col_iter().enumerate() {
            let entries = column.iter().enumerate();
            entries.for_each(|(i, v)| changes[place(i, j)] = *v);
        }
        let mut out = vec![0.0; changes.len()];
        if columns > 0 {
            inside.curvature(among, &changes, Some(&changes), &mut out);
            across.curvature(-between, &changes, None, &mut out);
        }
        let entry = |i, j| out[place(i, j)];
        Ok(Some(Mat::from_fn(v.nrows(), columns, entry)))
    }

    fn clouds(&self) -> Option<Clouds> {
        Some(Clouds {
            count: 1,
            space: self.data.space,
        })
    }

    fn check(&self, rho: &[f64]) -> Result<()> {
        check_state(self.data.space, rho)
    }

    fn at<'a>(&'a self, rho: &[f64], _: &dyn Backend) -> Result<Box<dyn Misfit + 'a>> {
        self.check(rho)?;
        let compared = self.compare(rho);
        Ok(Box::new(WithHessian {
            loss: self,
            rho: rho.to_vec(),
            compared,
        }))
    }
}

/// Discrepancy at one state.
struct WithHessian<'a> {
    loss: &'a KernelDiscrepancy,
    rho: Vec<f64>,
    compared: Compared,
}

impl Misfit for WithHessian<'_> {
    fn value(&self) -> f64 {
        self.compared.value
    }

    fn covector(&self, backend: &dyn Backend) -> Result<Vec<f64>> {
        self.compared.covector(backend)
    }

    fn hessian(&self, v: MatRef<'_, f64>, _: &dyn Backend) -> Result<Option<Mat<f64>>> {
        self.loss.hessian(&self.rho, v)
    }

    fn rounding(&self) -> f64 {
        self.compared.rounding
    }
}
